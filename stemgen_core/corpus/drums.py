"""Drum parts: a groove per section, small variations, fills into the next section."""

import random
from dataclasses import dataclass

from stemgen_core.corpus.groove import DRUM_KEYS, GROOVES
from stemgen_core.corpus.plan import Event, Plan, Section

_LANE_VELOCITY = {"kick": 108, "snare": 104, "clap": 98, "crash": 104, "rim": 88, "hat": 80, "open": 84, "ride": 82}
_ACCENTED_LANES = ("hat", "ride", "shaker", "tambourine")
_GHOST_VELOCITY = 42


@dataclass(frozen=True, slots=True)
class DrumPart:
    """What the drums play and what others may lock to.

    Attributes:
        events: strokes.
        kick_steps: for each section label the steps of its loop's first bar with a kick, ascending.
    """

    events: tuple[Event, ...]
    kick_steps: dict[str, tuple[int, ...]]


def _draw_bar(lanes: dict[str, str], rng: random.Random) -> dict[str, list[tuple[int, int]]]:
    """Draw one bar: for each lane (step, velocity) pairs. Unlikely snare strokes are ghost notes."""
    bar = {}
    for lane, chances in lanes.items():
        strokes = []
        for step, character in enumerate(chances):
            chance = {".": 0.0, "x": 1.0}.get(character) if character in ".x" else int(character) / 10
            if chance and rng.random() < chance:
                velocity = _LANE_VELOCITY.get(lane, 76)
                if lane == "snare" and chance < 0.6:
                    velocity = _GHOST_VELOCITY
                elif lane in _ACCENTED_LANES and step % 4:
                    velocity -= 14 if step % 2 == 0 else 26
                strokes.append((step, velocity))
        bar[lane] = strokes
    return bar


def _fill(plan: Plan, bar: int, rng: random.Random) -> tuple[int, list[Event]]:
    """Return where a fill at the end of a bar begins, and its strokes."""
    steps = plan.meter.steps_per_bar
    length = rng.choice((4, 4, 8)) if plan.meter.steps_per_beat == 4 else 6
    begin = (bar + 1) * steps - length
    lanes = rng.choice((("snare",), ("snare", "tom_high", "tom_mid", "tom_low"), ("tom_high", "tom_mid", "tom_low")))
    stride = rng.choice((1, 1, 2))
    strokes = [
        Event(begin + offset, 1, DRUM_KEYS[lanes[offset * len(lanes) // length]], 78 + offset * 34 // length)
        for offset in range(0, length, stride)
        if rng.random() < 0.85
    ]
    return begin, strokes


def _section_events(
    plan: Plan,
    section: Section,
    loop: list[dict[str, list[tuple[int, int]]]],
    muted: frozenset[str],
    rng: random.Random,
) -> list[Event]:
    steps = plan.meter.steps_per_bar
    has_fill = rng.random() < 0.55
    fill_start, fill = _fill(plan, section.end_bar - 1, rng)
    if not has_fill:
        fill_start, fill = section.end_bar * steps, []
    events = []
    for bar in range(section.start_bar, section.end_bar):
        pattern = loop[(bar - section.start_bar) % len(loop)]
        for lane, strokes in pattern.items():
            for step, velocity in strokes:
                position = bar * steps + step
                is_dropped = lane in muted or (position >= fill_start and lane not in ("kick", "hat"))
                if not is_dropped and not (velocity == _GHOST_VELOCITY and rng.random() < 0.25):
                    loudness = velocity * (0.8 + 0.2 * section.energy)
                    events.append(Event(position, 1, DRUM_KEYS[lane], round(loudness)))
    if "crash" not in muted and section.start_bar > 0 and rng.random() < 0.5:
        events.append(Event(section.start_bar * steps, 4, DRUM_KEYS["crash"], 104))
    return events + fill


def write_drums(plan: Plan, rng: random.Random) -> DrumPart:
    """Write the drum part of a piece.

    Args:
        plan: grid and form.
        rng: all choices come from it.
    """
    first = rng.choice(plan.genre.grooves)
    second = rng.choice(plan.genre.grooves) if rng.random() < 0.45 else first
    loops, muted = {}, {}
    for label, name in (("A", first), ("B", second)):
        lanes = GROOVES[name]
        one = _draw_bar(lanes, rng)
        other = _draw_bar(lanes, rng)
        loops[label] = rng.choice(([one], [one, other], [one, one, one, other]))
        muted[label] = frozenset({"crash"} if rng.random() < 0.3 else ())
    if first == second and rng.random() < 0.7:
        loops["B"] = loops["A"]
    events: list[Event] = []
    for section in plan.sections:
        silent = set(muted[section.label])
        if section.energy < 0.6 and rng.random() < 0.35:
            silent |= {rng.choice(("kick", "snare", "hat"))}
        events += _section_events(plan, section, loops[section.label], frozenset(silent), rng)
    kicks = {label: tuple(step for step, _ in loop[0].get("kick", ())) for label, loop in loops.items()}
    return DrumPart(tuple(events), kicks)
