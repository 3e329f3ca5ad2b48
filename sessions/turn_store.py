"""Turns and variations: what was asked for, what came out, what was picked."""

from sqlalchemy import select

from sessions.access import own_node, own_session, own_turn, own_variation, touch
from sessions.conversion import (
    from_mapping,
    from_mixer,
    set_audio,
    to_audio,
    to_node,
    to_notes,
)
from sessions.errors import InvalidActionError
from sessions.models import NodeRow, SessionRow, TurnRow, VariationRow
from sessions.node_store import lineage_rows, new_node_columns, refuse_deleted
from sessions.transactions import Transactions, new_id
from sessions.tree import Mixer, Node, NodeKind, NoteTuple, Turn, TurnRequest, Variation, WorkState
from sessions.turn_reading import turn_values, variation_value


class TurnMethods(Transactions):
    """The part of `SessionStore` that is about turns and variations as users see them."""

    def create_turn(self, owner_token: str, node_id: str, request: TurnRequest) -> Turn:
        """Queue a request for stems on top of a node; its variations are there at once, queued.

        Raises:
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the node or session is in the trash.
            StorageFullError: if the session is full.
            ValueError: if a number of the settings is not finite.
        """
        with self._write() as db:
            node, session = own_node(db, owner_token, node_id)
            touch(session, self._now_ms())
            refuse_deleted(lineage_rows(db, node.id))
            self._require_room(db, session.id)
            row = TurnRow(
                id=new_id(),
                session_id=session.id,
                node_id=node.id,
                instrument=request.instrument,
                preset=request.preset,
                settings=from_mapping(request.settings),
                model_id=request.model_id,
                first_seed=request.seeds[0],
                state=WorkState.QUEUED,
                error=None,
                server_id=self.server_id,
                server_pid=self.server_pid,
                created_ms=self._now_ms(),
                finished_ms=None,
            )
            db.add(row)
            db.flush()  # The variations name the turn, and SQLAlchemy knows no relationship to order them by.
            db.add_all(
                VariationRow(
                    id=new_id(),
                    turn_id=row.id,
                    position=position,
                    seed=seed,
                    state=WorkState.QUEUED,
                    is_starred=False,
                    mixer=from_mixer(Mixer()),
                )
                for position, seed in enumerate(request.seeds)
            )
            db.flush()
            return turn_values(db, [row])[0]

    def turn(self, owner_token: str, turn_id: str) -> Turn:
        """Return one turn with its variations.

        Raises:
            TurnNotFoundError: if this owner has no such turn.
        """
        with self._read() as db:
            return turn_values(db, [own_turn(db, owner_token, turn_id)[0]])[0]

    def turns(self, owner_token: str, session_id: str) -> tuple[Turn, ...]:
        """Return the turns of a session with their variations, oldest first: the feed. Hidden ones are left out.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        with self._read() as db:
            session = own_session(db, owner_token, session_id)
            shown = select(TurnRow).where(TurnRow.session_id == session.id, TurnRow.deleted_ms.is_(None))
            rows = db.scalars(shown.order_by(TurnRow.number)).all()
            return turn_values(db, rows)

    def hide_turn(self, owner_token: str, turn_id: str, is_hidden: bool) -> Turn:
        """Take a turn out of the feed, or put it back; nothing of it is lost.

        Raises:
            TurnNotFoundError: if this owner has no such turn.
            InvalidActionError: if the session is in the trash.
        """
        with self._write() as db:
            row, session = own_turn(db, owner_token, turn_id)
            touch(session, self._now_ms())
            row.deleted_ms = self._now_ms() if is_hidden else None
            return turn_values(db, [row])[0]

    def variation(self, owner_token: str, variation_id: str) -> Variation:
        """Return one variation.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
        """
        with self._read() as db:
            return variation_value(db, own_variation(db, owner_token, variation_id)[0])

    def variation_notes(self, owner_token: str, variation_id: str) -> tuple[NoteTuple, ...] | None:
        """Return the notes of a variation; None if its model wrote none or it is not done.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
        """
        with self._read() as db:
            return to_notes(own_variation(db, owner_token, variation_id)[0].notes)

    def star_variation(self, owner_token: str, variation_id: str, is_starred: bool) -> Variation:
        """Give a variation a star, or take it away.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
            InvalidActionError: if the session is in the trash.
        """
        with self._write() as db:
            row, _, session = own_variation(db, owner_token, variation_id)
            touch(session, self._now_ms())
            row.is_starred = is_starred
            return variation_value(db, row)

    def set_variation_mixer(self, owner_token: str, variation_id: str, mixer: Mixer) -> Variation:
        """Keep the player's strip of a variation that is not picked yet.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
            InvalidActionError: if the session is in the trash.
            ValueError: if a number is not finite or `pan` is out of range.
        """
        with self._write() as db:
            row, _, session = own_variation(db, owner_token, variation_id)
            touch(session, self._now_ms())
            row.mixer = from_mixer(mixer)
            return variation_value(db, row)

    def pick_variation(self, owner_token: str, variation_id: str) -> Node:
        """Make a variation a child of the node it was generated for, and open it.

        Picking it again makes nothing new: it opens the node of the first time. What was put in the trash of it, or of
        the nodes above it, is restored.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
            InvalidActionError: if it is not done, or the session is in the trash.
        """
        with self._write() as db:
            row, turn, session = own_variation(db, owner_token, variation_id)
            touch(session, self._now_ms())
            if row.state != WorkState.DONE:
                raise InvalidActionError(f"Only a finished variation can be picked; this one is {row.state}.")
            node = db.scalar(select(NodeRow).where(NodeRow.variation_id == row.id))
            if node is None:
                node = _node_of_variation(row, turn, session, self._now_ms())
                db.add(node)
                db.flush()
            for step in lineage_rows(db, node.id):
                step.deleted_ms = None
            session.current_node_id = node.id
        return to_node(node)


def _node_of_variation(row: VariationRow, turn: TurnRow, session: SessionRow, now_ms: int) -> NodeRow:
    node = NodeRow(
        **(new_node_columns(session, now_ms) | {"is_starred": row.is_starred, "mixer": row.mixer}),
        parent_id=turn.node_id,
        kind=NodeKind.STEM,
        name="",
        instrument=turn.instrument,
        variation_id=row.id,
        seed=row.seed,
        settings=turn.settings,
        model_id=turn.model_id,
        fit=row.fit,
        notes=row.notes,
        num_notes=row.num_notes,
    )
    set_audio(node, to_audio(row))
    return node
