"""The one way in and out of the session tree.

with open_store(data_folder) as store:
    session = store.create_session(owner_token)
    sha256 = store.blobs.add(lambda path: write_flac(path, waveform))
    context = store.add_context(owner_token, session.id, AudioRef(sha256, 44_100, 352_800, 2))
    turn = store.create_turn(owner_token, context.id, TurnRequest("bass", (41, 42), settings, model_id))
    ...
    node = store.pick_variation(owner_token, turn.variations[0].id)
"""

from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine

from sessions.archive_store import ArchiveMethods
from sessions.blobs import BlobStore
from sessions.database import open_engine
from sessions.folder_lock import FolderLock
from sessions.maintenance_store import MaintenanceMethods
from sessions.migrations.upgrade import upgrade
from sessions.node_store import NodeMethods
from sessions.quotas import Quotas
from sessions.session_store import SessionMethods
from sessions.share_store import ShareMethods
from sessions.turn_store import TurnMethods
from sessions.work_store import WorkMethods

DATABASE_NAME = "sessions.sqlite"
AUDIO_FOLDER = "audio"


class SessionStore(
    SessionMethods, NodeMethods, TurnMethods, WorkMethods, ShareMethods, ArchiveMethods, MaintenanceMethods
):
    """All reads and writes of sessions, nodes, turns and variations.

    Each method is one transaction and may be called from any thread. Values come out, never rows. Every method takes
    the owner's secret token; what belongs to somebody else is not found, just as what isn't there. Methods that only
    read a session also take the token of a `Share` of it.

    Attributes:
        blobs: the audio files; put a file there before naming it in a call.
        server_id: of this run of the server; turns remember which run they were queued by.
    """

    def __init__(self, engine: Engine, blobs: BlobStore, lock: FolderLock, quotas: Quotas) -> None:
        """Use `open_store` instead."""
        super().__init__(engine, blobs, quotas)
        self._engine = engine
        self._folder_lock = lock

    @property
    def engine(self) -> Engine:
        """The database, for whoever maintains it."""
        return self._engine

    def close(self) -> None:
        """Close the database and let another server have the data folder."""
        self._engine.dispose()
        self._folder_lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_store(data_folder: Path, *, quotas: Quotas | None = None) -> SessionStore:
    """Open the store of a data folder, made if it is not there, and bring it up to date.

    Turns that an earlier run left unfinished are marked failed with a clear word. The database is backed up into
    `backups/` before it is migrated.

    Args:
        data_folder: on a local disk; holds `sessions.sqlite`, `audio/` and `backups/`.
        quotas: how much may be stored; None for as much as the disk holds.

    Raises:
        DataFolderBusyError: if another server uses it.
        DatabaseError: if the database is damaged, of another program, of a newer version, or on an unfit disk.
    """
    data_folder.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(data_folder)
    try:
        engine = open_engine(data_folder / DATABASE_NAME)
        try:
            upgrade(engine, backup_folder=data_folder / "backups")
            limits = quotas or Quotas()
            blobs = BlobStore(data_folder / AUDIO_FOLDER, max_total_bytes=limits.total_bytes)
            blobs.remove_leftovers()
            store = SessionStore(engine, blobs, lock, limits)
            store.fail_interrupted_turns()
        except BaseException:
            engine.dispose()
            raise
    except BaseException:
        lock.release()
        raise
    return store
