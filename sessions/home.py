"""Where the data of a studio are: a folder, and what may lie elsewhere."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from sessions.blobs import BlobStore
from sessions.database import Database
from sessions.errors import DatabaseError, DataFolderBusyError
from sessions.local_blobs import LocalBlobs, flush_folder
from sessions.migrations.upgrade import present_revision
from sessions.place import Place
from sessions.postgres_database import PostgresDatabase
from sessions.remote_blobs import RemoteBlobs
from sessions.sqlite_database import SqliteDatabase

DATABASE_NAME = "sessions.sqlite"
AUDIO_FOLDER = "audio"
CACHE_FOLDER = "audio-cache"


@dataclass(frozen=True, slots=True)
class DataHome:
    """Where a studio's data are. The only place that knows which kind of database and of blob store it is.

    Attributes:
        folder: of locks, backups and small files, and of everything that does not lie elsewhere.
        database_url: `postgresql://...`; empty for a file in the folder.
        blob_url: folder or fsspec address of the sounds; empty for one in the folder.
    """

    folder: Path
    database_url: str = field(default="", repr=False)  # holds a password
    blob_url: str = ""

    def open_database(self) -> Database:
        """Open the database as a server does; on Postgres, other servers are kept out until it is closed.

        Raises:
            DatabaseError: if it can't be opened or is not of this program.
            DataFolderBusyError: if another server uses a Postgres database.
        """
        return self._claimed_postgres() if self.database_url else SqliteDatabase(self.folder / DATABASE_NAME)

    def open_reader(self) -> Database:
        """Open the database only to read, also while a server writes to it.

        Raises:
            DatabaseError: if there is none, it can't be opened, or it is not of this program.
        """
        if self.database_url:
            return PostgresDatabase(self.database_url, may_write=False)
        return SqliteDatabase(self.folder / DATABASE_NAME, may_write=False)

    def open_blobs(self, *, max_total_bytes: int | None = None) -> BlobStore:
        """Open the sounds.

        Raises:
            PlaceError: if their address can't be understood, or a package for it is not installed.
        """
        if not self.blob_url:
            return LocalBlobs(self.folder / AUDIO_FOLDER, max_total_bytes=max_total_bytes)
        place = Place(self.blob_url)
        if place.folder is not None:  # a folder has what an address has not: flushing, and no need for copies
            return LocalBlobs(place.folder, max_total_bytes=max_total_bytes)
        return RemoteBlobs(place, self.folder / CACHE_FOLDER, max_total_bytes=max_total_bytes)

    def holds_sessions(self) -> bool:
        """Return whether there is a database with tables, be they empty.

        Raises:
            DatabaseError: if it can't be opened.
        """
        if not self.database_url:
            return (self.folder / DATABASE_NAME).exists()
        database = self.open_reader()
        try:
            return present_revision(database) is not None
        finally:
            database.close()

    def take_in(self, copy: Path) -> None:
        """Make a file of SQLite the database, all of it at once.

        Args:
            copy: in `folder`; may be gone afterwards.

        Raises:
            DatabaseError: if there are sessions already, or the copy was made by a newer version.
        """
        if self.database_url:
            database = self._claimed_postgres()
            try:
                database.fill_from(copy)
            finally:
                database.close()
            return
        if self.holds_sessions():
            raise DatabaseError(f"There are sessions at {self.folder} already.")
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        copy.rename(self.folder / DATABASE_NAME)
        flush_folder(self.folder)

    def _claimed_postgres(self) -> PostgresDatabase:
        database = PostgresDatabase(self.database_url)
        try:
            database.keep_others_out()
        except DataFolderBusyError:
            database.close()
            raise
        return database
