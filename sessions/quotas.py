"""How much may be stored."""

from dataclasses import dataclass

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from sessions.blobs import BlobStore
from sessions.errors import StorageFullError
from sessions.models import NodeRow, TurnRow, VariationRow


@dataclass(frozen=True, slots=True)
class Quotas:
    """Bytes of audio; None for as much as the disk holds.

    Attributes:
        session_bytes: of one session, each sound counted once, the trash included.
        total_bytes: of all sessions.
    """

    session_bytes: int | None = None
    total_bytes: int | None = None


def require_room(db: Session, blobs: BlobStore, session_id: str, sha256: str | None, max_bytes: int | None) -> None:
    """Refuse what would make a session larger than it may be.

    Args:
        db: a transaction.
        blobs: where the sizes are known.
        session_id: the session.
        sha256: what is to be added, stored already; None asks whether there is room for anything at all.
        max_bytes: how large it may be; None lets everything through.

    Raises:
        StorageFullError: if there is no room.
    """
    if max_bytes is None:
        return
    hashes = session_audio(db, session_id)
    used_bytes = sum(blobs.num_bytes(one) for one in hashes)
    more_bytes = blobs.num_bytes(sha256) if sha256 is not None and sha256 not in hashes else 0
    if used_bytes + more_bytes > max_bytes or (sha256 is None and used_bytes == max_bytes):
        raise StorageFullError(
            f"This session is full: it holds {used_bytes / 1e6:.1f} of {max_bytes / 1e6:.1f} MB, what lies in its "
            "trash counted. What is in it stays. Begin a new session to go on."
        )


def session_audio(db: Session, session_id: str) -> frozenset[str]:
    """Return the hash of every sound that a session names."""
    of_nodes = select(NodeRow.audio_sha256).where(NodeRow.session_id == session_id)
    of_variations = (
        select(VariationRow.audio_sha256)
        .join(TurnRow, VariationRow.turn_id == TurnRow.id)
        .where(TurnRow.session_id == session_id)
    )
    return frozenset(sha256 for sha256 in db.scalars(union(of_nodes, of_variations)) if sha256 is not None)
