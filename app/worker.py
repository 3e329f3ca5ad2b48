"""The one thread that generates.

A turn is a job. Jobs run one after another, so that the model is never asked for two things at once; each variation
is written to the store as soon as it is finished, whether or not anybody still has the page open. A cancel is a flag
that the model looks at between two decoding steps.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from app.errors import BusyError
from app.model_shelf import Generator
from app.progress import SpeedMeter, TurnProgress, expected_rest_s
from sessions.errors import InvalidActionError, SessionError
from sessions.store import SessionStore
from sessions.tree import AudioRef, VariationResult
from stemgen_core.errors import GenerationCancelledError, StemGenError
from stemgen_core.generator import GenerationRequest, GenerationResult
from stemgen_core.types import Waveform

log = logging.getLogger(__name__)

MAX_WAITING = 16
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
        stop: set when it is to be cancelled.
    """

    owner_token: str
    turn_id: str
    generator: Generator
    load_context: Callable[[], Waveform]
    requests: dict[str, GenerationRequest]
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class _Current:
    """The variation at work; written by the worker only, read by anybody."""

    job: Job
    context_s: float = 0.0
    variation_id: str | None = None
    fraction: float = 0.0
    began_s: float = 0.0


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
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._current: _Current | None = None
        self._is_closed = False
        self._speed = SpeedMeter()
        self._thread = threading.Thread(target=self._run, name="generation", daemon=True)
        self._thread.start()

    # ---- asked by the studio -----------------------------------------------------------------------------------

    def ensure_room(self) -> None:
        """Refuse when too much is waiting.

        Raises:
            BusyError: if the queue is full.
        """
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                raise BusyError(f"{MAX_WAITING} requests are waiting already. Try again in a minute.")

    def submit(self, job: Job) -> None:
        """Put a job at the end of the line."""
        with self._changed:
            self._waiting.append(job)
            self._changed.notify_all()

    def cancel(self, turn_id: str) -> None:
        """Stop a turn: at once if it waits, before the next decoding step if it runs. Unknown turns are no error."""
        with self._changed:
            for job in list(self._waiting):
                if job.turn_id == turn_id:
                    job.stop.set()
                    self._waiting.remove(job)
            if self._current is not None and self._current.job.turn_id == turn_id:
                self._current.job.stop.set()

    def progress(self, turn_id: str) -> TurnProgress | None:
        """Return where a turn stands; None if it is neither waiting nor running."""
        with self._changed:
            ahead_s = self._current_rest_s()
            if self._current is not None and self._current.job.turn_id == turn_id:
                return TurnProgress(0, self._current.variation_id, self._current.fraction, ahead_s)
            for at, job in enumerate(self._waiting):
                own_s = self._job_s(job)
                ahead_s = None if ahead_s is None or own_s is None else ahead_s + own_s
                if job.turn_id == turn_id:
                    return TurnProgress(at + (self._current is not None), eta_s=ahead_s)
        return None

    def close(self, timeout_s: float = 10.0) -> None:
        """Stop the running job between two steps and end the thread; what was not finished stays so in the store."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    # ---- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (job := self._next_job()) is not None:
            try:
                self._run_job(job)
            except InvalidActionError as error:
                # A cancel may come between the look at its flag and the write that it forbids.
                if not job.stop.is_set():
                    log.exception("Turn %s broke", job.turn_id)
                    self._fail_turn(job, str(error))
            except Exception:  # the thread must outlive whatever one job does; the turn says so
                log.exception("Turn %s broke", job.turn_id)
                self._fail_turn(job, INTERNAL_ERROR)
            finally:
                with self._changed:
                    self._current = None

    def _next_job(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if self._is_closed:
                return None
            job = self._waiting.popleft()
            self._current = _Current(job)
            return job

    def _run_job(self, job: Job) -> None:
        current = self._current
        if current is None or job.stop.is_set():
            return
        self._store.start_turn(job.owner_token, job.turn_id)
        try:
            context = job.load_context()
        except (StemGenError, SessionError) as error:
            self._fail_turn(job, str(error))
            return
        current.context_s = context.duration_s
        for variation_id, request in job.requests.items():
            if not self._run_variation(current, variation_id, context, request):
                return
        self._store.finish_turn(job.owner_token, job.turn_id)

    def _run_variation(
        self, current: _Current, variation_id: str, context: Waveform, request: GenerationRequest
    ) -> bool:
        """Generate and keep one variation; return whether the job goes on."""
        job = current.job
        if self._must_stop(job):
            return False
        self._store.start_variation(job.owner_token, variation_id)
        current.variation_id, current.fraction, current.began_s = variation_id, 0.0, time.monotonic()

        def report(fraction: float) -> None:
            current.fraction = fraction

        try:
            result = job.generator.generate(
                context, request, report_progress=report, should_stop=lambda: self._must_stop(job)
            )
        except GenerationCancelledError:
            return False
        except StemGenError as error:
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
            fit=asdict(result.fit),
            notes=None if notes is None else [(n.start_s, n.pitch, n.duration_s, n.velocity) for n in notes],
        )

    def _must_stop(self, job: Job) -> bool:
        return job.stop.is_set() or self._is_closed

    def _fail_turn(self, job: Job, error: str) -> None:
        try:
            self._store.fail_turn(job.owner_token, job.turn_id, error)
        except SessionError:
            log.exception("Turn %s could not be marked failed", job.turn_id)

    # ---- estimates (the lock is held) --------------------------------------------------------------------------

    def _job_s(self, job: Job) -> float | None:
        # How long the context of a waiting job is, is not known before it is read; the running one's is a fair guess.
        context_s = self._current.context_s if self._current is not None else 0.0
        times = [self._speed.expect(request, context_s) for request in job.requests.values()]
        return None if None in times else sum(time_s for time_s in times if time_s is not None)

    def _current_rest_s(self) -> float | None:
        current = self._current
        if current is None:
            return 0.0
        if current.variation_id is None:
            return self._job_s(current.job)
        ids = list(current.job.requests)
        left = [current.job.requests[name] for name in ids[ids.index(current.variation_id) + 1 :]]
        own = self._speed.expect(current.job.requests[current.variation_id], current.context_s)
        elapsed_s = time.monotonic() - current.began_s
        rest_s = expected_rest_s(elapsed_s, current.fraction, own)
        if rest_s is None:
            return None
        each_s = own if own is not None else elapsed_s + rest_s
        return rest_s + each_s * len(left)
