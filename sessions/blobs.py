"""Audio files by the hash of their bytes, outside the database.

A file is written under a temporary name in the folder where it will stay, flushed to the disk, and renamed; then the
folder is flushed too. Only after that may a row name it. So a crash leaves at worst a file that no row names.
"""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from sessions.errors import AudioNotFoundError

_TEMPORARY_PREFIX = ".writing-"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """Files called `<first two digits>/<sha256><suffix>` under one folder."""

    def __init__(self, folder: Path, *, suffix: str = ".flac") -> None:
        """Open a store, made when the first file comes.

        Args:
            folder: where the files lie.
            suffix: of every file, so that servers and programs know the format.
        """
        self._folder = folder
        self._suffix = suffix

    def remove_leftovers(self) -> int:
        """Remove what a crash left half written and return how many there were; no other process may be writing."""
        leftovers = list(self._folder.glob(f"{_TEMPORARY_PREFIX}*"))
        for leftover in leftovers:
            leftover.unlink()
        return len(leftovers)

    def add(self, write: Callable[[Path], object]) -> str:
        """Store what `write` writes.

        Args:
            write: is given a path with the store's suffix at which nothing is yet, and must create a file there.

        Returns:
            The sha256 of the file's bytes; the same bytes are stored once.

        Raises:
            Exception: whatever `write` raises; nothing is stored then.
            OSError: if the disk is full or can't be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = self._folder / f"{_TEMPORARY_PREFIX}{secrets.token_hex(8)}{self._suffix}"
        try:
            write(temporary)
            with temporary.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
            self._keep(temporary, self._place(sha256))
        finally:
            temporary.unlink(missing_ok=True)
        return sha256

    def add_bytes(self, content: bytes) -> str:
        """Store `content` and return its sha256."""
        return self.add(lambda path: path.write_bytes(content))

    def add_file(self, source: Path) -> str:
        """Store a copy of the file at `source` and return its sha256."""
        return self.add(lambda path: shutil.copyfile(source, path))

    def has(self, sha256: str) -> bool:
        """Return whether there is a file of this hash."""
        return _SHA256.fullmatch(sha256) is not None and self._place(sha256).is_file()

    def path(self, sha256: str) -> Path:
        """Return where the file of this hash lies.

        Raises:
            AudioNotFoundError: if `sha256` is no hash, or its file is not on the disk.
        """
        if not self.has(sha256):
            raise AudioNotFoundError("This audio is not stored here (any more).")
        return self._place(sha256)

    def _place(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / f"{sha256}{self._suffix}"

    def _keep(self, temporary: Path, place: Path) -> None:
        if not place.parent.is_dir():
            place.parent.mkdir(exist_ok=True)
            _flush_folder(self._folder)
        # The temporary lies one folder up, in the same file system, so that the rename is atomic.
        temporary.replace(place)
        _flush_folder(place.parent)


def _flush_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
