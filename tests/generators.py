"""Stand-ins for the model. The door's signature stands here once; each stand-in says in its name what it does."""

from collections.abc import Callable
from dataclasses import dataclass, field

from stemgen_core.analysis.fit import FitReport
from stemgen_core.errors import GenerationCancelledError
from stemgen_core.generator import GenerationRequest, GenerationResult
from stemgen_core.instruments import INSTRUMENTS, Instrument
from stemgen_core.score import Note
from stemgen_core.types import Waveform

GOOD_FIT = FitReport(
    offset_ms=3.2, onset_agreement=0.82, harmony_agreement=0.74, level_db=-4.0, is_silent=False, verdict="good"
)
POOR_FIT = FitReport(
    offset_ms=46.0, onset_agreement=0.11, harmony_agreement=0.2, level_db=2.0, is_silent=False, verdict="poor"
)
PLAYED = tuple(
    instrument for instrument in INSTRUMENTS if instrument.name in ("bass", "drums", "piano", "guitar", "synth_pad")
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asked for a stem: wants to hear how far it is, and may have enough."""

    report_progress: Callable[[float], None] | None
    should_stop: Callable[[], bool] | None

    def hears(self, fraction: float) -> None:
        """Report progress, to whoever wants to hear of it."""
        if self.report_progress is not None:
            self.report_progress(fraction)

    @property
    def has_enough(self) -> bool:
        return self.should_stop is not None and self.should_stop()

    def stop_if_enough(self) -> None:
        """Raise what the model raises when it is stopped."""
        if self.has_enough:
            raise GenerationCancelledError("Stopped as asked.")


@dataclass
class FakeGenerator:
    """A model as it looks from outside; remembers what it was asked. Subclasses say in `play` what comes out."""

    model_id: str = "fake"
    instruments: tuple[Instrument, ...] = PLAYED
    genres: tuple[str, ...] = ()
    stem_categories: tuple[str, ...] = ()
    device: str = "cpu"
    contexts: list[Waveform] = field(default_factory=list)
    requests: list[GenerationRequest] = field(default_factory=list)
    finished: list[GenerationRequest] = field(default_factory=list)
    num_remembered: int | None = None  # of the latest questions, 1 or more; None remembers all

    def move_to(self, device: str) -> None:
        self.device = device

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
        self.contexts.append(context)
        self.requests.append(request)
        result = self.play(context, request, Caller(report_progress, should_stop))
        self.finished.append(request)
        if self.num_remembered is not None:
            for remembered in (self.contexts, self.requests, self.finished):
                del remembered[: -self.num_remembered]
        return result

    def play(self, context: Waveform, request: GenerationRequest, caller: Caller) -> GenerationResult:
        raise NotImplementedError


@dataclass
class EchoGenerator(FakeGenerator):
    """Answers with the context itself, at once."""

    model_id: str = "echo"

    def play(self, context: Waveform, request: GenerationRequest, caller: Caller) -> GenerationResult:
        return GenerationResult(context, (Note(0.0, 40, 0.5, 90),), self.model_id, 0.01, GOOD_FIT)
