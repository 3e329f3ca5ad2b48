"""A GPU that is lent call by call, as Hugging Face's ZeroGPU does. Anywhere else nothing of this is used.

ZeroGPU lends to whoever's request it is that asks, and tells who that is by the request being handled. Here, however,
one worker makes the stems of everybody in a fair line. So on such a machine the worker hands its calls over a desk to a
handler of the visitor who asked: the one that follows the progress for the page, or the one that waits for a program.
What is lent is a process of its own: what goes in and comes out is copied, and progress comes out as a stream.
"""

import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from app.errors import NoGpuError, SettingsError
from app.model_shelf import Generator as Model
from stemgen_core.errors import GenerationCancelledError, StemGenError
from stemgen_core.generator import GenerationRequest, GenerationResult
from stemgen_core.instruments import Instrument
from stemgen_core.types import Waveform

Told = float | GenerationResult | StemGenError
"""What comes out while a stem is made: the share done, at last the stem or what went wrong with it."""
Compute = Callable[[Waveform, GenerationRequest], Generator[Told]]
Call = Callable[[], GenerationResult]

PATIENCE_S = 60.0  # how long a call waits for its visitor's page
LOOK_S = 0.2
START_S, PER_SECOND_S, LONGEST_S = 15, 0.5, 120  # of what is asked for: to begin, per second of music, at most


def on_gpu(is_zero_gpu: bool) -> Callable[[Compute], Compute]:
    """Return the decorator of what computes on a lent GPU; it changes nothing where none is lent.

    Raises:
        SettingsError: if the machine says that it lends GPUs and the package for that is missing.
    """
    if not is_zero_gpu:
        return lambda compute: compute
    try:
        import spaces  # pyright: ignore[reportMissingImports]  # there on Spaces, and only there
    except ImportError as error:
        raise SettingsError("This machine lends GPUs (SPACES_ZERO_GPU); install the package `spaces`.") from error
    return spaces.GPU(duration=asked_s)


def asked_s(context: Waveform, _request: GenerationRequest) -> int:
    """Return for how many seconds a GPU is asked for; a visitor's quota is charged for what is used."""
    return min(LONGEST_S, round(START_S + PER_SECOND_S * context.duration_s))


class HandlerDesk:
    """Where the worker's calls wait for a handler of the visitor that they are for. Safe to use from many threads."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        """Open the desk.

        Args:
            patience_s: how long a call waits to be taken.
        """
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[_Waiting]] = {}

    def run(self, owner_token: str, call: Call) -> GenerationResult:
        """Let a handler of this owner make a call, and return what came of it.

        Raises:
            NoGpuError: if no handler took it in time.
            Exception: whatever the call raised.
        """
        waiting = _Waiting(call)
        with self._changed:
            self._waiting.setdefault(owner_token, deque()).append(waiting)
            self._changed.notify_all()
            is_taken = self._changed.wait_for(lambda: waiting.is_taken, self._patience_s)
            if not is_taken:
                self._forget(owner_token, waiting)
                raise NoGpuError("The GPU is lent to your open page: keep it open, and try again.")
        return waiting.answer.result()

    @contextmanager
    def hosting(self, owner_token: str) -> Iterator[None]:
        """Make the calls for an owner as part of the request being handled, for as long as the block lasts."""
        is_over = threading.Event()
        serve = contextvars.copy_context().run  # the request being handled is known by its context
        threading.Thread(target=serve, args=(self._serve, owner_token, is_over), name="lent-gpu", daemon=True).start()
        try:
            yield
        finally:
            is_over.set()

    def _serve(self, owner_token: str, is_over: threading.Event) -> None:
        while not is_over.is_set():
            with self._changed:
                self._changed.wait_for(lambda: owner_token in self._waiting, LOOK_S)
                line = self._waiting.get(owner_token)
                if not line or is_over.is_set():
                    continue
                waiting = line[0]
                self._forget(owner_token, waiting)
                waiting.is_taken = True
                self._changed.notify_all()
            try:
                waiting.answer.set_result(waiting.call())
            except BaseException as error:  # it is the caller's: the worker says what it means
                waiting.answer.set_exception(error)

    def _forget(self, owner_token: str, waiting: "_Waiting") -> None:
        line = self._waiting[owner_token]
        line.remove(waiting)
        if not line:
            del self._waiting[owner_token]


@dataclass(eq=False, slots=True)
class _Waiting:
    call: Call
    is_taken: bool = False
    answer: "Future[GenerationResult]" = field(default_factory=Future)


class GpuLoan:
    """Lets a model compute on lent GPUs. Made before the page opens: ZeroGPU wants to know by then what it is for."""

    def __init__(self, decorate: Callable[[Compute], Compute]) -> None:
        """Announce what will be computed.

        Args:
            decorate: as `on_gpu` returns it.
        """
        self._model: Model | None = None
        self._stream = decorate(self._compute)

    def lend(self, model: Model) -> "LentModel":
        """Return a model whose stems are made by `model` on lent GPUs."""
        self._model = model
        return LentModel(model, self._stream)

    def _compute(self, context: Waveform, request: GenerationRequest) -> Generator[Told]:
        if self._model is None:
            raise NoGpuError("The model is still being loaded. Try again in a few seconds.")
        import torch

        if torch.cuda.is_available():
            self._model.move_to("cuda")
        yield from _stream(self._model, context, request)


@dataclass(frozen=True, slots=True)
class LentModel:
    """A model that computes elsewhere; in everything else it is the one that it was made of."""

    model: Model
    stream: Compute

    @property
    def model_id(self) -> str:
        """See `Generator`."""
        return self.model.model_id

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """See `Generator`."""
        return self.model.instruments

    @property
    def genres(self) -> tuple[str, ...]:
        """See `Generator`."""
        return self.model.genres

    @property
    def stem_categories(self) -> tuple[str, ...]:
        """See `Generator`."""
        return self.model.stem_categories

    @property
    def device(self) -> str:
        """See `Generator`."""
        return "cuda"

    def move_to(self, device: str) -> None:
        """Stay where it is: what is lent is not ours to place."""

    def generate(
        self,
        context: Waveform,
        request: GenerationRequest,
        *,
        report_progress: Callable[[float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        must_hurry: Callable[[], bool] | None = None,
        is_scored: bool = True,
    ) -> GenerationResult:
        """Make one variation on a lent GPU; see `Generator`. It is never hurried, and always scored.

        Raises:
            StemGenError: if it can't be made, or `should_stop` said so.
            NoGpuError: if no GPU is lent, or it was taken away.
        """
        import gradio as gr

        try:
            with closing(self.stream(context, request)) as stream:
                for told in stream:
                    if isinstance(told, StemGenError):
                        raise told
                    if isinstance(told, GenerationResult):
                        return told
                    if report_progress is not None:
                        report_progress(told)
                    if should_stop is not None and should_stop():
                        raise GenerationCancelledError("Stopped as asked.")
        except gr.Error as error:  # in ZeroGPU's own words: whose quota is used up, and until when
            raise NoGpuError(str(error.message)) from error
        raise NoGpuError("The GPU was taken away before the stem was finished. Try again.")


def _stream(model: Model, context: Waveform, request: GenerationRequest) -> Generator[Told]:
    """Make a stem in a thread and tell how it goes; closing the stream stops the model before its next step."""
    reports: queue.SimpleQueue[Told | Exception] = queue.SimpleQueue()
    stop = threading.Event()

    def work() -> None:
        try:
            reports.put(model.generate(context, request, report_progress=reports.put, should_stop=stop.is_set))
        except Exception as error:  # told below, where somebody listens
            reports.put(error)

    thread = threading.Thread(target=work, name="lent-generation")
    thread.start()
    try:
        while True:
            told = reports.get()
            if isinstance(told, Exception) and not isinstance(told, StemGenError):
                raise told
            yield told
            if not isinstance(told, float):
                return
    finally:
        stop.set()
        thread.join()
