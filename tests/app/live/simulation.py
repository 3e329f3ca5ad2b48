"""A jam on a clock that nobody waits for: a model with delays, a page that plays, and every loop that was heard.

The session of live is the real one. The worker runs its errands at once; the model moves the clock on while it decodes,
and on the way the page does what it does at its time: it swaps at boundaries, and tells the server where the music is.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch

from app.errands import Errand
from app.live.clock import LoopClock
from app.live.making import Sound
from app.live.session import LiveSession
from sessions.tree import AudioRef
from stemgen_core.errors import GenerationCancelledError
from stemgen_core.generator import GenerationRequest, GenerationResult
from stemgen_core.sampling.settings import MIN_STEPS
from stemgen_core.types import Waveform
from tests.generators import GOOD_FIT, PLAYED

BEAT_S = 0.4
FETCH_S = 0.12
LEAD_S = 0.092  # of the page's engine: its lead and its fade
LEVELS = 6


@dataclass
class Time:
    """The clock; what is due on the way is done at its time."""

    now_s: float = 0.0
    on_tick: Callable[[], None] = lambda: None
    next_tick_s: float = 0.0

    def read(self) -> float:
        return self.now_s

    def pass_by(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self.next_tick_s <= end_s:
            self.now_s = max(self.now_s, self.next_tick_s)
            self.on_tick()
        self.now_s = end_s


@dataclass
class DelayingModel:
    """Takes its time: a mean, jitter, and now and then three times as long; obeys when it is to hurry."""

    time: Time
    step_s: float
    jitter: float
    spike_chance: float
    rng: random.Random
    model_id: str = "delays"
    instruments: tuple[Any, ...] = PLAYED
    genres: tuple[str, ...] = ()
    took_s: list[float] = field(default_factory=list)
    num_hurried: int = 0

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
        began_s, spike = self.time.now_s, 3.0 if self.rng.random() < self.spike_chance else 1.0
        self._work(4 * self.step_s * spike)
        num_steps, hurried_after = 0, None
        for level in range(LEVELS):
            for step in range(request.settings.steps_at(level)):
                if should_stop is not None and should_stop():
                    raise GenerationCancelledError("Stopped as asked.")
                if hurried_after is None and num_steps >= MIN_STEPS and must_hurry is not None and must_hurry():
                    hurried_after = num_steps
                if hurried_after is not None and step > 0:
                    break
                self._work(self.step_s * spike)
                num_steps += 1
                if report_progress is not None:
                    report_progress(0.5)
                if hurried_after is not None:
                    break
        self._work(3 * self.step_s * spike)
        self.num_hurried += hurried_after is not None
        self.took_s.append(self.time.now_s - began_s)
        return GenerationResult(context, None, self.model_id, 0.0, GOOD_FIT, hurried_after=hurried_after)

    def _work(self, seconds: float) -> None:
        self.time.pass_by(seconds * self.rng.lognormvariate(0.0, self.jitter))


@dataclass
class Page:
    """Plays as the page does: versions swap at boundaries of the audio clock, whatever the server does.

    Attributes:
        heard: what sounded in each loop: version by part.
        swaps: audio samples of the page's clock at which a version took over.
    """

    live: LiveSession
    time: Time
    sounding: dict[str, str] = field(default_factory=dict)
    planned: dict[str, tuple[str, int]] = field(default_factory=dict)
    fetched_s: dict[str, float] = field(default_factory=dict)
    heard: list[dict[str, str]] = field(default_factory=list)
    swaps: list[int] = field(default_factory=list)
    is_out_of_reach: Callable[[int], bool] = lambda _: False

    @property
    def frame(self) -> int:
        return int(self.time.now_s * self.live.clock.sample_rate_hz + 1e-6)

    def start(self) -> None:
        for part in self.live.jam.parts.values():
            if part.playing is not None:
                self.sounding[part.id] = part.playing.id
        self.time.on_tick = self.tick
        self.time.next_tick_s = self.time.now_s

    def tick(self) -> None:
        clock = self.live.clock
        loop = clock.loop_at(self.frame)
        while len(self.heard) <= loop:
            at = len(self.heard)
            for part_id, (version_id, due) in list(self.planned.items()):
                if due == at:
                    self.sounding[part_id] = version_id
                    self.swaps.append(clock.boundary(at))
                    del self.planned[part_id]
            self.heard.append(dict(self.sounding))
        boundary_s = clock.boundary(loop + 1) / clock.sample_rate_hz
        soon_s = self.time.now_s + BEAT_S
        self.time.next_tick_s = boundary_s + 1e-4 if self.time.now_s + 1e-3 < boundary_s < soon_s else soon_s
        if not self.is_out_of_reach(loop):
            position_s = self.time.now_s - clock.boundary(loop) / clock.sample_rate_hz
            self.live.beat(loop, position_s, self.sounding)
            self.look(loop)

    def look(self, loop: int) -> None:
        clock = self.live.clock
        for part in self.live.jam.parts.values():
            coming = part.coming
            if coming is None or part.id in self.planned:
                continue
            there_s = self.fetched_s.setdefault(coming.version.id, self.time.now_s + FETCH_S)
            if there_s > self.time.now_s:
                continue
            soonest = (
                loop + 1 if clock.boundary(loop + 1) / clock.sample_rate_hz - self.time.now_s >= LEAD_S else loop + 2
            )
            self.planned[part.id] = (coming.version.id, max(soonest, coming.loop))


class EagerWorker:
    """Runs what it is given when it is told to; one at a time, as the worker does."""

    def __init__(self) -> None:
        self.waiting: list[Errand] = []

    def run_errand(self, errand: Errand) -> None:
        self.waiting.append(errand)

    def drop_errand(self, errand_id: str) -> None:
        for errand in self.waiting:
            if errand.id == errand_id:
                errand.stop.set()
        self.waiting = [errand for errand in self.waiting if errand.id != errand_id]


class MemorySounds:
    """Keeps waveforms in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Waveform] = {}
        self.files = SimpleNamespace(mix=lambda waves: waves[0])

    def keep(self, waveform: Waveform) -> AudioRef:
        name = f"{len(self.kept):064x}"
        self.kept = {name: waveform} if len(self.kept) > 10_000 else self.kept | {name: waveform}
        return AudioRef(name, waveform.sample_rate_hz, waveform.num_audio_samples, 1)

    def read(self, audio: AudioRef) -> Waveform:
        return self.kept[audio.sha256]


@dataclass
class Simulation:
    """All of it together."""

    live: LiveSession
    page: Page
    time: Time
    model: DelayingModel
    worker: EagerWorker

    def play(self, num_loops: int) -> None:
        """Let so many loops go by."""
        while len(self.page.heard) < num_loops:
            if self.worker.waiting:
                errand = self.worker.waiting.pop(0)
                errand.run(errand.stop.is_set)
            else:
                self.time.pass_by(0.05)


def simulate(
    *, step_s: float, jitter: float = 0.1, spike_chance: float = 0.0, seed: int = 0, num_players: int = 2
) -> Simulation:
    """Set up a jam of 8-second loops of a groove and some players."""
    time, worker, sounds = Time(), EagerWorker(), MemorySounds()
    model = DelayingModel(time, step_s, jitter, spike_chance, random.Random(seed))
    models = SimpleNamespace(get=lambda: model, wait=lambda _: model)
    studio: Any = SimpleNamespace(models=models, worker=worker, sounds=sounds)
    clock = LoopClock(16_000, 8 * 16_000, 4)
    live = LiveSession(studio, "0" * 32, clock, "Groove", seed=seed, now_s=time.read)
    groove = Waveform(torch.full((1, 16), 0.5), 16_000)  # stands for a loop: nobody listens here
    live.add_sound(Sound(sounds.keep(groove)))
    for name in ("bass", "piano", "guitar", "synth_pad")[:num_players]:
        live.add_player(name)
    page = Page(live, time)
    page.start()
    return Simulation(live, page, time, model, worker)
