"""Files by hash in a folder.

A file is written under a temporary name in the folder where it will stay, flushed to the disk, and renamed; then the
folder is flushed too. Only after that may a row name it.
"""

import errno
import hashlib
import math
import os
import secrets
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from sessions.blobs import BlobEntry, BlobState, BlobStore, blob_name, is_sha256, not_stored, refuse_beyond
from sessions.errors import DiskError, StorageFullError

_TEMPORARY_PREFIX = ".writing-"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# What broken, unplugged, read-only and forbidden disks say; anything else may be a fault of ours and is left as it is.
_NO_DISK = {errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENXIO, errno.ENODEV, errno.ESTALE}
_MAX_LOOKED_AT = 20_000


class LocalBlobs(BlobStore):
    """Files called `<first two digits>/<sha256><suffix>` under one folder. Any thread may use it."""

    def __init__(self, folder: Path, *, suffix: str = ".flac", max_total_bytes: int | None = None) -> None:
        """Open a store, made when the first file comes.

        Args:
            folder: where the files lie.
            suffix: of every file, so that servers and programs know the format.
            max_total_bytes: how much it may hold; None for as much as the disk does.
        """
        self._folder = folder
        self._suffix = suffix
        self._max_total_bytes = max_total_bytes
        self._guard = threading.Lock()
        self._total_bytes: int | None = None
        # Whether a file is what its name says is found out once, and again when the file was changed. Only of the last
        # ones it stays known: a store may hold millions.
        self._looked_at: dict[str, tuple[tuple[int, int], BlobState]] = {}

    def remove_leftovers(self) -> int:
        """Remove what a crash left half written and return how many there were; no other process may be writing."""
        leftovers = list(self._folder.glob(f"{_TEMPORARY_PREFIX}*"))
        for leftover in leftovers:
            leftover.unlink()
        return len(leftovers)

    def add(self, write: Callable[[Path], object]) -> str:
        """Store what `write` writes: written, flushed, renamed, and the folder flushed, too."""
        temporary = self._folder / f"{_TEMPORARY_PREFIX}{secrets.token_hex(8)}{self._suffix}"
        try:
            with saying_what_disks_say():
                self._folder.mkdir(parents=True, exist_ok=True)
                write(temporary)
                with temporary.open("rb") as file:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                    os.fsync(file.fileno())
                self._keep(temporary, sha256)
        finally:
            temporary.unlink(missing_ok=True)
        return sha256

    def has(self, sha256: str) -> bool:
        """Return whether there is a file of this hash."""
        return is_sha256(sha256) and self._place(sha256).is_file()

    def state(self, sha256: str) -> BlobState:
        """Return whether the file of this hash is there and is what it was; read through once, then known."""
        if not self.has(sha256):
            return BlobState.MISSING
        try:
            status = self._place(sha256).stat()
            signature = (status.st_mtime_ns, status.st_size)
            known = self._looked_at.get(sha256)
            if known is not None and known[0] == signature:
                return known[1]
            with self._place(sha256).open("rb") as file:
                is_whole = hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except FileNotFoundError:
            return BlobState.MISSING
        except OSError:  # a disk that can't read it any more
            return BlobState.DAMAGED
        state = BlobState.PRESENT if is_whole else BlobState.DAMAGED
        self._note(sha256, signature, state)
        return state

    def verify(self, sha256: str) -> BlobState:
        """Read the file through, whatever is known of it."""
        with self._guard:
            self._looked_at.pop(sha256, None)
        return self.state(sha256)

    def path(self, sha256: str) -> Path:
        """Return where the file of this hash lies."""
        state = self.state(sha256)
        if state is not BlobState.PRESENT:
            raise not_stored(state)
        return self._place(sha256)

    def num_bytes(self, sha256: str) -> int:
        """Return the size of a file; 0 if it is not there."""
        return self._place(sha256).stat().st_size if self.has(sha256) else 0

    def entries(self) -> Iterator[BlobEntry]:
        """Yield every file, whatever is in it."""
        for path in self._folder.glob(f"[0-9a-f][0-9a-f]/*{self._suffix}"):
            if is_sha256(path.name.removesuffix(self._suffix)):
                status = path.stat()
                yield BlobEntry(path.name.removesuffix(self._suffix), status.st_size, status.st_mtime)

    def total_bytes(self) -> int:
        """Return how much is stored; counted once, then kept up to date."""
        with self._guard:
            return self._count_once()

    def remove(self, sha256: str, *, stored_before_s: float = math.inf) -> bool:
        """Remove a file that no row names, unless it was stored since; nobody stores it in between."""
        with self._guard:
            num_bytes = self.num_bytes(sha256)
            if self.has(sha256) and self._place(sha256).stat().st_mtime >= stored_before_s:
                return False
            self._place(sha256).unlink(missing_ok=True)
            self._looked_at.pop(sha256, None)
            self._total_bytes = self._count_once() if self._total_bytes is None else self._total_bytes - num_bytes
            return True

    def _note(self, sha256: str, signature: tuple[int, int], state: BlobState) -> None:
        with self._guard:
            self._looked_at[sha256] = (signature, state)
            while len(self._looked_at) > _MAX_LOOKED_AT:
                del self._looked_at[next(iter(self._looked_at))]

    def _place(self, sha256: str) -> Path:
        return self._folder / blob_name(sha256, self._suffix)

    def _count_once(self) -> int:
        if self._total_bytes is None:
            self._total_bytes = sum(entry.num_bytes for entry in self.entries())
        return self._total_bytes

    def _keep(self, temporary: Path, sha256: str) -> None:
        place = self._place(sha256)
        with self._guard:
            total_bytes = self._count_once() - self.num_bytes(sha256) + temporary.stat().st_size
            refuse_beyond(total_bytes, self._max_total_bytes)
            if not place.parent.is_dir():
                place.parent.mkdir(exist_ok=True)
                flush_folder(self._folder)
            # The temporary lies one folder up, in the same file system, so that the rename is atomic.
            temporary.replace(place)
            self._total_bytes = total_bytes
        flush_folder(place.parent)


@contextmanager
def saying_what_disks_say() -> Generator[None]:
    """Say of a disk that is full, broken or not to be written what it is, in words that users understand.

    Raises:
        StorageFullError: in place of the error with which the system says that there is no room.
        DiskError: in place of those with which it says that the disk does not do its work.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFullError(
                "The disk of the studio's server is full, so this could not be saved. What was saved before is "
                "there. Whoever runs it can make room."
            ) from error
        if error.errno in _NO_DISK:
            raise DiskError(
                f"The disk of the studio's server does not do its work ({os.strerror(error.errno)}), so this could not "
                "be saved. What was saved before is as it was. Whoever runs it must look at the disk."
            ) from error
        raise


def flush_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
