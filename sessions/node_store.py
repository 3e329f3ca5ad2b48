"""Nodes: the trees of contexts, stems and removals."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Integer, literal, select
from sqlalchemy.orm import Session

from sessions.access import own_node, own_session, touch
from sessions.conversion import (
    from_mapping,
    from_mixer,
    set_audio,
    tidy_comment,
    tidy_name,
    to_node,
    to_notes,
)
from sessions.errors import InvalidActionError
from sessions.models import NodeRow, SessionRow
from sessions.transactions import Transactions, new_id
from sessions.tree import AudioRef, Mixer, Node, NodeKind, NoteTuple, mix_nodes


class NodeMethods(Transactions):
    """The part of `SessionStore` that is about nodes."""

    def add_context(
        self,
        owner_token: str,
        session_id: str,
        audio: AudioRef,
        *,
        name: str = "",
        analysis: Mapping[str, Any] | None = None,
    ) -> Node:
        """Begin a tree with audio that the user brought, and open it. A session may have several trees.

        Args:
            owner_token: whose session it is.
            session_id: session to add to.
            audio: already in `blobs`.
            name: what to call it.
            analysis: tempo, key and such; finite JSON values.

        Raises:
            SessionNotFoundError: if this owner has no such session.
            InvalidActionError: if it is in the trash.
            AudioNotFoundError: if the file is not in the blob store.
            StorageFullError: if the session has no room for it.
        """
        self._require_blob(audio)
        with self._write() as db:
            session = own_session(db, owner_token, session_id)
            touch(session, self._now_ms())
            self._require_room(db, session.id, audio)
            row = NodeRow(
                **new_node_columns(session, self._now_ms()),
                kind=NodeKind.CONTEXT,
                name=tidy_name(name),
                analysis=None if analysis is None else from_mapping(analysis),
            )
            set_audio(row, audio)
            db.add(row)
            session.current_node_id = row.id
        return to_node(row)

    def remove_stem(self, owner_token: str, node_id: str, stem_node_id: str) -> Node:
        """Make and open a child of a node that sounds like it without one of its stems. The stem itself stays.

        Args:
            owner_token: whose nodes they are.
            node_id: the mix to take the stem out of.
            stem_node_id: the stem, on the way from the root to `node_id`.

        Raises:
            NodeNotFoundError: if this owner has no such nodes.
            InvalidActionError: if the stem doesn't sound in that mix, is the context, or the node or session is in
                the trash.
        """
        with self._write() as db:
            parent, session = own_node(db, owner_token, node_id)
            stem, _ = own_node(db, owner_token, stem_node_id)
            touch(session, self._now_ms())
            path = lineage_rows(db, parent.id)
            refuse_deleted(path)
            if stem.kind != NodeKind.STEM:
                raise InvalidActionError("Only a stem can be taken out of a mix, not the context.")
            if stem.id not in {node.id for node in mix_nodes([to_node(row) for row in path])}:
                raise InvalidActionError("This stem does not sound in this mix.")
            row = NodeRow(
                **new_node_columns(session, self._now_ms()),
                parent_id=parent.id,
                kind=NodeKind.REMOVAL,
                name="",
                removed_node_id=stem.id,
                instrument=stem.instrument,
            )
            db.add(row)
            session.current_node_id = row.id
        return to_node(row)

    def node(self, owner_token: str, node_id: str) -> Node:
        """Return one node, also from the trash.

        Raises:
            NodeNotFoundError: if this owner has no such node.
        """
        with self._read() as db:
            return to_node(own_node(db, owner_token, node_id)[0])

    def notes(self, owner_token: str, node_id: str) -> tuple[NoteTuple, ...] | None:
        """Return the notes of a stem; None if its model wrote none.

        Raises:
            NodeNotFoundError: if this owner has no such node.
        """
        with self._read() as db:
            return to_notes(own_node(db, owner_token, node_id)[0].notes)

    def lineage(self, owner_token: str, node_id: str) -> tuple[Node, ...]:
        """Return the nodes from the root down to `node_id`, both included, also from the trash.

        Raises:
            NodeNotFoundError: if this owner has no such node.
        """
        with self._read() as db:
            row, _ = own_node(db, owner_token, node_id)
            return tuple(to_node(step) for step in lineage_rows(db, row.id))

    def tree(self, owner_token: str, session_id: str, *, include_deleted: bool = False) -> tuple[Node, ...]:
        """Return every node of a session, oldest first, so that a parent always comes before its children.

        Args:
            owner_token: whose session it is.
            session_id: which one.
            include_deleted: also nodes in the trash and what hangs below them.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        with self._read() as db:
            session = own_session(db, owner_token, session_id)
            rows = db.scalars(select(NodeRow).where(NodeRow.session_id == session.id).order_by(NodeRow.number))
            nodes = [to_node(row) for row in rows]
        return tuple(nodes) if include_deleted else _without_deleted(nodes)

    def rename_node(self, owner_token: str, node_id: str, name: str) -> Node:
        """Call a node something else; an empty name takes the user's name away.

        Raises:
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the session is in the trash.
        """
        return self._change_node(owner_token, node_id, name=tidy_name(name))

    def comment_node(self, owner_token: str, node_id: str, comment: str) -> Node:
        """Write a line on a node in place of what stood there; an empty one takes it away.

        Raises:
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the session is in the trash.
        """
        return self._change_node(owner_token, node_id, comment=tidy_comment(comment))

    def star_node(self, owner_token: str, node_id: str, is_starred: bool) -> Node:
        """Give a node a star, or take it away.

        Raises:
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the session is in the trash.
        """
        return self._change_node(owner_token, node_id, is_starred=is_starred)

    def set_mixer(self, owner_token: str, node_id: str, mixer: Mixer) -> Node:
        """Keep the player's strip of a node.

        Raises:
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the session is in the trash.
            ValueError: if a number is not finite or `pan` is out of range.
        """
        return self._change_node(owner_token, node_id, mixer=from_mixer(mixer))

    def set_analysis(self, owner_token: str, node_id: str, analysis: Mapping[str, Any]) -> Node:
        """Replace what is known of a context: tempo, key and such, as the user put it right.

        Raises:
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the node is not a context, or the session is in the trash.
            ValueError: if a number is not finite.
        """
        return self.edit_analysis(owner_token, node_id, lambda _: analysis)

    def edit_analysis(
        self, owner_token: str, node_id: str, edit: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]
    ) -> Node:
        """Replace what is known of a context by what `edit` makes of it, so that two edits at once both count.

        Args:
            owner_token: whose node it is.
            node_id: a context.
            edit: takes what is known now and returns what is to be known; may raise, then nothing changes.

        Raises:
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the node is not a context, or the session is in the trash.
            ValueError: if a number is not finite.
        """
        with self._write() as db:
            row, session = own_node(db, owner_token, node_id)
            touch(session, self._now_ms())
            if row.kind != NodeKind.CONTEXT:
                raise InvalidActionError("Only a context has a tempo and a key of its own.")
            row.analysis = from_mapping(edit(row.analysis))
        return to_node(row)

    def delete_node(self, owner_token: str, node_id: str) -> Node:
        """Put a node in the trash; what hangs below it is hidden with it. Doing it twice changes nothing.

        If the open node is hidden by it, the parent of `node_id` becomes the open one.

        Raises:
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the session is in the trash.
        """
        with self._write() as db:
            row, session = own_node(db, owner_token, node_id)
            touch(session, self._now_ms())
            if row.deleted_ms is None:
                row.deleted_ms = self._now_ms()
            if session.current_node_id is not None:
                open_path = {step.id for step in lineage_rows(db, session.current_node_id)}
                if row.id in open_path:
                    session.current_node_id = row.parent_id
        return to_node(row)

    def restore_node(self, owner_token: str, node_id: str) -> Node:
        """Take a node, and every node above it, out of the trash. Doing it twice changes nothing.

        Raises:
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the session is in the trash.
        """
        with self._write() as db:
            row, session = own_node(db, owner_token, node_id)
            touch(session, self._now_ms())
            for step in lineage_rows(db, row.id):
                step.deleted_ms = None
        return to_node(row)

    def _change_node(self, owner_token: str, node_id: str, **columns: Any) -> Node:
        with self._write() as db:
            row, session = own_node(db, owner_token, node_id)
            touch(session, self._now_ms())
            for column, value in columns.items():
                setattr(row, column, value)
        return to_node(row)


def new_node_columns(session: SessionRow, now_ms: int) -> dict[str, Any]:
    """Return the columns that every new node begins with."""
    return {
        "id": new_id(),
        "session_id": session.id,
        "is_starred": False,
        "mixer": from_mixer(Mixer()),
        "created_ms": now_ms,
        "deleted_ms": None,
        "comment": "",
    }


def refuse_deleted(path: Sequence[NodeRow]) -> None:
    """Refuse to build on a lineage of which something is in the trash.

    Raises:
        InvalidActionError: if a node of it is.
    """
    if any(row.deleted_ms is not None for row in path):
        raise InvalidActionError("This node is in the trash. Restore it first.")


def lineage_rows(db: Session, node_id: str) -> Sequence[NodeRow]:
    """Return the rows from the root to a node, in one query however deep it lies."""
    path = (
        select(NodeRow.id, NodeRow.parent_id, literal(0, Integer).label("height"))
        .where(NodeRow.id == node_id)
        .cte("path", recursive=True)
    )
    path = path.union_all(
        select(NodeRow.id, NodeRow.parent_id, path.c.height + 1).join(path, NodeRow.id == path.c.parent_id)
    )
    return db.scalars(select(NodeRow).join(path, NodeRow.id == path.c.id).order_by(path.c.height.desc())).all()


def _without_deleted(nodes: Sequence[Node]) -> tuple[Node, ...]:
    hidden: set[str | None] = set()
    shown: list[Node] = []
    for node in nodes:  # parents first
        if node.deleted_ms is not None or node.parent_id in hidden:
            hidden.add(node.id)
        else:
            shown.append(node)
    return tuple(shown)
