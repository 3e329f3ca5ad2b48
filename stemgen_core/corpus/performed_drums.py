"""Drums as a person played them, as the drum part of a composed piece."""

import statistics
from dataclasses import dataclass

from stemgen_core.corpus.clock import METERS, BeatClock
from stemgen_core.corpus.drums import DrumPart
from stemgen_core.corpus.groove import DRUM_KEYS
from stemgen_core.corpus.plan import Event, Plan

STEPS_PER_BAR = METERS["4/4"].steps_per_bar
_SWUNG_PAIR = 4  # steps: eighths are swung
_OFFBEAT_STEPS = (1.6, 2.8)  # where in a pair an off-beat eighth may fall
_LEAST_OFFBEATS = 16
_STRAIGHT_BELOW = 0.54
_MOST_SWING = 0.67
_KICK_SHARE = 0.5  # of the bars: what is struck as often belongs to the groove


@dataclass(frozen=True, slots=True)
class Stroke:
    """One stroke of a performance.

    Attributes:
        step: sixteenths from the first bar line, with fractions: where it was really played.
        key: General MIDI drum key.
        velocity: 1..127.
    """

    step: float
    key: int
    velocity: int


@dataclass(frozen=True, slots=True)
class DrumPerformance:
    """A performance in 4/4.

    Attributes:
        strokes: sorted, from the first bar line on.
        num_bars: whole bars, 1 or more.
        tempo_bpm: of the click it was played to.
        genres: names of `genre_table.GENRES` that it suits, one or more.
    """

    strokes: tuple[Stroke, ...]
    num_bars: int
    tempo_bpm: float
    genres: tuple[str, ...]

    @property
    def swing(self) -> float:
        """Share of a pair of eighths that its first half takes, 0.5 (straight) .. 0.67, by where off-beats lie."""
        low, high = _OFFBEAT_STEPS
        inside = [stroke.step % _SWUNG_PAIR for stroke in self.strokes if low < stroke.step % _SWUNG_PAIR < high]
        if len(inside) < _LEAST_OFFBEATS:
            return 0.5
        swing = statistics.median(inside) / _SWUNG_PAIR
        return 0.5 if swing < _STRAIGHT_BELOW else min(swing, _MOST_SWING)


def centred(strokes: list[Stroke]) -> list[Stroke]:
    """Return strokes moved together, so that as many come early as come late.

    A click in headphones is followed with an offset of up to 20 ms, by player and kit; the music that is composed to
    them has to sit where they sit.
    """
    if not strokes:
        return []
    offset = statistics.median(stroke.step - round(stroke.step) for stroke in strokes)
    return [Stroke(stroke.step - offset, stroke.key, stroke.velocity) for stroke in strokes]


def perform_drums(plan: Plan, clock: BeatClock, performance: DrumPerformance, first_bar: int) -> DrumPart:
    """Lay a performance under a plan, from one of its bars on; one that ends begins again.

    Args:
        plan: grid and form, in 4/4.
        clock: swings as the performance does; what it would swing once more is taken out.
        performance: what was played.
        first_bar: of the performance, 0 .. num_bars - 1: played in the plan's first bar.

    Raises:
        ValueError: if the plan isn't in 4/4.
    """
    if plan.meter.steps_per_bar != STEPS_PER_BAR:
        raise ValueError(f"a performance has {STEPS_PER_BAR} steps a bar, the plan {plan.meter.steps_per_bar}")
    bars: list[list[Stroke]] = [[] for _ in range(performance.num_bars)]
    for stroke in performance.strokes:
        # An early first beat belongs to the bar that it opens.
        bar = int((stroke.step + 0.5) // STEPS_PER_BAR)
        if bar < performance.num_bars:
            bars[bar].append(stroke)
    events = []
    for number in range(plan.num_bars):
        source = (first_bar + number) % performance.num_bars
        shift = (number - source) * STEPS_PER_BAR
        events += [Event(clock.unswung(stroke.step + shift), 1, stroke.key, stroke.velocity) for stroke in bars[source]]
    kicks = _steady_kicks(bars)
    return DrumPart(tuple(events), {"A": kicks, "B": kicks})


def _steady_kicks(bars: list[list[Stroke]]) -> tuple[int, ...]:
    """Return the steps that have a kick in at least half of the bars, ascending."""
    counts = [0] * STEPS_PER_BAR
    for bar in bars:
        for step in {round(stroke.step) % STEPS_PER_BAR for stroke in bar if stroke.key == DRUM_KEYS["kick"]}:
            counts[step] += 1
    return tuple(step for step, count in enumerate(counts) if count >= _KICK_SHARE * len(bars))
