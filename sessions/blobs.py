"""Audio files by the hash of their bytes, outside the database.

A file must be stored whole before a row may name it. So a crash leaves at worst a file that no row names. They lie in a
folder (`sessions.local_blobs`) or at an address (`sessions.remote_blobs`); `sessions.home` says where a studio has its.
"""

import math
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from sessions.errors import AudioNotFoundError, StorageFullError

_SHA256 = re.compile(r"[0-9a-f]{64}")


class BlobState(StrEnum):
    """What became of a file that a row names."""

    PRESENT = "present"
    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """One file of a store.

    Attributes:
        sha256: what its name says.
        num_bytes: its size.
        modified_s: Unix time at which it was stored last.
    """

    sha256: str
    num_bytes: int
    modified_s: float


class BlobStore(Protocol):
    """Files by hash. Any thread may use it."""

    def remove_leftovers(self) -> int:
        """Remove what a crash left half written and return how many there were; no other process may be writing."""
        ...

    def add(self, write: Callable[[Path], object]) -> str:
        """Store what `write` writes.

        Args:
            write: is given a path with the store's suffix at which nothing is yet, and must create a file there.

        Returns:
            The sha256 of the file's bytes; the same bytes are stored once.

        Raises:
            Exception: whatever `write` raises; nothing is stored then.
            StorageFullError: if the disk is full, or as much is stored as may be.
            DiskError: if the disk is broken or can't be written.
            PlaceError: if the address where the files lie can't be written.
        """
        ...

    def add_bytes(self, content: bytes) -> str:
        """Store `content` and return its sha256."""
        return self.add(lambda path: path.write_bytes(content))

    def add_file(self, source: Path) -> str:
        """Store a copy of the file at `source` and return its sha256."""
        return self.add(lambda path: shutil.copyfile(source, path))

    def has(self, sha256: str) -> bool:
        """Return whether there is a file of this hash."""
        ...

    def state(self, sha256: str) -> BlobState:
        """Return whether the file of this hash is there and is what it was, as far as can be told at once."""
        ...

    def verify(self, sha256: str) -> BlobState:
        """Read the file of this hash where it lies, and return whether it is there and is what it was.

        Raises:
            PlaceError: if the address where the files lie can't be read.
        """
        ...

    def path(self, sha256: str) -> Path:
        """Return where the file of this hash can be read on this machine, for the next minutes at least.

        Raises:
            AudioNotFoundError: if `sha256` is no hash, its file is not stored, or no longer what it was.
            PlaceError: if the address where the files lie can't be read.
        """
        ...

    def num_bytes(self, sha256: str) -> int:
        """Return the size of a file; 0 if it is not there."""
        ...

    def entries(self) -> Iterator[BlobEntry]:
        """Yield every file, whatever is in it."""
        ...

    def total_bytes(self) -> int:
        """Return how much is stored; counted once, then kept up to date."""
        ...

    def remove(self, sha256: str, *, stored_before_s: float = math.inf) -> bool:
        """Remove a file that no row names; one that isn't there is no error.

        Args:
            sha256: of the file.
            stored_before_s: Unix time; a file that was stored since, or again since, stays: its row may be on its way.

        Returns:
            Whether it is gone.
        """
        ...


def is_sha256(text: str) -> bool:
    """Return whether a text can be the hash of a file: nothing else ever becomes part of a path."""
    return _SHA256.fullmatch(text) is not None


def blob_name(sha256: str, suffix: str) -> str:
    """Return the name of a file below its store's folder."""
    return f"{sha256[:2]}/{sha256}{suffix}"


def refuse_beyond(total_bytes: int, max_total_bytes: int | None) -> None:
    """Refuse what would make a store larger than it may be.

    Raises:
        StorageFullError: if it would.
    """
    if max_total_bytes is not None and total_bytes > max_total_bytes:
        raise StorageFullError(
            f"The studio's storage is full ({max_total_bytes / 1e6:.0f} MB), so this could not be saved. "
            "Whoever runs it can make room."
        )


def not_stored(state: BlobState) -> AudioNotFoundError:
    """Return the error for a file that is missing or damaged."""
    if state is BlobState.DAMAGED:
        return AudioNotFoundError("The file of this audio is damaged on the server.")
    return AudioNotFoundError("This audio is not stored here (any more).")
