"""What the parts of the store have in common."""

import os
import secrets
import time

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from sessions.blobs import BlobStore
from sessions.database import read_only
from sessions.errors import AudioNotFoundError
from sessions.tree import AudioRef


class Transactions:
    """Begins transactions; each public method of a subclass is exactly one."""

    def __init__(self, engine: Engine, blobs: BlobStore) -> None:
        self.blobs = blobs
        self.server_id = new_id()
        self.server_pid = os.getpid()
        self._write = sessionmaker(engine, class_=Session, expire_on_commit=False).begin
        self._read = sessionmaker(read_only(engine), class_=Session, expire_on_commit=False).begin

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
