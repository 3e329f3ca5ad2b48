"""Copies of everything in another place: a folder, or any address that fsspec knows.

    latest.json                  which database is the newest; written last, so that it never names half a copy
    databases/<ms>.sqlite        the last few
    audio/<2 digits>/<sha256>.flac
    files/<name>                 small files that belong to the data

A copy is made while the studio runs: the database first, at one moment; then every sound that it names and that is not
there yet; then the word that it is whole. Sounds are never removed from it.
"""

import hashlib
import json
import os
import re
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import fsspec  # pyright: ignore[reportMissingTypeStubs]
from sqlalchemy import Engine

from sessions.blobs import BlobState, BlobStore, flush_folder, saying_when_full
from sessions.database import back_up
from sessions.errors import SnapshotError
from sessions.folder_lock import FolderLock

LATEST_NAME = "latest.json"
_NUM_DATABASES = 5
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DATABASE = re.compile(r"databases/[0-9]{1,20}\.sqlite")
_FILE = re.compile(r"[a-z][a-z0-9.-]{0,40}")


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """What one copy holds.

    Attributes:
        database: name of the database in the snapshot.
        database_sha256: of its bytes.
        created_ms: Unix time.
        num_sounds: sounds that its rows name and that came along.
        missing: hashes of sounds that its rows name and that were missing or damaged.
        files: names of the small files.
    """

    database: str
    database_sha256: str
    created_ms: int
    num_sounds: int
    missing: tuple[str, ...]
    files: tuple[str, ...]


class SnapshotFolder:
    """A place for copies."""

    def __init__(self, address: str) -> None:
        """Look at an address; nothing is written yet.

        Raises:
            SnapshotError: if it can't be understood, or a package for it is not installed.
        """
        self.address = address
        try:
            found = cast("tuple[Any, str]", fsspec.core.url_to_fs(address))  # pyright: ignore[reportUnknownMemberType]
        except (ImportError, ValueError) as error:
            raise SnapshotError(f"Snapshots can't go to {address!r}: {error}") from error
        self._files, self._root = found[0], found[1].rstrip("/")
        self._known_sounds: set[str] | None = None

    def latest(self) -> SnapshotInfo | None:
        """Return the newest whole copy; None if there is none.

        Raises:
            SnapshotError: if the place can't be read, or what is there is no snapshot.
        """
        try:
            stored = json.loads(self._files.cat_file(self._at(LATEST_NAME)))
            given: dict[str, Any] = {**stored, "missing": tuple(stored["missing"]), "files": tuple(stored["files"])}
            info = SnapshotInfo(**given)
            is_ours = _DATABASE.fullmatch(info.database) and all(_FILE.fullmatch(name) for name in info.files)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise SnapshotError(f"What lies at {self.address} is no snapshot of StemGen.") from error
        except Exception as error:  # each of fsspec's back ends has errors of its own
            raise SnapshotError(f"The snapshots at {self.address} can't be read: {error}") from error
        if not is_ours:
            raise SnapshotError(f"What lies at {self.address} is no snapshot of StemGen.")
        return info

    def save(self, engine: Engine, blobs: BlobStore, small_files: Sequence[Path] = ()) -> SnapshotInfo:
        """Make a copy of everything, whatever is going on meanwhile.

        Args:
            engine: of the sessions.
            blobs: their sounds.
            small_files: further files; those that are not there are passed over.

        Raises:
            SnapshotError: if it can't be written; the copy before stays the newest.
        """
        try:
            with tempfile.TemporaryDirectory(prefix="stemgen-snapshot-") as folder:
                copy = Path(folder) / "copy.sqlite"
                back_up(engine, copy)
                return self._upload(copy, blobs, [path for path in small_files if path.is_file()])
        except SnapshotError:
            raise
        except Exception as error:  # each of fsspec's back ends has errors of its own
            raise SnapshotError(f"The snapshot could not be written to {self.address}: {error}") from error

    def restore(self, data_folder: Path, *, database_name: str, audio_folder: str) -> SnapshotInfo:
        """Bring the newest copy into a data folder without sessions. Cut short, it can be begun again.

        Raises:
            SnapshotError: if there is no copy, it is damaged, or there are sessions in the folder already.
            DataFolderBusyError: if a server uses the folder.
            StorageFullError: if the disk is full.
        """
        info = self.latest()
        if info is None:
            raise SnapshotError(f"There is no snapshot at {self.address}.")
        data_folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(data_folder)
        try:
            if (data_folder / database_name).exists():
                raise SnapshotError(
                    f"There are sessions at {data_folder} already. Move {database_name} away, or choose another folder."
                )
            with saying_when_full():
                self._download(info, data_folder, database_name, BlobStore(data_folder / audio_folder))
        finally:
            lock.release()
        return info

    def _upload(self, copy: Path, blobs: BlobStore, small_files: Sequence[Path]) -> SnapshotInfo:
        if self._known_sounds is None:
            found = self._files.find(self._at("audio"))
            self._known_sounds = {Path(name).stem for name in found if _SHA256.fullmatch(Path(name).stem)}
        missing: list[str] = []
        named = named_sounds(copy)
        for sha256 in sorted(named - self._known_sounds):
            if blobs.state(sha256) is BlobState.PRESENT:
                self._put(blobs.path(sha256), _sound_name(sha256))
                self._known_sounds.add(sha256)
            else:
                missing.append(sha256)
        for path in small_files:
            self._put(path, f"files/{path.name}")
        now_ms = time.time_ns() // 1_000_000
        with copy.open("rb") as file:
            database_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        info = SnapshotInfo(
            database=f"databases/{now_ms}.sqlite",
            database_sha256=database_sha256,
            created_ms=now_ms,
            num_sounds=len(named) - len(missing),
            missing=tuple(missing),
            files=tuple(path.name for path in small_files),
        )
        self._put(copy, info.database)
        word = copy.with_name(LATEST_NAME)
        word.write_text(json.dumps({name: getattr(info, name) for name in info.__slots__}, indent=1), encoding="utf-8")
        self._put(word, LATEST_NAME)
        self._forget_old_databases()
        return info

    def _download(self, info: SnapshotInfo, data_folder: Path, database_name: str, blobs: BlobStore) -> None:
        blobs.remove_leftovers()
        fetched = data_folder / f".restoring-{secrets.token_hex(4)}.sqlite"
        try:
            self._get(info.database, fetched)
            with fetched.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != info.database_sha256:
                    raise SnapshotError(f"The snapshot at {self.address} is damaged: its database has changed.")
            for sha256 in sorted(named_sounds(fetched) - set(info.missing)):
                if blobs.state(sha256) is not BlobState.PRESENT:
                    found = blobs.add(lambda path, sha256=sha256: self._get(_sound_name(sha256), path))
                    if found != sha256:
                        raise SnapshotError(f"The snapshot at {self.address} is damaged: the sound {sha256[:12]}.")
            for name in info.files:
                place = data_folder / name
                if not place.exists():
                    self._get(f"files/{name}", place)
                    place.chmod(0o600)
            with fetched.open("rb") as file:
                os.fsync(file.fileno())
            fetched.rename(data_folder / database_name)  # last: a folder with a database is a restored one
            flush_folder(data_folder)
        finally:
            fetched.unlink(missing_ok=True)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _put(self, source: Path, name: str) -> None:
        # Under another name first: not every place shows a file only when it is whole.
        writing = self._at(f"writing/{secrets.token_hex(8)}")
        for folder in (writing, self._at(name)):
            self._files.makedirs(self._files._parent(folder), exist_ok=True)
        self._files.put_file(str(source), writing)
        self._files.mv(writing, self._at(name))

    def _get(self, name: str, target: Path) -> None:
        try:
            self._files.get_file(self._at(name), str(target))
        except Exception as error:  # each of fsspec's back ends has errors of its own
            raise SnapshotError(f"{name} of the snapshot at {self.address} can't be read: {error}") from error

    def _forget_old_databases(self) -> None:
        names = sorted(self._files.ls(self._at("databases"), detail=False, refresh=True))
        for name in names[:-_NUM_DATABASES]:
            self._files.rm_file(name)


def named_sounds(database: Path) -> frozenset[str]:
    """Return the hash of every sound that the rows of a database file name.

    Raises:
        SnapshotError: if the file is damaged.
    """
    query = "SELECT audio_sha256 FROM node UNION SELECT audio_sha256 FROM variation"
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as connection:
            problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if problem != "ok":
                raise SnapshotError(f"The copied database is damaged: {problem}.")
            return frozenset(sha256 for (sha256,) in connection.execute(query) if sha256 is not None)
    except sqlite3.DatabaseError as error:
        raise SnapshotError(f"The copied database is damaged: {error}.") from error


def _sound_name(sha256: str) -> str:
    return f"audio/{sha256[:2]}/{sha256}.flac"
