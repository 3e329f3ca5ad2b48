"""Reports of those who generate: what began, finished, failed or was cancelled, and what a crash interrupted."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from sessions.access import own_turn, own_variation, touch
from sessions.conversion import from_mapping, from_notes, set_audio
from sessions.errors import InvalidActionError
from sessions.models import TurnRow
from sessions.transactions import Transactions
from sessions.tree import Turn, Variation, VariationResult, WorkState
from sessions.turn_reading import turn_values, variation_rows, variation_value

MAX_ERROR_LENGTH = 2000
SERVER_STOPPED = (
    "The server stopped before this was finished. What was finished is kept; "
    "generate again with the same seed to get the rest."
)


class WorkMethods(Transactions):
    """The part of `SessionStore` that is about work on turns.

    Reporting methods (`start_...`, `finish_...`, `fail_...`) also work when the session is in the trash meanwhile:
    what was generated is never thrown away.
    """

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
            return turn_values(db, [row])[0]

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
            return variation_value(db, row)

    def finish_variation(self, owner_token: str, variation_id: str, result: VariationResult) -> Variation:
        """Keep a generated stem. It is accepted even if its turn was cancelled or failed meanwhile.

        Raises:
            VariationNotFoundError: if this owner has no such variation.
            InvalidActionError: if it is done already.
            AudioNotFoundError: if the file is not in the blob store.
            StorageFullError: if the session has no room for it.
            ValueError: if a number of the fit or the notes is not finite.
        """
        self._require_blob(result.audio)
        with self._write() as db:
            row, _, session = own_variation(db, owner_token, variation_id)
            if row.state == WorkState.DONE:
                raise InvalidActionError("This variation is done already.")
            self._require_room(db, session.id, result.audio)
            row.state = WorkState.DONE
            set_audio(row, result.audio)
            row.fit = from_mapping(result.fit)
            row.notes = from_notes(result.notes)
            row.num_notes = None if result.notes is None else len(result.notes)
            row.seconds_spent = result.seconds_spent
            row.error = None
            session.updated_ms = self._now_ms()
            return variation_value(db, row)

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
            return variation_value(db, row)

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
            return turn_values(db, [row])[0]

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
            return turn_values(db, [turn])[0]

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
            return turn_values(db, [row])[0]


def _conclude(db: Session, turn: TurnRow, now_ms: int) -> bool:
    """Finish a turn all of whose variations are finished; return whether they are."""
    variations = variation_rows(db, [turn.id])
    if any(not WorkState(variation.state).is_finished for variation in variations):
        return False
    has_failed = all(variation.state == WorkState.FAILED for variation in variations)
    turn.state = WorkState.FAILED if has_failed else WorkState.DONE
    turn.error = variations[0].error if has_failed else None
    turn.finished_ms = now_ms
    return True


def _end(db: Session, turn: TurnRow, state: WorkState, error: str | None, now_ms: int) -> None:
    for variation in variation_rows(db, [turn.id]):
        if not WorkState(variation.state).is_finished:
            variation.state = state
            variation.error = error
    turn.state = state
    turn.error = error
    turn.finished_ms = now_ms
