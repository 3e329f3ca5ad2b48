"""Sessions that come from and go to other machines."""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.exc import DataError, IntegrityError

from sessions.access import hash_owner, own_session
from sessions.conversion import to_session
from sessions.errors import ArchiveError
from sessions.quotas import require_room
from sessions.record import Json, RowsHome, audio_hashes, insert_record, read_record
from sessions.transactions import Transactions
from sessions.tree import SessionInfo


class ArchiveMethods(Transactions):
    """The part of `SessionStore` that carries whole sessions; `sessions.archive` makes files of them."""

    def session_record(self, owner_token: str, session_id: str) -> Json:
        """Return all that a session holds but the audio itself, as plain JSON without ids.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        # What lies in the trash is in it, too, which is none of the business of whoever has a link.
        with self._read_own() as db:
            return read_record(db, own_session(db, owner_token, session_id))

    def add_session(self, owner_token: str, record: Json, sounds: Mapping[str, Path]) -> SessionInfo:
        """Take a session in. All of it becomes this owner's, under new ids, or nothing.

        Args:
            owner_token: whose it becomes.
            record: from `session_record` of any machine.
            sounds: the files that it names, by hash; `sessions.archive.open_archive` has looked at them.

        Raises:
            ArchiveError: if the record is not in order.
            StorageFullError: if there is no room for it.
            OSError: if a sound can't be stored.
        """
        return self._add_session(hash_owner(owner_token), record, sounds)

    def _add_session(self, owner_sha256: str, record: Json, sounds: Mapping[str, Path]) -> SessionInfo:
        for sha256 in audio_hashes(record):
            if sha256 in sounds and self.blobs.add_file(sounds[sha256]) != sha256:
                raise ArchiveError(f"The sound {sha256[:12]} changed while it was read. Try again.")
        home = RowsHome(owner_sha256, self.server_id, self.server_pid)
        try:
            with self._write() as db:
                row = insert_record(db, record, home)
                require_room(db, self.blobs, row.id, None, self._quotas.session_bytes)
        except (IntegrityError, DataError) as error:
            raise ArchiveError(f"This session file contradicts itself: {error.orig}.") from error
        return to_session(row)
