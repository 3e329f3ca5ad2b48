"""Making one version: its request, its settings fitted to the deadline, and what came of it."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from app.live.clock import LoopClock
from app.live.controls import Controls
from app.live.deadline import StepPlanner, Timing, steps_of_rung
from app.model_shelf import Generator
from sessions.tree import AudioRef
from stemgen_core.generator import MAX_SEED, GenerationRequest
from stemgen_core.revision import Revision
from stemgen_core.sampling.settings import settings_from_preset
from stemgen_core.score import Note, crop_notes
from stemgen_core.types import Waveform

PRESET = "balanced"
SILENT_BELOW = 1e-4


@dataclass(frozen=True, slots=True)
class Sound:
    """What a version sounds like, and what made it.

    Attributes:
        audio: in the blob store.
        instrument: None for a sound that is not the model's.
        request: what was asked of the model; None for what was not made here. Its settings make it again.
        notes: what is played, as stored; None where the family has none.
        ringing: the notes as the model gave them, some of which end after the loop's end.
        fit: as measured, JSON.
        seconds_spent: by the wall clock.
        sound_seed: what the sound was chosen by.
        model_id: which model made it.
        part_s: the part that was made anew of the version before it, seconds; None for all.
        is_repeatable: whether seed, settings and the mix of its parent make it again.
    """

    audio: AudioRef
    instrument: str | None = None
    request: GenerationRequest | None = None
    notes: tuple[Note, ...] | None = None
    ringing: tuple[Note, ...] | None = None
    fit: dict[str, Any] | None = None
    seconds_spent: float = 0.0
    sound_seed: int = 0
    model_id: str = ""
    part_s: tuple[float, float] | None = None
    is_repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made.

    Attributes:
        instrument: what plays.
        seed: of this version.
        controls: how.
        context: what to listen to.
        before: what the part plays until then, and its waveform; None for its first version.
        is_repeatable: whether the context is what the tree will hold.
    """

    instrument: str
    seed: int
    controls: Controls
    context: Waveform
    before: tuple[Sound, Waveform] | None = None
    is_repeatable: bool = True


@dataclass(slots=True)
class VersionMaker:
    """Makes versions within their time and learns how long they take.

    Attributes:
        clock: of the loop.
        keep: puts a waveform into the blob store.
        now_s: a clock that never goes back, seconds.
    """

    clock: LoopClock
    keep: Callable[[Waveform], AudioRef]
    now_s: Callable[[], float] = time.monotonic

    def make(
        self,
        generator: Generator,
        order: Order,
        planner: StepPlanner,
        deadline_s: Callable[[], float],
        should_stop: Callable[[], bool],
    ) -> Sound:
        """Make a version.

        Args:
            generator: the model.
            order: what.
            planner: decides on the number of steps, and learns.
            deadline_s: asked before each step: when it must be done, by `now_s`.
            should_stop: asked before each step.

        Raises:
            StemGenError: if it can't be made, or `should_stop` said so.
        """
        began_s = self.now_s()
        rung = planner.rung_for(deadline_s() - began_s)
        request, part_s = self._request(order, rung)
        step_times_s: list[float] = []
        result = generator.generate(
            order.context,
            request,
            report_progress=lambda _: step_times_s.append(self.now_s()),
            should_stop=should_stop,
            must_hurry=lambda: planner.must_hurry(deadline_s() - self.now_s(), _pace_s(step_times_s)),
            is_scored=False,  # unless that takes no time
        )
        audio = self.keep(result.stem)
        planner.learn(_timing(began_s, step_times_s, self.now_s(), rung, result.hurried_after is not None))
        settings = replace(request.settings, max_steps=result.hurried_after)
        ringing = result.notes
        return Sound(
            audio=audio,
            instrument=order.instrument,
            request=replace(request, settings=settings, revision=None),
            notes=None if ringing is None else tuple(crop_notes(ringing, 0.0, self.clock.duration_s)),
            ringing=ringing,
            fit=result.fit_to_keep(),
            seconds_spent=result.seconds_spent,
            sound_seed=request.seed if request.revision is None else request.revision.sound_seed,
            model_id=result.model_id,
            part_s=part_s,
            is_repeatable=order.is_repeatable,
        )

    def _request(self, order: Order, rung: int) -> tuple[GenerationRequest, tuple[float, float] | None]:
        controls = order.controls
        settings = settings_from_preset(
            PRESET,
            num_steps=steps_of_rung(rung),
            temperature=controls.temperature,
            context_guidance_scale=controls.guidance,
            density=controls.density,
            num_candidates=1,  # drafting several takes several times as long
        )
        part_s = None if order.before is None else self._part(controls.variation, order.seed)
        request = GenerationRequest(
            order.instrument,
            order.seed,
            settings,
            genre=controls.genre,
            genre_to=None if controls.genre is None else controls.genre_to,
            genre_morph=0.0 if controls.genre is None or controls.genre_to is None else controls.genre_morph,
            is_loop=True,
        )
        if part_s is None or order.before is None:
            return request, None
        sound, waveform = order.before
        revision = Revision(waveform, sound.ringing or sound.notes, part_s[0], part_s[1], sound.sound_seed)
        return replace(request, revision=revision), part_s

    def _part(self, variation: float, seed: int) -> tuple[float, float] | None:
        """Return which bars are made anew: a share of them in a row, anywhere; None for all with a new sound."""
        if variation >= 1:
            return None
        lines_s = self.clock.bar_starts_s()
        num_bars = max(1, round(variation * self.clock.num_bars))
        first = random.Random(seed).randrange(self.clock.num_bars - num_bars + 1)
        return lines_s[first], lines_s[first + num_bars]


def draw_seed(rng: random.Random) -> int:
    """Return a seed for a version."""
    return rng.randrange(min(MAX_SEED, 1_000_000))


def heard_mix(
    sounds: Sequence[Waveform], fallback: Waveform, mix: Callable[[Sequence[Waveform]], Waveform]
) -> Waveform:
    """Return the mix to listen to; what keeps time where it is silent."""
    if sounds:
        total = mix(sounds)
        if float(total.samples.abs().max()) >= SILENT_BELOW:
            return total
    return fallback


def add_recorded(mix: Waveform, recorded: Waveform | None) -> Waveform:
    """Return a mix with what the microphone heard in it, on all channels."""
    if recorded is None:
        return mix
    return Waveform(mix.samples + recorded.samples, mix.sample_rate_hz)


def _pace_s(steps_s: Sequence[float]) -> float | None:
    """Return what a step takes on average; None before the second is done."""
    return (steps_s[-1] - steps_s[0]) / (len(steps_s) - 1) if len(steps_s) > 1 else None


def _timing(began_s: float, steps_s: Sequence[float], ended_s: float, rung: int, was_hurried: bool) -> Timing:
    """Take the times apart; the first step's own time is taken to be that of the others."""
    if len(steps_s) < 2:
        return Timing(rung, 0.0, max(1e-4, ended_s - began_s), 0.0, 1, True)
    step_s = (steps_s[-1] - steps_s[0]) / (len(steps_s) - 1)
    lead_s = max(0.0, steps_s[0] - began_s - step_s)
    return Timing(rung, lead_s, max(step_s, 1e-4), ended_s - steps_s[-1], len(steps_s), was_hurried)


class Microphone:
    """The latest whole loop that came from a microphone, put where in the loop it was played.

    Args:
        clock: of the loop.
    """

    def __init__(self, clock: LoopClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._samples = torch.zeros(1, clock.num_frames)
        self._is_open = False

    def set_open(self, is_open: bool) -> None:
        """Begin to listen, or stop and forget."""
        with self._lock:
            self._is_open = is_open
            self._samples.zero_()

    @property
    def is_open(self) -> bool:
        """Whether it is listened to."""
        return self._is_open

    def write(self, at_frame: int, samples: torch.Tensor) -> None:
        """Put a block where it was played; it takes the place of what was played there a loop ago.

        Args:
            at_frame: place in the loop of its first sample; any whole number.
            samples: float32 [N], N at most a loop.

        Raises:
            ValueError: if it is longer than a loop.
        """
        if len(samples) > self._clock.num_frames:
            raise ValueError(f"a block of {len(samples)} samples does not fit a loop of {self._clock.num_frames}")
        with self._lock:
            if self._is_open:
                places = torch.arange(at_frame, at_frame + len(samples)) % self._clock.num_frames
                self._samples[0, places] = samples

    def latest(self) -> Waveform | None:
        """Return the loop as it was last played, [1, L]; None if nothing is listened to or to be heard."""
        with self._lock:
            if not self._is_open or float(self._samples.abs().max()) < SILENT_BELOW:
                return None
            return Waveform(self._samples.clone(), self._clock.sample_rate_hz)
