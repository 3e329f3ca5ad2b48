"""Sharing a session by a link, and copying one."""

from typing import Any, TypeVar, cast

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session, undefer

from sessions.access import hash_owner, own_session, readable_session, touch
from sessions.conversion import tidy_name, to_session
from sessions.errors import ShareNotFoundError
from sessions.models import Base, NodeRow, SessionRow, ShareRow, TurnRow, VariationRow
from sessions.transactions import Transactions, new_id
from sessions.tree import SessionInfo, Share, WorkState

SHARE_PREFIX = "share-"
"""Every share token begins so, and no owner's token does: which of the two a token is, it says itself."""

R = TypeVar("R", bound=Base)


class ShareMethods(Transactions):
    """The part of `SessionStore` that is about links and copies."""

    def share_session(self, owner_token: str, session_id: str) -> Share:
        """Return the link of a session, made if it has none.

        Raises:
            SessionNotFoundError: if this owner has no such session.
            InvalidActionError: if it is in the trash.
        """
        with self._write() as db:
            session = own_session(db, owner_token, session_id)
            row = _open_share(db, session.id)
            if row is None:
                touch(session, self._now_ms())
                row = ShareRow(
                    session_id=session.id,
                    token=SHARE_PREFIX + new_id(),
                    created_ms=self._now_ms(),
                    revoked_ms=None,
                )
                db.add(row)
            return Share(row.session_id, row.token, row.created_ms)

    def share(self, owner_token: str, session_id: str) -> Share | None:
        """Return the link of a session; None if it has none.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        with self._read() as db:
            row = _open_share(db, own_session(db, owner_token, session_id).id)
            return None if row is None else Share(row.session_id, row.token, row.created_ms)

    def shared_session_ids(self, owner_token: str) -> frozenset[str]:
        """Return which of the owner's sessions have a link."""
        query = (
            select(ShareRow.session_id)
            .join(SessionRow, ShareRow.session_id == SessionRow.id)
            .where(SessionRow.owner_sha256 == hash_owner(owner_token), ShareRow.revoked_ms.is_(None))
        )
        with self._read() as db:
            return frozenset(db.scalars(query))

    def unshare_session(self, owner_token: str, session_id: str) -> None:
        """Take the link of a session back for good; a later one is another. Doing it twice changes nothing.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        with self._write() as db:
            row = _open_share(db, own_session(db, owner_token, session_id).id)
            if row is not None:
                row.revoked_ms = self._now_ms()

    def shared_session(self, share_token: str) -> SessionInfo:
        """Return the session that a link opens.

        Raises:
            ShareNotFoundError: if there is no such link, it was taken back, or its session is in the trash.
        """
        query = (
            select(SessionRow)
            .join(ShareRow, ShareRow.session_id == SessionRow.id)
            .where(ShareRow.token == share_token, ShareRow.revoked_ms.is_(None), SessionRow.deleted_ms.is_(None))
        )
        with self._read() as db:
            row = db.scalar(query)
            if row is None:
                raise ShareNotFoundError("This link leads nowhere (any more). Ask whoever sent it for a new one.")
            return to_session(row)

    def copy_session(self, token: str, session_id: str, *, owner_token: str, name: str) -> SessionInfo:
        """Make a session of one's own that begins as a copy of another; what either does later stays with it.

        The trash is not copied. Of requests that are not finished, what is finished is copied.

        Args:
            token: opens the session to be copied; its owner's, or that of a share.
            session_id: the session to be copied.
            owner_token: whose the copy is.
            name: of the copy.

        Raises:
            SessionNotFoundError: if `token` opens no such session.
        """
        with self._write() as db:
            source = readable_session(db, token, session_id)
            now_ms = self._now_ms()
            copy = _clone(
                source,
                id=new_id(),
                owner_sha256=hash_owner(owner_token),
                name=tidy_name(name),
                created_ms=now_ms,
                updated_ms=now_ms,
                deleted_ms=None,
            )
            db.add(copy)
            db.flush()
            node_ids = _copy_nodes(db, source.id, copy.id)
            copy.current_node_id = node_ids.get(source.current_node_id or "")
            variation_ids = _copy_turns(db, source.id, copy.id, node_ids, now_ms)
            _retell_settings(db, copy.id, node_ids | variation_ids)
        return to_session(copy)


def _open_share(db: Session, session_id: str) -> ShareRow | None:
    return db.scalar(select(ShareRow).where(ShareRow.session_id == session_id, ShareRow.revoked_ms.is_(None)))


def _copy_nodes(db: Session, session_id: str, copy_id: str) -> dict[str, str]:
    """Copy what is not in the trash; return the copies' ids by the originals'."""
    query = select(NodeRow).where(NodeRow.session_id == session_id).order_by(NodeRow.number)
    ids: dict[str, str] = {}
    for row in db.scalars(query.options(undefer(NodeRow.notes))).all():  # parents first
        if row.deleted_ms is not None or (row.parent_id is not None and row.parent_id not in ids):
            continue
        ids[row.id] = new_id()
        db.add(
            _clone(
                row,
                id=ids[row.id],
                session_id=copy_id,
                parent_id=ids.get(row.parent_id or ""),
                removed_node_id=ids.get(row.removed_node_id or ""),
                variation_id=None,
            )
        )
        db.flush()  # one by one: a child names its parent, and the database checks
    return ids


def _copy_turns(db: Session, session_id: str, copy_id: str, node_ids: dict[str, str], now_ms: int) -> dict[str, str]:
    """Copy the requests made on copied nodes, and join the copied stems to the copies of what they were picked from.

    Returns:
        The ids of the copied variations by the originals'.
    """
    ids: dict[str, str] = {}
    of_session = select(TurnRow).where(TurnRow.session_id == session_id).order_by(TurnRow.number)
    picked = {row.variation_id: row.id for row in db.scalars(select(NodeRow).where(NodeRow.session_id == session_id))}
    copies = {row.id: row for row in db.scalars(select(NodeRow).where(NodeRow.session_id == copy_id))}
    for row in db.scalars(of_session).all():
        if row.node_id not in node_ids or row.deleted_ms is not None:
            continue
        turn = _clone(row, id=new_id(), session_id=copy_id, node_id=node_ids[row.node_id])
        if not WorkState(turn.state).is_finished:  # nobody works on the copy of a request
            turn.state, turn.finished_ms = WorkState.CANCELLED, now_ms
        db.add(turn)
        db.flush()
        of_turn = select(VariationRow).where(VariationRow.turn_id == row.id).order_by(VariationRow.position)
        for original in db.scalars(of_turn.options(undefer(VariationRow.notes))).all():
            variation = _clone(original, id=new_id(), turn_id=turn.id)
            ids[original.id] = variation.id
            if not WorkState(variation.state).is_finished:
                variation.state = WorkState.CANCELLED
            db.add(variation)
            stem = copies.get(node_ids.get(picked.get(original.id, ""), ""))
            if stem is not None:
                stem.variation_id = variation.id
    return ids


def _retell_settings(db: Session, copy_id: str, ids: dict[str, str]) -> None:
    """Let settings that name a node or a variation of the original name its copy."""
    db.flush()
    for table in (NodeRow, TurnRow):
        for row in db.scalars(select(table).where(table.session_id == copy_id)):
            if row.settings is not None:
                row.settings = _retold(row.settings, ids)


def _retold(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _retold(each, ids) for key, each in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_retold(each, ids) for each in cast(list[Any], value)]
    return ids.get(value, value) if isinstance(value, str) else value


def _clone(row: R, **changes: Any) -> R:
    """Return a new row with every column of another but its number, and some changed."""
    columns = {column.key for column in inspect(type(row)).column_attrs} - {"number"}
    return type(row)(**{column: getattr(row, column) for column in columns} | changes)
