"""The one thread that generates.

A turn is a job. One variation is made after another, so that the model is never asked for two things at once; whose is
next is decided between two of them (`app.line`). Each variation is written to the store as soon as it is finished,
whether or not anybody still has the page open. A cancel is a flag that the model looks at between two decoding steps.
"""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from app.errands import Errand, Pilot
from app.errors import BusyError, NoGpuError
from app.line import FairLine
from app.model_shelf import Generator
from app.progress import SpeedMeter, TurnProgress, expected_rest_s, work_units
from sessions.errors import DiskError, InvalidActionError, NotFoundError, SessionError, StorageFullError
from sessions.store import SessionStore
from sessions.tree import AudioRef, VariationResult
from stemgen_core.errors import GenerationCancelledError, StemGenError
from stemgen_core.generator import GenerationRequest, GenerationResult
from stemgen_core.revision import Revision
from stemgen_core.types import Waveform

log = logging.getLogger(__name__)

MAX_TURNS = 32
MAX_TURNS_PER_OWNER = 6  # one at work and five in line, or what the others leave of that
UNKNOWN_WAIT_S = 30  # what to say before anything was measured
_SAY_AGAIN_S = 5.0
INTERNAL_ERROR = "Something went wrong inside the studio. The server's log has the details."


@dataclass(frozen=True, slots=True)
class Job:
    """One turn to generate.

    Attributes:
        owner_token: whose turn it is.
        turn_id: which turn of the store.
        generator: the model.
        load_context: returns the mix to listen to; called by the worker, as it reads files.
        requests: what to generate, by variation id, in order.
        context_s: how long the mix is, for estimates.
        load_revision: returns the stem that all requests make part of again, or None; called by the worker.
        compute: makes a call of the model where it is to be made.
        stop: set when it is to be cancelled.
    """

    owner_token: str
    turn_id: str
    generator: Generator
    load_context: Callable[[], Waveform]
    requests: dict[str, GenerationRequest]
    context_s: float = 0.0
    load_revision: Callable[[], Revision | None] = lambda: None
    compute: Callable[[Callable[[], GenerationResult]], GenerationResult] = lambda call: call()
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class _Unfinished:
    """A job and how far it is; its variations to come are as many as the line holds of it."""

    job: Job
    num_begun: int = 0


@dataclass(slots=True)
class _Current:
    """The variation at work; written by the worker only, read by anybody."""

    turn_id: str
    variation_id: str
    units: float
    began_s: float = field(default_factory=time.monotonic)
    fraction: float = 0.0


class GenerationWorker:
    """Runs jobs in a thread of its own until it is closed."""

    def __init__(self, store: SessionStore, keep: Callable[[Waveform], AudioRef]) -> None:
        """Start the thread.

        Args:
            store: where states and results go.
            keep: puts a stem into the blob store.
        """
        self._store = store
        self._keep = keep
        self._changed = threading.Condition()
        self._line = FairLine()
        self._unfinished: dict[str, _Unfinished] = {}
        self._errands: dict[str, Errand] = {}
        self._reserved: Counter[str] = Counter()  # places held by owners whose turn is being written to the store
        self._current: _Current | None = None
        # The latest turn's context: the next variation needs it too.
        self._loaded: tuple[str, Waveform, Revision | None] | None = None
        self._is_closed = False
        self._unsaid: list[tuple[Job, str]] = []  # failures that the store could not take down yet
        self._pilot: Pilot | None = None
        self._speed = SpeedMeter()
        self._thread = threading.Thread(target=self._run, name="generation", daemon=True)
        self._thread.start()

    # ---- asked by the studio -----------------------------------------------------------------------------------

    @contextmanager
    def place(self, owner_token: str) -> Iterator[None]:
        """Hold a place in line while a turn is written down and submitted, so that two at once can't both be the last.

        Raises:
            BusyError: if this owner, or everybody together, has too much in line.
        """
        with self._changed:
            self._refuse_if_full(owner_token)
            self._reserved[owner_token] += 1
        try:
            yield
        finally:
            with self._changed:
                self._reserved[owner_token] -= 1
                self._reserved += Counter()  # forgets owners without a place

    def submit(self, job: Job) -> None:
        """Put a job behind the others of its owner."""
        with self._changed:
            self._unfinished[job.turn_id] = _Unfinished(job)
            costs = [work_units(request, job.context_s) for request in job.requests.values()]
            self._line.join(job.owner_token, job.turn_id, costs)
            self._changed.notify_all()

    def cancel(self, turn_id: str) -> None:
        """Stop a turn: at once if it waits, before the next decoding step if it runs. Unknown turns are no error."""
        with self._changed:
            if turn_id in self._unfinished:
                self._unfinished[turn_id].job.stop.set()
                self._drop(turn_id)

    def run_errand(self, errand: Errand) -> None:
        """Put an errand in line behind what its owner has there."""
        with self._changed:
            self._errands[errand.id] = errand
            self._line.join(errand.owner_token, errand.id, [errand.units])
            self._changed.notify_all()

    def drop_errand(self, errand_id: str) -> None:
        """Stop an errand as `cancel` stops a turn."""
        with self._changed:
            self._line.leave(errand_id)
            errand = self._errands.pop(errand_id, None)
            if errand is not None:
                errand.stop.set()

    def progress(self, turn_id: str) -> TurnProgress | None:
        """Return where a turn stands; None if it is neither waiting nor running."""
        with self._changed:
            current = self._current
            is_current = current is not None and current.turn_id == turn_id
            if turn_id not in self._unfinished and not is_current:
                return None
            if current is not None and is_current:
                return TurnProgress(0, current.variation_id, current.fraction, self._finish_s(turn_id))
            ahead = {current.turn_id} if current is not None else set[str]()
            for other_id, _ in self._line.forecast():
                if other_id == turn_id:
                    break
                ahead.add(other_id)
            has_begun = self._unfinished[turn_id].num_begun > 0
            return TurnProgress(0 if has_begun else len(ahead), eta_s=self._finish_s(turn_id))

    def measure_speed(self, pilot: Pilot) -> None:
        """Learn how fast this machine is as soon as nothing waits; whoever asks for a stem meanwhile goes first."""
        with self._changed:
            self._pilot = pilot
            self._changed.notify_all()

    def expected_s(self, request: GenerationRequest, context_s: float) -> float | None:
        """Return the seconds that a variation takes on this machine; None before the first was measured."""
        return self._speed.expect(request, context_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Stop the running job between two steps and end the thread; what was not finished stays so in the store."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    # ---- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (job := self._next_job()) is not None:
            if isinstance(job, Pilot):
                self._run_pilot(job)
                continue
            if isinstance(job, Errand):
                self._run_errand(job)
                continue
            try:
                goes_on = self._run_next_variation(job)
            except InvalidActionError as error:
                goes_on = False
                # A cancel may come between the look at its flag and the write that it forbids.
                if not job.stop.is_set():
                    log.exception("Turn %s broke", job.turn_id)
                    self._fail_turn(job, str(error))
            except (StorageFullError, DiskError) as error:  # the next variation would fare no better
                goes_on = False
                self._fail_turn(job, str(error))
            except Exception:  # the thread must outlive whatever one job does; the turn says so
                goes_on = False
                log.exception("Turn %s broke", job.turn_id)
                self._fail_turn(job, INTERNAL_ERROR)
            with self._changed:
                self._current = None
                if not goes_on:
                    self._drop(job.turn_id)
                if not self._unfinished:
                    self._loaded = None

    def _next_job(self) -> Job | Pilot | Errand | None:
        while not self._is_closed:
            unsaid, self._unsaid = self._unsaid, []
            for job, error in unsaid:
                self._fail_turn(job, error)
            patience_s = _SAY_AGAIN_S if self._unsaid else None
            with self._changed:
                self._changed.wait_for(lambda: len(self._line) or self._is_closed or self._pilot, patience_s)
                if self._is_closed:
                    return None
                step = self._line.take()
                if step is None:
                    pilot, self._pilot = self._pilot, None
                    if pilot is None:
                        continue
                    return pilot
                turn_id, units = step
                if turn_id in self._errands:
                    self._current = _Current(turn_id, "", units)
                    return self._errands[turn_id]
                unfinished = self._unfinished[turn_id]
                variation_id = list(unfinished.job.requests)[unfinished.num_begun]
                unfinished.num_begun += 1
                self._current = _Current(turn_id, variation_id, units)
                return unfinished.job
        return None

    def _run_pilot(self, pilot: Pilot) -> None:
        def must_stop() -> bool:
            with self._changed:
                return self._is_closed or len(self._line) > 0

        began_s = time.monotonic()
        try:
            pilot.generator.generate(pilot.context, pilot.request, should_stop=must_stop)
        except GenerationCancelledError:
            return  # the stem that was asked for meanwhile is measured instead
        except Exception:  # measuring must not keep the thread from work; the first stem says what is wrong
            log.exception("The speed of this machine could not be measured")
            return
        self._speed.learn(pilot.request, pilot.context.duration_s, time.monotonic() - began_s)

    def _run_errand(self, errand: Errand) -> None:
        try:
            errand.run(lambda: errand.stop.is_set() or self._is_closed)
        except Exception:  # as for turns: the thread must outlive it
            log.exception("Errand %s broke", errand.id)
        with self._changed:
            self._current = None
            self._errands.pop(errand.id, None)

    def _run_next_variation(self, job: Job) -> bool:
        """Generate and keep the current variation; return whether its job goes on."""
        current = self._current
        if current is None or self._must_stop(job):
            return False
        variation_ids = list(job.requests)
        if current.variation_id == variation_ids[0]:
            self._store.start_turn(job.owner_token, job.turn_id)
        try:
            context, revision = self._load(job)
        except (StemGenError, SessionError) as error:
            self._fail_turn(job, str(error))
            return False
        if not self._run_variation(job, current, context, revision):
            return False
        if current.variation_id != variation_ids[-1]:
            return True
        self._store.finish_turn(job.owner_token, job.turn_id)
        return False

    def _load(self, job: Job) -> tuple[Waveform, Revision | None]:
        """Return what a job listens to and the stem that it makes part of again."""
        if self._loaded is None or self._loaded[0] != job.turn_id:
            self._loaded = (job.turn_id, job.load_context(), job.load_revision())
        return self._loaded[1:]

    def _run_variation(self, job: Job, current: _Current, context: Waveform, revision: Revision | None) -> bool:
        """Generate and keep one variation; return whether the job goes on."""
        if self._must_stop(job):
            return False
        variation_id = current.variation_id
        request = replace(job.requests[variation_id], revision=revision)
        self._store.start_variation(job.owner_token, variation_id)
        current.began_s = time.monotonic()

        def report(fraction: float) -> None:
            current.fraction = fraction

        try:
            result = job.compute(
                lambda: job.generator.generate(
                    context, request, report_progress=report, should_stop=lambda: self._must_stop(job)
                )
            )
        except GenerationCancelledError:
            return False
        except (StemGenError, NoGpuError) as error:
            self._store.fail_variation(job.owner_token, variation_id, str(error))
            return True
        self._speed.learn(request, context.duration_s, time.monotonic() - current.began_s)
        self._store.finish_variation(job.owner_token, variation_id, self._to_stored(result))
        return True

    def _to_stored(self, result: GenerationResult) -> VariationResult:
        notes = result.notes
        return VariationResult(
            audio=self._keep(result.stem),
            seconds_spent=result.seconds_spent,
            fit=result.fit_to_keep(),
            notes=None if notes is None else [(n.start_s, n.pitch, n.duration_s, n.velocity) for n in notes],
        )

    def _must_stop(self, job: Job) -> bool:
        return job.stop.is_set() or self._is_closed

    def _fail_turn(self, job: Job, error: str) -> None:
        try:
            self._store.fail_turn(job.owner_token, job.turn_id, error)
        except NotFoundError:
            log.exception("Turn %s is gone", job.turn_id)
        except SessionError:
            # A full disk, most likely. Until it is written, the page shows a turn at work that nobody works on.
            log.exception("Turn %s could not be marked failed; trying again", job.turn_id)
            self._unsaid.append((job, error))

    # ---- the lock is held --------------------------------------------------------------------------------------

    def _drop(self, turn_id: str) -> None:
        self._line.leave(turn_id)
        self._unfinished.pop(turn_id, None)

    def _refuse_if_full(self, owner_token: str) -> None:
        own_ids = [turn_id for turn_id, own in self._unfinished.items() if own.job.owner_token == owner_token]
        if len(own_ids) + self._reserved[owner_token] >= MAX_TURNS_PER_OWNER:
            wait_s = self._wait_s(own_ids)
            raise BusyError(
                f"{MAX_TURNS_PER_OWNER} of your requests are in line already. "
                f"Try again in about {wait_s} s, or cancel one.",
                wait_s,
            )
        if len(self._unfinished) + self._reserved.total() >= MAX_TURNS:
            wait_s = self._wait_s(list(self._unfinished))
            raise BusyError(
                f"The studio is busy: {MAX_TURNS} requests are in line. Try again in about {wait_s} s.", wait_s
            )

    def _wait_s(self, turn_ids: list[str]) -> int:
        """Return the seconds until the first of some turns is finished, as something to say."""
        known = [finish_s for turn_id in turn_ids if (finish_s := self._finish_s(turn_id)) is not None]
        return max(1, math.ceil(min(known))) if known else UNKNOWN_WAIT_S

    def _finish_s(self, turn_id: str) -> float | None:
        """Return the seconds until the last variation of a turn is there; None if nothing was measured yet."""
        steps = [(self._current.turn_id, 0.0)] if self._current is not None else []
        steps += self._line.forecast()
        last = max((at for at, (other_id, _) in enumerate(steps) if other_id == turn_id), default=-1)
        units = sum(cost for _, cost in steps[: last + 1])
        rest_s, seconds_per_unit = self._current_rest_s()
        if rest_s is None or (units and seconds_per_unit is None):
            return None
        return rest_s + units * (seconds_per_unit or 0.0)

    def _current_rest_s(self) -> tuple[float | None, float | None]:
        """Return what the current variation still takes and what a unit of work takes, in seconds, as far as known."""
        current, pace = self._current, self._speed.seconds_per_unit
        if current is None:
            return 0.0, pace
        elapsed_s = time.monotonic() - current.began_s
        rest_s = expected_rest_s(elapsed_s, current.fraction, None if pace is None else pace * current.units)
        if pace is None and rest_s is not None:
            pace = (elapsed_s + rest_s) / current.units
        return rest_s, pace
