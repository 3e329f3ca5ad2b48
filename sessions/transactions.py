"""What the parts of the store have in common."""

import os
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from sessions.blobs import BlobStore
from sessions.database import read_only
from sessions.errors import AudioNotFoundError, DatabaseError
from sessions.tree import AudioRef


class Transactions:
    """Begins transactions; each public method of a subclass is exactly one."""

    def __init__(self, engine: Engine, blobs: BlobStore) -> None:
        self.blobs = blobs
        self.server_id = new_id()
        self.server_pid = os.getpid()
        self._writing = sessionmaker(engine, class_=Session, expire_on_commit=False)
        self._reading = sessionmaker(read_only(engine), class_=Session, expire_on_commit=False)

    @contextmanager
    def _write(self) -> Generator[Session]:
        """Begin a transaction that holds the write lock; all of it is kept, or none.

        Raises:
            DatabaseError: if the disk is full or broken, or the database stays busy.
        """
        try:
            with self._writing.begin() as db:
                yield db
        except OperationalError as error:
            raise DatabaseError(f"The session could not be saved: {error.orig}.") from error
        except PoolTimeoutError as error:
            raise DatabaseError("The session could not be saved: the database is too busy. Try again.") from error

    @contextmanager
    def _read(self) -> Generator[Session]:
        """Begin a transaction that only reads.

        Raises:
            DatabaseError: if the disk is broken, or the database stays busy.
        """
        try:
            with self._reading.begin() as db:
                yield db
        except OperationalError as error:
            raise DatabaseError(f"The session could not be read: {error.orig}.") from error
        except PoolTimeoutError as error:
            raise DatabaseError("The session could not be read: the database is too busy. Try again.") from error

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
