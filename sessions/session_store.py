"""Sessions and what may be heard of them."""

from sqlalchemy import func, select

from sessions.access import hash_owner, opens, own_node, own_session, touch
from sessions.conversion import tidy_name, to_audio, to_session
from sessions.errors import AudioNotFoundError, InvalidActionError
from sessions.models import NodeRow, SessionRow, TurnRow, VariationRow
from sessions.node_store import lineage_rows, refuse_deleted
from sessions.transactions import Transactions, new_id
from sessions.tree import AudioRef, NodeKind, SessionInfo, WorkState


class SessionMethods(Transactions):
    """The part of `SessionStore` that is about whole sessions."""

    def create_session(self, owner_token: str, name: str = "") -> SessionInfo:
        """Begin an empty session."""
        now_ms = self._now_ms()
        with self._write() as db:
            row = SessionRow(
                id=new_id(),
                owner_sha256=hash_owner(owner_token),
                name=tidy_name(name),
                current_node_id=None,
                created_ms=now_ms,
                updated_ms=now_ms,
                deleted_ms=None,
            )
            db.add(row)
        return to_session(row)

    def hand_over(self, owner_token: str, new_owner_token: str) -> int:
        """Give an owner's sessions to another; those that are being worked on stay until that is finished.

        Returns:
            How many went.
        """
        unfinished = select(TurnRow.session_id).where(TurnRow.state.in_((WorkState.QUEUED, WorkState.RUNNING)))
        query = select(SessionRow).where(
            SessionRow.owner_sha256 == hash_owner(owner_token), SessionRow.id.not_in(unfinished)
        )
        with self._write() as db:
            rows = db.scalars(query).all()
            for row in rows:
                row.owner_sha256 = hash_owner(new_owner_token)
        return len(rows)

    def sessions(self, owner_token: str, *, include_deleted: bool = False) -> tuple[SessionInfo, ...]:
        """Return the owner's sessions, last changed first."""
        query = select(SessionRow).where(SessionRow.owner_sha256 == hash_owner(owner_token))
        if not include_deleted:
            query = query.where(SessionRow.deleted_ms.is_(None))
        with self._read() as db:
            rows = db.scalars(query.order_by(SessionRow.updated_ms.desc(), SessionRow.number.desc()))
            return tuple(to_session(row) for row in rows)

    def stem_counts(self, owner_token: str) -> dict[str, int]:
        """Return how many stems each of the owner's sessions holds, by session id; those without one are left out."""
        query = (
            select(NodeRow.session_id, func.count())
            .join(SessionRow, NodeRow.session_id == SessionRow.id)
            .where(
                SessionRow.owner_sha256 == hash_owner(owner_token),
                NodeRow.kind == NodeKind.STEM,
                NodeRow.deleted_ms.is_(None),
            )
            .group_by(NodeRow.session_id)
        )
        with self._read() as db:
            return {session_id: count for session_id, count in db.execute(query)}

    def session(self, owner_token: str, session_id: str) -> SessionInfo:
        """Return one session, also from the trash.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        with self._read() as db:
            return to_session(own_session(db, owner_token, session_id))

    def rename_session(self, owner_token: str, session_id: str, name: str) -> SessionInfo:
        """Call a session something else; the name is put on one line and cut to length.

        Raises:
            SessionNotFoundError: if this owner has no such session.
            InvalidActionError: if it is in the trash.
        """
        with self._write() as db:
            row = own_session(db, owner_token, session_id)
            touch(row, self._now_ms())
            row.name = tidy_name(name)
        return to_session(row)

    def set_current_node(self, owner_token: str, session_id: str, node_id: str | None) -> SessionInfo:
        """Remember which node is open, for the next visit.

        Raises:
            SessionNotFoundError: if this owner has no such session.
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the session is in the trash, or the node is of another session, in the
                trash or below one that is.
        """
        with self._write() as db:
            row = own_session(db, owner_token, session_id)
            touch(row, self._now_ms())
            if node_id is not None:
                node, _ = own_node(db, owner_token, node_id)
                if node.session_id != row.id:
                    raise InvalidActionError("This node belongs to another session.")
                refuse_deleted(lineage_rows(db, node.id))
            row.current_node_id = node_id
        return to_session(row)

    def delete_session(self, owner_token: str, session_id: str) -> SessionInfo:
        """Put a session in the trash; nothing is lost. Doing it twice changes nothing.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        with self._write() as db:
            row = own_session(db, owner_token, session_id)
            if row.deleted_ms is None:
                row.deleted_ms = row.updated_ms = self._now_ms()
        return to_session(row)

    def restore_session(self, owner_token: str, session_id: str) -> SessionInfo:
        """Take a session out of the trash. Doing it twice changes nothing.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        with self._write() as db:
            row = own_session(db, owner_token, session_id)
            if row.deleted_ms is not None:
                row.deleted_ms = None
                row.updated_ms = self._now_ms()
        return to_session(row)

    def find_audio(self, owner_token: str, sha256: str) -> AudioRef:
        """Return the audio of this hash if something of this owner's names it; what a media route asks first.

        Raises:
            AudioNotFoundError: if nothing of this owner's names it.
        """
        with self._read() as db:
            is_open = opens(db, owner_token)
            of_node = (
                select(NodeRow)
                .join(SessionRow, NodeRow.session_id == SessionRow.id)
                .where(NodeRow.audio_sha256 == sha256, is_open)
            )
            of_variation = (
                select(VariationRow)
                .join(TurnRow, VariationRow.turn_id == TurnRow.id)
                .join(SessionRow, TurnRow.session_id == SessionRow.id)
                .where(VariationRow.audio_sha256 == sha256, is_open)
            )
            row = db.scalar(of_node.limit(1)) or db.scalar(of_variation.limit(1))
            audio = to_audio(row) if row is not None else None
        if audio is None:
            raise AudioNotFoundError("This audio is not stored here (any more).")
        return audio
