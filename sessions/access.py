"""Finding rows that belong to somebody. Every way to a row leads through here.

A row of another owner and a row that isn't there give the same error with the same words.

A transaction that only reads also opens to the token of a share, as far as that session goes; one that writes never
does. So whatever is read of a session can be read through its link, and nothing can be changed through it.
"""

import hashlib

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from sessions.errors import (
    InvalidActionError,
    NodeNotFoundError,
    SessionNotFoundError,
    TurnNotFoundError,
    VariationNotFoundError,
)
from sessions.models import NodeRow, SessionRow, ShareRow, TurnRow, VariationRow

OPENS_TO_SHARES = "opens_to_shares"
"""Key in `Session.info`: set where a transaction only reads."""


def hash_owner(owner_token: str) -> str:
    """Return what stands for an owner in the database; the token itself is never stored.

    Raises:
        ValueError: if the token is empty.
    """
    if not owner_token:
        raise ValueError("owner_token is empty")
    return hashlib.sha256(owner_token.encode()).hexdigest()


def opens(db: Session, token: str) -> ColumnElement[bool]:
    """Return the condition on `SessionRow` that a token opens it to this transaction."""
    is_own = SessionRow.owner_sha256 == hash_owner(token)
    return or_(is_own, _is_shared_by(token)) if db.info.get(OPENS_TO_SHARES) else is_own


def readable_session(db: Session, token: str, session_id: str) -> SessionRow:
    """Return a session that a token opens for reading, in whatever transaction.

    Raises:
        SessionNotFoundError: if it is neither this owner's nor shared by this link.
    """
    is_readable = or_(SessionRow.owner_sha256 == hash_owner(token), _is_shared_by(token))
    row = db.scalar(select(SessionRow).where(SessionRow.id == session_id, is_readable))
    if row is None:
        raise SessionNotFoundError("There is no such session.")
    return row


def _is_shared_by(token: str) -> ColumnElement[bool]:
    shared = select(ShareRow.session_id).where(ShareRow.token == token, ShareRow.revoked_ms.is_(None))
    return and_(SessionRow.id.in_(shared), SessionRow.deleted_ms.is_(None))


def own_session(db: Session, owner_token: str, session_id: str) -> SessionRow:
    """Return a session of this owner.

    Raises:
        SessionNotFoundError: if this owner has no such session.
    """
    row = db.scalar(select(SessionRow).where(SessionRow.id == session_id, opens(db, owner_token)))
    if row is None:
        raise SessionNotFoundError("There is no such session.")
    return row


def own_node(db: Session, owner_token: str, node_id: str) -> tuple[NodeRow, SessionRow]:
    """Return a node of this owner and its session.

    Raises:
        NodeNotFoundError: if this owner has no such node.
    """
    found = db.execute(
        select(NodeRow, SessionRow)
        .join(SessionRow, NodeRow.session_id == SessionRow.id)
        .where(NodeRow.id == node_id, opens(db, owner_token))
    ).one_or_none()
    if found is None:
        raise NodeNotFoundError("There is no such node.")
    return found[0], found[1]


def own_turn(db: Session, owner_token: str, turn_id: str) -> tuple[TurnRow, SessionRow]:
    """Return a turn of this owner and its session.

    Raises:
        TurnNotFoundError: if this owner has no such turn.
    """
    found = db.execute(
        select(TurnRow, SessionRow)
        .join(SessionRow, TurnRow.session_id == SessionRow.id)
        .where(TurnRow.id == turn_id, opens(db, owner_token))
    ).one_or_none()
    if found is None:
        raise TurnNotFoundError("There is no such turn.")
    return found[0], found[1]


def own_variation(db: Session, owner_token: str, variation_id: str) -> tuple[VariationRow, TurnRow, SessionRow]:
    """Return a variation of this owner, its turn and its session.

    Raises:
        VariationNotFoundError: if this owner has no such variation.
    """
    found = db.execute(
        select(VariationRow, TurnRow, SessionRow)
        .join(TurnRow, VariationRow.turn_id == TurnRow.id)
        .join(SessionRow, TurnRow.session_id == SessionRow.id)
        .where(VariationRow.id == variation_id, opens(db, owner_token))
    ).one_or_none()
    if found is None:
        raise VariationNotFoundError("There is no such variation.")
    return found[0], found[1], found[2]


def touch(session: SessionRow, now_ms: int) -> None:
    """Note that a session changes.

    Raises:
        InvalidActionError: if it is in the trash.
    """
    if session.deleted_ms is not None:
        raise InvalidActionError("This session is in the trash. Restore it first.")
    session.updated_ms = now_ms
