"""What the parts of the store have in common."""

import os
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.orm import Session, sessionmaker

from sessions.access import OPENS_TO_SHARES
from sessions.blobs import BlobStore
from sessions.database import Database
from sessions.errors import AudioNotFoundError, DatabaseError, StorageFullError
from sessions.fair_lock import FairLock
from sessions.quotas import Quotas, require_room
from sessions.tree import AudioRef

PATIENCE_S = 60.0
# Faults of what was asked. All else is the disk's or the database's: pages that are damaged, a server that is away.
_OURS = (IntegrityError, DataError, ProgrammingError, NotSupportedError)


class Transactions:
    """Begins transactions; each public method of a subclass is exactly one."""

    def __init__(self, database: Database, blobs: BlobStore, quotas: Quotas | None = None) -> None:
        self.database = database
        self.blobs = blobs
        self._quotas = quotas or Quotas()
        self.num_writes = 0  # tells those who copy the database whether there is anything new
        self.server_id = new_id()
        self.server_pid = os.getpid()
        # One transaction at a time; this decides whose is next.
        self._lock = FairLock()
        self._writing = sessionmaker(database.engine, class_=Session, expire_on_commit=False)
        self._reading = sessionmaker(
            database.reader, class_=Session, expire_on_commit=False, info={OPENS_TO_SHARES: True}
        )
        self._reading_own = sessionmaker(database.reader, class_=Session, expire_on_commit=False)

    @contextmanager
    def _write(self) -> Generator[Session]:
        """Begin a transaction that holds the write lock; all of it is kept, or none.

        Raises:
            DatabaseError: if the disk is broken, the database is damaged, or it stays busy.
            StorageFullError: if the disk is full.
        """
        with self._begin(self._writing, "saved") as db:
            yield db
        self.num_writes += 1

    @contextmanager
    def _read(self) -> Generator[Session]:
        """Begin a transaction that only reads.

        Raises:
            DatabaseError: if the disk is broken, the database is damaged, or it stays busy.
        """
        with self._begin(self._reading, "read") as db:
            yield db

    @contextmanager
    def _read_own(self) -> Generator[Session]:
        """Begin a transaction that only reads, and that no link opens.

        Raises:
            DatabaseError: if the disk is broken, the database is damaged, or it stays busy.
        """
        with self._begin(self._reading_own, "read") as db:
            yield db

    @contextmanager
    def _begin(self, make_transaction: sessionmaker[Session], what: str) -> Generator[Session]:
        if not self._lock.acquire(PATIENCE_S):
            raise DatabaseError(f"The session could not be {what}: the database is too busy. Try again.")
        try:
            with make_transaction.begin() as db:
                yield db
        except DBAPIError as error:
            if isinstance(error, _OURS):
                raise
            if self.database.is_full(error):
                raise StorageFullError(
                    f"The session could not be {what}: the disk of the studio's server is full. What was saved before "
                    "is there. Whoever runs it can make room."
                ) from error
            raise DatabaseError(f"The session could not be {what}: {error.orig}.") from error
        finally:
            self._lock.release()

    def _require_room(self, db: Session, session_id: str, audio: AudioRef | None = None) -> None:
        """Refuse what would make a session larger than it may be; without audio, work on a session that is full.

        Raises:
            StorageFullError: if there is no room.
        """
        require_room(db, self.blobs, session_id, audio.sha256 if audio else None, self._quotas.session_bytes)

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def _require_blob(self, audio: AudioRef) -> None:
        """Refuse to name a file that isn't there: file first, row second.

        Raises:
            AudioNotFoundError: if the blob store lacks it.
        """
        if not self.blobs.has(audio.sha256):
            raise AudioNotFoundError(f"The audio {audio.sha256[:12]} must be stored before anything can name it.")


def new_id() -> str:
    """Return 128 random bits as 32 hex digits."""
    return secrets.token_hex(16)
