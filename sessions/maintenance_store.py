"""What is cleaned up in the course of time."""

import time

from sqlalchemy import delete, select, union

from sessions.models import NodeRow, SessionRow, ShareRow, TurnRow, VariationRow
from sessions.transactions import Transactions

ORPHAN_GRACE_S = 24 * 3600.0


class MaintenanceMethods(Transactions):
    """The part of the store that cleans up."""

    def named_audio(self) -> frozenset[str]:
        """Return the hash of every sound that a row names, of whatever owner."""
        named = union(select(NodeRow.audio_sha256), select(VariationRow.audio_sha256))
        with self._read() as db:
            return frozenset(sha256 for sha256 in db.scalars(named) if sha256 is not None)

    def sweep_orphans(self, *, grace_s: float = ORPHAN_GRACE_S) -> tuple[int, int]:
        """Remove files that no row names and that are older than the grace: their row may be about to be written.

        Returns:
            How many files and how many bytes there were.
        """
        before_s = time.time() - grace_s
        old = [entry for entry in self.blobs.entries() if entry.modified_s < before_s]
        num_files = num_bytes = 0
        for entry in old:
            # One by one, so that nobody waits long; inside a transaction that writes, so that no row comes meanwhile.
            with self._write() as db:
                by_node = select(NodeRow.number).where(NodeRow.audio_sha256 == entry.sha256).limit(1)
                by_variation = select(VariationRow.number).where(VariationRow.audio_sha256 == entry.sha256).limit(1)
                if db.scalar(by_node) is not None or db.scalar(by_variation) is not None:
                    continue
                # It may have been stored again since it was listed, for a row that comes next.
                if self.blobs.remove(entry.sha256, stored_before_s=before_s):
                    num_files += 1
                    num_bytes += entry.num_bytes
        return num_files, num_bytes

    def erase_trash(self, *, older_than_s: float) -> int:
        """Erase the sessions that have lain in the trash for longer, for good; their sounds go with the next sweep.

        Returns:
            How many there were.
        """
        before_ms = self._now_ms() - round(older_than_s * 1000)
        with self._read() as db:
            ids = db.scalars(select(SessionRow.id).where(SessionRow.deleted_ms < before_ms)).all()
        for session_id in ids:
            with self._write() as db:
                turns = select(TurnRow.id).where(TurnRow.session_id == session_id)
                db.execute(delete(VariationRow).where(VariationRow.turn_id.in_(turns)))
                db.execute(delete(TurnRow).where(TurnRow.session_id == session_id))
                db.execute(delete(ShareRow).where(ShareRow.session_id == session_id))
                of_session = select(NodeRow.number).where(NodeRow.session_id == session_id)
                for number in db.scalars(of_session.order_by(NodeRow.number.desc())).all():  # children first
                    db.execute(delete(NodeRow).where(NodeRow.number == number))
                db.execute(delete(SessionRow).where(SessionRow.id == session_id))
        return len(ids)
