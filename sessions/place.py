"""A folder, or any address that fsspec knows, as a place to put files."""

import hashlib
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import fsspec  # pyright: ignore[reportMissingTypeStubs]

from sessions.errors import PlaceError

_WRITING = "writing"
_CHUNK_BYTES = 1 << 20


class Place:
    """Files by name at an address. Any thread may use it.

    Attributes:
        address: as it was given.
        folder: where the files lie, if that is a folder of this machine; else None.
    """

    def __init__(self, address: str) -> None:
        """Look at an address; nothing is written yet.

        Raises:
            PlaceError: if it can't be understood, or a package for it is not installed.
        """
        self.address = address
        try:
            found = cast("tuple[Any, str]", fsspec.core.url_to_fs(address))  # pyright: ignore[reportUnknownMemberType]
        except (ImportError, ValueError) as error:
            raise PlaceError(f"{address!r} can't be used as a place for files: {error}") from error
        self._files, self._root = found[0], found[1].rstrip("/")
        self.folder = Path(found[1]) if "file" in _protocols(self._files) else None

    def put(self, source: Path, name: str) -> None:
        """Write a file; whoever looks sees all of it, or what was there before.

        Raises:
            PlaceError: if it can't be written.
        """
        # Under another name first: not every place shows a file only when it is whole.
        writing = self._at(f"{_WRITING}/{secrets.token_hex(8)}")
        with self._in_words("can't be written"):
            for file in (writing, self._at(name)):
                self._files.makedirs(self._files._parent(file), exist_ok=True)
            self._files.put_file(str(source), writing)
            self._files.mv(writing, self._at(name))

    def get(self, name: str, target: Path) -> None:
        """Bring a file to this machine.

        Raises:
            FileNotFoundError: if there is no such file.
            PlaceError: if it can't be read.
        """
        with self._in_words(f"can't be read ({name})"):
            self._files.invalidate_cache(self._at(name))
            self._files.get_file(self._at(name), str(target))

    def read(self, name: str) -> bytes:
        """Return what is in a file.

        Raises:
            FileNotFoundError: if there is no such file.
            PlaceError: if it can't be read.
        """
        with self._in_words(f"can't be read ({name})"):
            return self._files.cat_file(self._at(name))

    def sha256(self, name: str) -> str:
        """Return the hash of a file's bytes.

        Raises:
            FileNotFoundError: if there is no such file.
            PlaceError: if it can't be read.
        """
        digest = hashlib.sha256()
        with self._in_words(f"can't be read ({name})"):
            self._files.invalidate_cache(self._at(name))  # it may be another file by now
            with self._files.open(self._at(name), "rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
        return digest.hexdigest()

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the name and size in bytes of every file below a folder, as they are now; none if there is no folder.

        Raises:
            PlaceError: if the place can't be read, or is in a bucket that is not there.
        """
        found: dict[str, dict[str, Any]] = {}
        with self._in_words("can't be read"):
            self._files.invalidate_cache()
            try:
                found = self._files.find(self._at(folder), detail=True)
            except FileNotFoundError as error:
                if not self._files.exists(self._files._parent(self._root)):
                    raise PlaceError(f"{self.address} can't be read: {error}") from error
        return {name.removeprefix(f"{self._root}/"): int(info["size"]) for name, info in found.items()}

    def modified_s(self, name: str) -> float:
        """Return the Unix time at which a file was written last.

        Raises:
            FileNotFoundError: if there is no such file.
            PlaceError: if the place can't say.
        """
        with self._in_words(f"can't be read ({name})"):
            return cast(datetime, self._files.modified(self._at(name))).timestamp()

    def remove(self, name: str) -> None:
        """Remove a file; one that isn't there is no error.

        Raises:
            PlaceError: if it can't be removed.
        """
        with self._in_words(f"can't be changed ({name})"):
            try:
                self._files.rm_file(self._at(name))
            except FileNotFoundError:
                return

    def remove_leftovers(self) -> int:
        """Remove what a crash left half written and return how many files there were.

        Raises:
            PlaceError: if the place can't be read or changed.
        """
        leftovers = self.sizes(_WRITING)
        for name in leftovers:
            self.remove(name)
        return len(leftovers)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _in_words(self, what: str) -> Generator[None]:
        try:
            yield
        except (FileNotFoundError, PlaceError):
            raise
        except Exception as error:  # each of fsspec's back ends has errors of its own
            raise PlaceError(f"{self.address} {what}: {error}") from error


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
