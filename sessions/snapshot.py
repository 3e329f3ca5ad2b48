"""Copies of everything in another place: a folder, or any address that fsspec knows.

    latest.json                  which database is the newest; written last, so that it never names half a copy
    databases/<ms>.sqlite        the last few, and the last of each of the last days
    databases/<ms>.sounds.json   which sounds that database names
    audio/<2 digits>/<sha256>.flac
    files/<name>                 small files that belong to the data

A copy is made while the studio runs: the database first, at one moment; then every sound that it names and that is not
there yet; then the word that it is whole. It has the same form wherever the rows and sounds lie, so that it can be
brought back anywhere: a database of Postgres is copied as a file of SQLite.
"""

import hashlib
import json
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

from sqlalchemy.exc import DBAPIError

from sessions.blobs import BlobState, BlobStore, blob_name, is_sha256
from sessions.database import Database
from sessions.errors import AudioNotFoundError, PlaceError, SnapshotError
from sessions.folder_lock import FolderLock
from sessions.home import DataHome
from sessions.local_blobs import saying_what_disks_say
from sessions.place import Place

LATEST_NAME = "latest.json"
SWEEP_GRACE_S = 24 * 3600.0
_NUM_DATABASES = 5
_NUM_DAYS = 7
_DAY_MS = 86_400_000
_DATABASE = re.compile(r"databases/([0-9]{1,20})\.sqlite")
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
            self._place = Place(address)
        except PlaceError as error:
            raise SnapshotError(f"Snapshots can't go there: {error}") from error
        self._known_sounds: set[str] | None = None
        self._own_latest: SnapshotInfo | None = None

    def latest(self) -> SnapshotInfo | None:
        """Return the newest whole copy; None if there is none.

        Raises:
            SnapshotError: if the place can't be read, or what is there is no snapshot.
        """
        try:
            stored = json.loads(self._place.read(LATEST_NAME))
            given: dict[str, Any] = {**stored, "missing": tuple(stored["missing"]), "files": tuple(stored["files"])}
            info = SnapshotInfo(**given)
            is_ours = _DATABASE.fullmatch(info.database) and all(_FILE.fullmatch(name) for name in info.files)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise SnapshotError(f"What lies at {self.address} is no snapshot of StemGen.") from error
        except PlaceError as error:
            raise SnapshotError(f"The snapshots can't be read: {error}") from error
        if not is_ours:
            raise SnapshotError(f"What lies at {self.address} is no snapshot of StemGen.")
        return info

    def save(self, database: Database, blobs: BlobStore, small_files: Sequence[Path] = ()) -> SnapshotInfo:
        """Make a copy of everything, whatever is going on meanwhile.

        Args:
            database: the sessions.
            blobs: their sounds.
            small_files: further files; those that are not there are passed over.

        Raises:
            SnapshotError: if it can't be written; the copy before stays the newest.
        """
        try:
            with tempfile.TemporaryDirectory(prefix="stemgen-snapshot-") as folder:
                copy = Path(folder) / "copy.sqlite"
                database.copy_to(copy)
                return self._upload(copy, blobs, [path for path in small_files if path.is_file()])
        except (PlaceError, OSError, DBAPIError, sqlite3.Error) as error:
            raise SnapshotError(f"The snapshot could not be written to {self.address}: {error}") from error

    def restore(self, home: DataHome) -> SnapshotInfo:
        """Bring the newest copy to a home without sessions. Cut short, it can be begun again.

        Raises:
            SnapshotError: if there is no copy, it is damaged, or there are sessions already.
            DataFolderBusyError: if a server uses the home.
            DatabaseError: if the copy was made by a newer version, or the home's database can't be opened.
            PlaceError: if the home's sounds lie at an address that can't be used.
            StorageFullError: if the disk is full.
            DiskError: if the disk can't be written.
        """
        info = self.latest()
        if info is None:
            raise SnapshotError(f"There is no snapshot at {self.address}.")
        lock = FolderLock(home.folder)
        try:
            if home.holds_sessions():
                raise SnapshotError(
                    f"There are sessions at {home.folder} already. Move them away, or choose another folder."
                )
            with saying_what_disks_say():
                self._download(info, home, home.open_blobs())
        finally:
            lock.release()
        return info

    def sweep(self, *, grace_s: float = SWEEP_GRACE_S) -> int:
        """Remove sounds that no database of the snapshot names and that came longer ago than the grace.

        Returns:
            How many there were.

        Raises:
            SnapshotError: if the place can't be read or changed.
        """
        try:
            needed = frozenset[str]().union(*(self._sounds_of(name) for name in self._databases()))
            here = self._sounds_here()
            num_swept = 0
            for sha256 in sorted(here - needed):
                # A copy that is being made may have brought it, and its database comes after it.
                if time.time() - self._place.modified_s(_sound_name(sha256)) > grace_s:
                    self._place.remove(_sound_name(sha256))
                    here.discard(sha256)
                    num_swept += 1
        except (PlaceError, OSError) as error:
            raise SnapshotError(f"Old sounds at {self.address} could not be removed: {error}") from error
        self._known_sounds = here
        return num_swept

    def _upload(self, copy: Path, blobs: BlobStore, small_files: Sequence[Path]) -> SnapshotInfo:
        known = self._sounds_known_here()
        missing: list[str] = []
        named = named_sounds(copy)
        for sha256 in sorted(named - known):
            try:
                self._place.put(blobs.path(sha256), _sound_name(sha256))
                known.add(sha256)
            except AudioNotFoundError:
                missing.append(sha256)
        for path in small_files:
            self._place.put(path, f"files/{path.name}")
        now_ms = time.time_ns() // 1_000_000
        info = SnapshotInfo(
            database=f"databases/{now_ms}.sqlite",
            database_sha256=_hash_file(copy),
            created_ms=now_ms,
            num_sounds=len(named) - len(missing),
            missing=tuple(missing),
            files=tuple(path.name for path in small_files),
        )
        self._put_json(copy.with_name("sounds.json"), sorted(named), _list_name(info.database))
        self._place.put(copy, info.database)
        stored = {name: getattr(info, name) for name in info.__slots__}
        self._put_json(copy.with_name(LATEST_NAME), stored, LATEST_NAME)
        self._own_latest = info
        self._forget_old_databases(now_ms)
        return info

    def _put_json(self, path: Path, content: Any, name: str) -> None:
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
        self._place.put(path, name)

    def _download(self, info: SnapshotInfo, home: DataHome, blobs: BlobStore) -> None:
        blobs.remove_leftovers()
        fetched = home.folder / f".restoring-{secrets.token_hex(4)}.sqlite"
        try:
            self._get(info.database, fetched)
            if _hash_file(fetched) != info.database_sha256:
                raise SnapshotError(f"The snapshot at {self.address} is damaged: its database has changed.")
            for sha256 in sorted(named_sounds(fetched) - set(info.missing)):
                if blobs.state(sha256) is not BlobState.PRESENT:
                    found = blobs.add(lambda path, sha256=sha256: self._get(_sound_name(sha256), path))
                    if found != sha256:
                        raise SnapshotError(f"The snapshot at {self.address} is damaged: the sound {sha256[:12]}.")
            for name in info.files:
                place = home.folder / name
                if not place.exists():
                    self._get(f"files/{name}", place)
                    place.chmod(0o600)
            home.take_in(fetched)  # last: a home with a database is a restored one
        finally:
            fetched.unlink(missing_ok=True)

    def _get(self, name: str, target: Path) -> None:
        try:
            self._place.get(name, target)
        except (PlaceError, FileNotFoundError) as error:
            raise SnapshotError(f"{name} of the snapshot at {self.address} can't be read: {error}") from error

    def _sounds_here(self) -> set[str]:
        return {Path(name).stem for name in self._place.sizes("audio") if name == _sound_name(Path(name).stem)}

    def _sounds_known_here(self) -> set[str]:
        """Return the sounds that are here; listed anew when somebody else has written a copy meanwhile."""
        if self._known_sounds is None or self.latest() != self._own_latest:
            self._known_sounds = self._sounds_here()
        return self._known_sounds

    def _databases(self) -> list[str]:
        """Return the databases that are here, oldest first."""
        found = [name for name in self._place.sizes("databases") if _DATABASE.fullmatch(name)]
        return sorted(found, key=_created_ms)

    def _sounds_of(self, database: str) -> frozenset[str]:
        try:
            return _read_list(self._place.read(_list_name(database)))
        except FileNotFoundError:  # an earlier version wrote no list
            with tempfile.TemporaryDirectory(prefix="stemgen-snapshot-") as folder:
                fetched = Path(folder) / "copy.sqlite"
                self._get(database, fetched)
                return named_sounds(fetched)

    def _forget_old_databases(self, now_ms: int) -> None:
        names = self._databases()
        last_of_day = {_created_ms(name) // _DAY_MS: name for name in names}  # later ones replace earlier ones
        first_day = now_ms // _DAY_MS - _NUM_DAYS + 1
        kept = {name for day, name in last_of_day.items() if day >= first_day} | set(names[-_NUM_DATABASES:])
        for name in names:
            if name not in kept:
                self._place.remove(name)
                self._place.remove(_list_name(name))


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


def _read_list(content: bytes) -> frozenset[str]:
    try:
        hashes: Any = json.loads(content)
    except ValueError:
        hashes = None
    found = cast(list[Any], hashes if isinstance(hashes, list) else [None])
    if not all(isinstance(one, str) and is_sha256(one) for one in found):
        raise SnapshotError("The snapshot is damaged: what lies beside a database is no list of sounds.")
    return frozenset(found)


def _sound_name(sha256: str) -> str:
    return f"audio/{blob_name(sha256, '.flac')}"


def _list_name(database: str) -> str:
    return f"{database.removesuffix('.sqlite')}.sounds.json"


def _created_ms(database: str) -> int:
    return int(database.removeprefix("databases/").removesuffix(".sqlite"))


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
