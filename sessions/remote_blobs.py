"""Files by hash at an address, with those used last on this machine.

A file is written and flushed here, then sent, and only when all of it is there may a row name it. What is there is
listed once, and kept count of from then on: no other process may write to the address meanwhile.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sessions.blobs import BlobEntry, BlobState, BlobStore, blob_name, is_sha256, not_stored, refuse_beyond
from sessions.errors import PlaceError
from sessions.local_blobs import LocalBlobs
from sessions.place import Place

_MAX_CACHE_BYTES = 2_000_000_000
_NUM_TURNS = 64
_SPARED_S = 600.0  # whoever was given a path may still be reading


class RemoteBlobs(BlobStore):
    """Files called `<first two digits>/<sha256><suffix>` at an address. Any thread may use it."""

    def __init__(
        self,
        place: Place,
        cache_folder: Path,
        *,
        suffix: str = ".flac",
        max_total_bytes: int | None = None,
        max_cache_bytes: int = _MAX_CACHE_BYTES,
    ) -> None:
        """Open a store; nothing is asked of the address yet.

        Args:
            place: where the files lie.
            cache_folder: for those used last; may be lost at any time.
            suffix: of every file.
            max_total_bytes: how much the address may hold; None for as much as it does.
            max_cache_bytes: how much of it is kept here.
        """
        self._place = place
        self._cache = LocalBlobs(cache_folder, suffix=suffix)
        self._suffix = suffix
        self._max_total_bytes = max_total_bytes
        self._max_cache_bytes = max_cache_bytes
        self._guard = threading.RLock()
        self._sizes: dict[str, int] | None = None
        self._damaged: set[str] = set()
        self._used_s: dict[str, float] = {}
        # Sounds share them, by their hash: one for each would be as many as were ever fetched.
        self._turns = tuple(threading.Lock() for _ in range(_NUM_TURNS))

    def remove_leftovers(self) -> int:
        """Remove what a crash left half written, here and there."""
        return self._cache.remove_leftovers() + self._place.remove_leftovers()

    def add(self, write: Callable[[Path], object]) -> str:
        """Store what `write` writes: here first, then there."""
        sha256 = self._cache.add(write)
        path = self._cache.path(sha256)
        num_bytes = path.stat().st_size
        self._used_s[sha256] = time.monotonic()
        with self._guard:
            refuse_beyond(self.total_bytes() - self.num_bytes(sha256) + num_bytes, self._max_total_bytes)
        with self._turn(sha256):
            # Sent also if it is there: what is about to be named must be young, or it would be swept.
            self._place.put(path, blob_name(sha256, self._suffix))
            with self._guard:
                self._known()[sha256] = num_bytes
                self._damaged.discard(sha256)
        self._forget_unused()
        return sha256

    def has(self, sha256: str) -> bool:
        """Return whether the address holds a file of this hash."""
        with self._guard:
            return is_sha256(sha256) and sha256 in self._known()

    def state(self, sha256: str) -> BlobState:
        """Return what is known without fetching the file; that it is damaged shows when somebody wants it."""
        if not self.has(sha256):
            return BlobState.MISSING
        return BlobState.DAMAGED if sha256 in self._damaged else BlobState.PRESENT

    def verify(self, sha256: str) -> BlobState:
        """Read the file where it lies, not its copy here."""
        if not is_sha256(sha256):
            return BlobState.MISSING
        try:
            is_whole = self._place.sha256(blob_name(sha256, self._suffix)) == sha256
        except FileNotFoundError:
            self._forget(sha256)
            return BlobState.MISSING
        if not is_whole:
            self._damaged.add(sha256)
        return BlobState.PRESENT if is_whole else BlobState.DAMAGED

    def path(self, sha256: str) -> Path:
        """Return where the file lies here, fetched if need be."""
        state = self.state(sha256)
        if state is not BlobState.PRESENT:
            raise not_stored(state)
        self._used_s[sha256] = time.monotonic()
        with self._turn(sha256):  # who comes second finds it here
            if self._cache.state(sha256) is not BlobState.PRESENT:
                self._fetch(sha256)
        return self._cache.path(sha256)

    def num_bytes(self, sha256: str) -> int:
        """Return the size of a file; 0 if it is not there."""
        with self._guard:
            return self._known().get(sha256, 0)

    def entries(self) -> Iterator[BlobEntry]:
        """Yield every file that the address holds now."""
        for sha256, num_bytes in self._listing().items():
            yield BlobEntry(sha256, num_bytes, self._place.modified_s(blob_name(sha256, self._suffix)))

    def total_bytes(self) -> int:
        """Return how much the address holds."""
        with self._guard:
            return sum(self._known().values())

    def remove(self, sha256: str, *, stored_before_s: float = math.inf) -> bool:
        """Remove a file there and here, unless it was stored since; nobody sends it in between."""
        name = blob_name(sha256, self._suffix)
        with self._turn(sha256):
            if stored_before_s < math.inf and self._modified_s(name) >= stored_before_s:
                return False
            self._place.remove(name)
            self._forget(sha256, stored_before_s=stored_before_s)
        return True

    def _modified_s(self, name: str) -> float:
        try:
            return self._place.modified_s(name)
        except FileNotFoundError:
            return float("-inf")

    def _turn(self, sha256: str) -> threading.Lock:
        return self._turns[int(sha256[:8], 16) % _NUM_TURNS]

    def _known(self) -> dict[str, int]:
        if self._sizes is None:
            self._sizes = self._listing()
        return self._sizes

    def _listing(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for name, num_bytes in self._place.sizes("").items():
            sha256 = Path(name).name.removesuffix(self._suffix)
            if is_sha256(sha256) and name == blob_name(sha256, self._suffix):
                found[sha256] = num_bytes
        return found

    def _fetch(self, sha256: str) -> None:
        try:
            found = self._cache.add(lambda path: self._place.get(blob_name(sha256, self._suffix), path))
        except FileNotFoundError as error:
            self._forget(sha256)
            raise not_stored(BlobState.MISSING) from error
        if found != sha256:
            self._cache.remove(found)
            if self.verify(sha256) is BlobState.DAMAGED:
                raise not_stored(BlobState.DAMAGED)
            raise PlaceError(f"The sound {sha256[:12]} did not come whole from {self._place.address}. Try again.")
        self._forget_unused()

    def _forget(self, sha256: str, *, stored_before_s: float = math.inf) -> None:
        with self._guard:
            self._known().pop(sha256, None)
            self._damaged.discard(sha256)
            self._used_s.pop(sha256, None)
        self._cache.remove(sha256, stored_before_s=stored_before_s)

    def _forget_unused(self) -> None:
        """Keep the copies on this machine within their limit; the address has them all."""
        if self._cache.total_bytes() <= self._max_cache_bytes:
            return
        now_s = time.monotonic()
        for entry in sorted(self._cache.entries(), key=lambda entry: self._used_s.get(entry.sha256, 0.0)):
            is_spared = now_s - self._used_s.get(entry.sha256, float("-inf")) < _SPARED_S
            if is_spared or self._cache.total_bytes() <= self._max_cache_bytes:
                return
            self._cache.remove(entry.sha256)
            self._used_s.pop(entry.sha256, None)
