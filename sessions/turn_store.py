"""Turns and variations: what was asked for, how far it is, what came out, what was picked."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from sessions.access import own_node, own_session, own_turn, own_variation, touch
from sessions.conversion import (
    from_mapping,
    from_mixer,
    from_notes,
    set_audio,
    to_audio,
    to_node,
    to_notes,
    to_turn,
    to_variation,
)
from sessions.errors import InvalidActionError
from sessions.models import NodeRow, SessionRow, TurnRow, VariationRow
from sessions.node_store import lineage_rows, new_node_columns, refuse_deleted
from sessions.transactions import Transactions, new_id
from sessions.tree import Mixer, Node, NodeKind, NoteTuple, Turn, TurnRequest, Variation, VariationResult, WorkState

MAX_ERROR_LENGTH = 2000
SERVER_STOPPED = (
    "The server stopped before this was finished. What was finished is kept; "
    "generate again with the same seed to get the rest."
)


class TurnMethods(Transactions):
    """The part of `SessionStore` that is about turns and variations.

    Reporting methods (`start_...`, `finish_...`, `fail_...`) also work when the session is in the trash meanwhile:
    what was generated is never thrown away.
    """

    def create_turn(self, owner_token: str, node_id: str, request: TurnRequest) -> Turn:
        """Queue a request for stems on top of a node; its variations are there at once, queued.

        Raises:
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the node or session is in the trash.
            ValueError: if a number of the settings is not finite.
        """
        with self._write() as db:
            node, session = own_node(db, owner_token, node_id)
            touch(session, self._now_ms())
            refuse_deleted(lineage_rows(db, node.id))
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
            return _turn_values(db, [row])[0]

    def turn(self, owner_token: str, turn_id: str) -> Turn:
        """Return one turn with its variations.

        Raises:
            TurnNotFoundError: if this owner has no such turn.
        """
        with self._read() as db:
            return _turn_values(db, [own_turn(db, owner_token, turn_id)[0]])[0]

    def turns(self, owner_token: str, session_id: str) -> tuple[Turn, ...]:
        """Return the turns of a session with their variations, oldest first: the feed.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        with self._read() as db:
            session = own_session(db, owner_token, session_id)
            rows = db.scalars(select(TurnRow).where(TurnRow.session_id == session.id).order_by(TurnRow.number)).all()
            return _turn_values(db, rows)

    def variation(self, owner_token: str, variation_id: str) -> Variation:
        """Return one variation.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
        """
        with self._read() as db:
            return _variation_value(db, own_variation(db, owner_token, variation_id)[0])

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
            return _variation_value(db, row)

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
            return _variation_value(db, row)

    def start_turn(self, owner_token: str, turn_id: str) -> Turn:
        """Report that a queued turn is being worked on.

        Raises:
            TurnNotFoundError: if this owner has no such turn.
            InvalidActionError: if it is not queued, for instance cancelled while it waited.
        """
        with self._write() as db:
            row, _ = own_turn(db, owner_token, turn_id)
            if row.state != WorkState.QUEUED:
                raise InvalidActionError(f"This turn can't be started: it is {row.state}.")
            row.state = WorkState.RUNNING
            return _turn_values(db, [row])[0]

    def start_variation(self, owner_token: str, variation_id: str) -> Variation:
        """Report that a queued variation is being generated.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
            InvalidActionError: if it is not queued.
        """
        with self._write() as db:
            row, _, _ = own_variation(db, owner_token, variation_id)
            if row.state != WorkState.QUEUED:
                raise InvalidActionError(f"This variation can't be started: it is {row.state}.")
            row.state = WorkState.RUNNING
            return _variation_value(db, row)

    def finish_variation(self, owner_token: str, variation_id: str, result: VariationResult) -> Variation:
        """Keep a generated stem. It is accepted even if its turn was cancelled or failed meanwhile.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
            InvalidActionError: if it is done already.
            AudioNotFoundError: if the file is not in the blob store.
            ValueError: if a number of the fit or the notes is not finite.
        """
        self._require_blob(result.audio)
        with self._write() as db:
            row, _, session = own_variation(db, owner_token, variation_id)
            if row.state == WorkState.DONE:
                raise InvalidActionError("This variation is done already.")
            row.state = WorkState.DONE
            set_audio(row, result.audio)
            row.fit = from_mapping(result.fit)
            row.notes = from_notes(result.notes)
            row.num_notes = None if result.notes is None else len(result.notes)
            row.seconds_spent = result.seconds_spent
            row.error = None
            session.updated_ms = self._now_ms()
            return _variation_value(db, row)

    def fail_variation(self, owner_token: str, variation_id: str, error: str) -> Variation:
        """Report that a variation went wrong.

        Args:
            owner_token: whose variation it is.
            variation_id: which one.
            error: fit to show to the user.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
            InvalidActionError: if it is finished already.
        """
        with self._write() as db:
            row, _, session = own_variation(db, owner_token, variation_id)
            if WorkState(row.state).is_finished:
                raise InvalidActionError(f"This variation can't fail any more: it is {row.state}.")
            row.state = WorkState.FAILED
            row.error = error[:MAX_ERROR_LENGTH]
            session.updated_ms = self._now_ms()
            return _variation_value(db, row)

    def finish_turn(self, owner_token: str, turn_id: str) -> Turn:
        """Report that all variations of a turn are finished; it is failed if every one failed, else done.

        Doing it twice, or after a cancel, changes nothing.

        Raises:
            TurnNotFoundError: if this owner has no such turn.
            InvalidActionError: if a variation is still queued or running.
        """
        with self._write() as db:
            row, session = own_turn(db, owner_token, turn_id)
            if not WorkState(row.state).is_finished:
                session.updated_ms = self._now_ms()
                if not _conclude(db, row, session.updated_ms):
                    raise InvalidActionError("This turn has variations that are not finished.")
            return _turn_values(db, [row])[0]

    def cancel_turn(self, owner_token: str, turn_id: str) -> Turn:
        """Mark a turn and its unfinished variations cancelled; finished ones are kept.

        This only writes it down: the one who generates must be stopped too. On a finished turn it changes nothing.

        Raises:
            TurnNotFoundError: if this owner has no such turn.
        """
        return self._end_turn(owner_token, turn_id, WorkState.CANCELLED, None)

    def fail_turn(self, owner_token: str, turn_id: str, error: str) -> Turn:
        """Mark a turn and its unfinished variations failed; finished ones are kept.

        Args:
            owner_token: whose turn it is.
            turn_id: which one.
            error: fit to show to the user.

        Raises:
            TurnNotFoundError: if this owner has no such turn.
        """
        return self._end_turn(owner_token, turn_id, WorkState.FAILED, error[:MAX_ERROR_LENGTH])

    def retry_variation(self, owner_token: str, variation_id: str) -> Turn:
        """Queue a failed or cancelled variation again with its seed, and its turn with it.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
            InvalidActionError: if it is neither failed nor cancelled, its turn is still at work, or the session is in
                the trash.
        """
        with self._write() as db:
            row, turn, session = own_variation(db, owner_token, variation_id)
            touch(session, self._now_ms())
            if row.state not in (WorkState.FAILED, WorkState.CANCELLED):
                raise InvalidActionError(f"Only a failed or cancelled variation can be tried again; it is {row.state}.")
            if not WorkState(turn.state).is_finished:
                raise InvalidActionError("Wait until this turn is finished, then try again.")
            row.state = turn.state = WorkState.QUEUED
            row.error = turn.error = turn.finished_ms = None
            turn.server_id, turn.server_pid = self.server_id, self.server_pid
            return _turn_values(db, [turn])[0]

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

    def fail_interrupted_turns(self) -> int:
        """Mark every unfinished turn of another server run failed, with a clear word; called once at the start.

        Returns:
            How many there were.
        """
        unfinished = (WorkState.QUEUED, WorkState.RUNNING)
        with self._write() as db:
            rows = db.scalars(
                select(TurnRow).where(TurnRow.state.in_(unfinished), TurnRow.server_id != self.server_id)
            ).all()
            for row in rows:
                # The crash may also have come between the last variation and the word that all are finished.
                if not _conclude(db, row, self._now_ms()):
                    _end(db, row, WorkState.FAILED, SERVER_STOPPED, self._now_ms())
            return len(rows)

    def _end_turn(self, owner_token: str, turn_id: str, state: WorkState, error: str | None) -> Turn:
        with self._write() as db:
            row, session = own_turn(db, owner_token, turn_id)
            if not WorkState(row.state).is_finished:
                session.updated_ms = self._now_ms()
                _end(db, row, state, error, session.updated_ms)
            return _turn_values(db, [row])[0]


def _conclude(db: Session, turn: TurnRow, now_ms: int) -> bool:
    """Finish a turn all of whose variations are finished; return whether they are."""
    variations = _variation_rows(db, [turn.id])
    if any(not WorkState(variation.state).is_finished for variation in variations):
        return False
    has_failed = all(variation.state == WorkState.FAILED for variation in variations)
    turn.state = WorkState.FAILED if has_failed else WorkState.DONE
    turn.error = variations[0].error if has_failed else None
    turn.finished_ms = now_ms
    return True


def _end(db: Session, turn: TurnRow, state: WorkState, error: str | None, now_ms: int) -> None:
    for variation in _variation_rows(db, [turn.id]):
        if not WorkState(variation.state).is_finished:
            variation.state = state
            variation.error = error
    turn.state = state
    turn.error = error
    turn.finished_ms = now_ms


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


def _variation_rows(db: Session, turn_ids: Sequence[str]) -> Sequence[VariationRow]:
    return db.scalars(
        select(VariationRow)
        .where(VariationRow.turn_id.in_(turn_ids))
        .order_by(VariationRow.turn_id, VariationRow.position)
    ).all()


def _variation_value(db: Session, row: VariationRow) -> Variation:
    return to_variation(row, db.scalar(select(NodeRow.id).where(NodeRow.variation_id == row.id)))


def _turn_values(db: Session, rows: Sequence[TurnRow]) -> tuple[Turn, ...]:
    turn_ids = [row.id for row in rows]
    picks = db.execute(
        select(VariationRow.id, NodeRow.id)
        .join(NodeRow, NodeRow.variation_id == VariationRow.id)
        .where(VariationRow.turn_id.in_(turn_ids))
    )
    picked_node_ids = {variation_id: node_id for variation_id, node_id in picks}
    variations: dict[str, list[Variation]] = {turn_id: [] for turn_id in turn_ids}
    for row in _variation_rows(db, turn_ids):
        variations[row.turn_id].append(to_variation(row, picked_node_ids.get(row.id)))
    return tuple(to_turn(row, variations[row.id]) for row in rows)
