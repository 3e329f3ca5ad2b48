"""The one way in and out of the session tree.

with open_store(data_folder) as store:
    session = store.create_session(owner_token)
    sha256 = store.blobs.add(lambda path: write_flac(path, waveform))
    context = store.add_context(owner_token, session.id, AudioRef(sha256, 44_100, 352_800, 2))
    turn = store.create_turn(owner_token, context.id, TurnRequest("bass", (41, 42), settings, model_id))
    ...
    node = store.pick_variation(owner_token, turn.variations[0].id)
"""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from sessions.archive_store import ArchiveMethods
from sessions.blobs import BlobStore
from sessions.database import Database
from sessions.folder_lock import FolderLock
from sessions.home import AUDIO_FOLDER as AUDIO_FOLDER
from sessions.home import DATABASE_NAME as DATABASE_NAME
from sessions.home import DataHome
from sessions.maintenance_store import MaintenanceMethods
from sessions.migrations.upgrade import upgrade
from sessions.node_store import NodeMethods
from sessions.quotas import Quotas
from sessions.session_store import SessionMethods
from sessions.share_store import ShareMethods
from sessions.turn_store import TurnMethods
from sessions.work_store import WorkMethods


class SessionStore(
    SessionMethods, NodeMethods, TurnMethods, WorkMethods, ShareMethods, ArchiveMethods, MaintenanceMethods
):
    """All reads and writes of sessions, nodes, turns and variations.

    Each method is one transaction and may be called from any thread. Values come out, never rows. Every method takes
    the owner's secret token; what belongs to somebody else is not found, just as what isn't there. Methods that only
    read a session also take the token of a `Share` of it.

    Attributes:
        blobs: the audio files; put a file there before naming it in a call.
        database: where the rows are, for whoever maintains it.
        server_id: of this run of the server; turns remember which run they were queued by.
    """

    def __init__(self, database: Database, blobs: BlobStore, lock: FolderLock, quotas: Quotas) -> None:
        """Use `open_store` instead."""
        super().__init__(database, blobs, quotas)
        self._folder_lock = lock

    def close(self) -> None:
        """Close the database and let another server have the data folder."""
        self.database.close()
        self._folder_lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_store(data_folder: Path, *, quotas: Quotas | None = None) -> SessionStore:
    """Open the store of a data folder that holds everything; see `open_home`."""
    return open_home(DataHome(data_folder), quotas=quotas)


def open_home(home: DataHome, *, quotas: Quotas | None = None) -> SessionStore:
    """Open the store of a home, made if it is not there, and bring it up to date.

    Turns that an earlier run left unfinished are marked failed with a clear word. The database is backed up into
    `backups/` before it is migrated.

    Args:
        home: its folder must be on a local disk, also where database and sounds lie elsewhere.
        quotas: how much may be stored; None for as much as the disk holds.

    Raises:
        DataFolderBusyError: if another server uses it.
        DiskError: if its folder can't be made or written.
        DatabaseError: if the database is damaged, of another program, of a newer version, on an unfit disk, or can't
            be reached.
        PlaceError: if the address of the sounds can't be used.
    """
    limits = quotas or Quotas()
    with ExitStack() as undoing:
        lock = FolderLock(home.folder)
        undoing.callback(lock.release)
        database = home.open_database()
        undoing.callback(database.close)
        upgrade(database, backup_folder=home.folder / "backups")
        blobs = home.open_blobs(max_total_bytes=limits.total_bytes)
        blobs.remove_leftovers()
        store = SessionStore(database, blobs, lock, limits)
        store.fail_interrupted_turns()
        undoing.pop_all()
    return store
