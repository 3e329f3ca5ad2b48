"""Bass parts: families of lines over the chords, coupled to the kick."""

import random
from collections.abc import Sequence

from stemgen_core.corpus.melody import theme_events
from stemgen_core.corpus.plan import ChordSpot, Event, Plan
from stemgen_core.corpus.theory import nearest_pitch

LOW, HIGH = 28, 52

# Onsets in a 16-step bar, each "step:tone" with tone r root, 5 fifth, 8 octave, 3 third, 7 seventh or sixth.
_LINES: dict[str, tuple[str, ...]] = {
    "root": ("0:r", "0:r 8:r", "0:r 4:r 8:r 12:r", "0:r 6:r 8:r", "0:r 8:r 14:r"),
    "root_fifth": ("0:r 8:5", "0:r 6:r 8:5 14:5", "0:r 4:r 8:5 12:5", "0:r 8:5 12:8"),
    "octave": ("0:r 2:8 4:r 6:8 8:r 10:8 12:r 14:8", "0:r 4:8 8:r 12:8", "0:r 3:8 8:r 11:8 14:r"),
    "eighths": ("0:r 2:r 4:r 6:r 8:r 10:r 12:r 14:r", "0:r 2:r 4:r 6:r 8:r 10:r 12:5 14:7"),
    "sixteenths": (
        "1:r 2:r 3:r 5:r 6:r 7:r 9:r 10:r 11:r 13:r 14:r 15:r",
        "0:r 2:r 3:r 4:r 6:r 7:r 8:r 10:r 11:r 12:r 14:r 15:8",
    ),
    "offbeat": ("2:r 6:r 10:r 14:r", "2:r 6:r 10:r 14:8", "2:r 3:r 6:r 10:r 11:r 14:r"),
    "pedal": ("0:r",),
    "two_feel": ("0:r 8:5", "0:r 8:3", "0:r 8:5 14:7"),
    "shuffle": ("0:r 2:r 4:r 6:r 8:5 10:5 12:r 14:r", "0:r 2:r 4:5 6:5 8:7 10:7 12:5 14:5"),
    "boogie": ("0:r 4:3 8:5 12:7", "0:r 2:r 4:3 6:3 8:5 10:5 12:7 14:7"),
    "bossa": ("0:r 6:5 8:5 14:r", "0:r 6:r 8:5 14:5"),
    "tumbao": ("6:5 12:8", "0:r 6:5 12:r"),
    "dub": ("0:r 3:r 4:5 8:r 11:5 12:8", "0:r 6:r 7:5 8:8", "4:r 6:r 8:5 10:7 12:r", "0:r 2:r 4:3 8:5"),
    "syncopated": (
        "0:r 3:r 6:8 8:r 11:5 14:7",
        "0:r 2:r 7:8 10:r 14:5",
        "0:r 6:r 7:8 12:5 14:7",
        "0:r 3:5 6:r 10:r 13:8",
    ),
    "arpeggio": ("0:r 2:3 4:5 6:8 8:r 10:3 12:5 14:8", "0:r 4:5 8:8 12:5", "0:r 2:5 4:8 6:5 8:3 10:5 12:8 14:5"),
    "walk_up": ("0:r 8:r", "0:r 6:r 8:5", "0:r 4:3 8:5 12:r"),
}
# The same idea in twelve steps: three quarters, or two dotted quarters.
_LINES_WALTZ = ("0:r", "0:r 8:5", "0:r 4:5 8:5", "0:r 4:3 8:5", "0:r 10:5")
_LINES_SIX = ("0:r", "0:r 6:5", "0:r 6:r", "0:r 4:r 6:r 10:5", "0:r 2:3 4:5 6:8 8:5 10:3", "0:r 4:5 6:r 10:r")

STYLES = (*_LINES, "kick", "walking", "theme")
_APPROACHING = ("root_fifth", "root", "walk_up", "kick", "syncopated", "boogie", "eighths")


def _tone(kind: str, spot: ChordSpot, root_pitch: int) -> int:
    """Return the key of a chord tone above the root, brought into range."""
    tones: Sequence[int] = spot.chord.pitch_classes
    num_tones = len(tones)  # two in a power chord
    third = tones[1] - spot.chord.root
    fifth = tones[min(2, num_tones - 1)] - spot.chord.root
    seventh = (tones[3] - spot.chord.root) % 12 if num_tones > 3 else 12
    interval = {"r": 0, "5": fifth % 12, "8": 12, "3": third % 12, "7": seventh}[kind]
    pitch = root_pitch + interval
    return pitch - 12 if pitch > HIGH else pitch


def _parse(line: str) -> list[tuple[int, str]]:
    return [(int(step), tone) for step, tone in (onset.split(":") for onset in line.split())]


def _loop_line(style: str, plan: Plan, kick_steps: tuple[int, ...], rng: random.Random) -> list[tuple[int, str]]:
    """Return the onsets of a one-bar loop."""
    if style == "kick" and kick_steps:
        extra = [step for step in range(2, plan.meter.steps_per_bar, 2) if rng.random() < 0.12]
        steps = sorted({0, *kick_steps, *extra})
        return [(step, "r" if step in kick_steps or step == 0 else rng.choice("r58")) for step in steps]
    if plan.meter.steps_per_bar == 12:
        return _parse(rng.choice(_LINES_WALTZ if plan.meter.beats_per_bar == 3 else _LINES_SIX))
    return _parse(rng.choice(_LINES.get(style, _LINES["root"])))


def _walking_events(plan: Plan, rng: random.Random) -> list[Event]:
    """One note a beat: root first, chord and scale tones between, a step into the next chord at its end."""
    beat, events = plan.meter.steps_per_beat, []
    pitch = 40
    for index, spot in enumerate(plan.spots):
        following = plan.spots[min(index + 1, len(plan.spots) - 1)].chord.root
        num_beats = max(1, (spot.end_step - spot.start_step) // beat)
        direction = rng.choice((1, -1))
        for number in range(num_beats):
            step = spot.start_step + number * beat
            if number == 0:
                pitch = nearest_pitch(pitch, (spot.chord.root,), LOW, HIGH)
            elif number == num_beats - 1:
                target = nearest_pitch(pitch, (following,), LOW, HIGH)
                pitch = max(LOW, min(HIGH, target + rng.choice((1, -1, 2, -2) if number > 1 else (1, -1))))
            else:
                pool = spot.chord.pitch_classes if rng.random() < 0.75 else plan.scale_at(step)
                goal = pitch + direction * rng.choice((3, 4))
                if not LOW + 2 <= goal <= HIGH - 2:
                    direction = -direction
                    goal = pitch + direction * 4
                pitch = nearest_pitch(goal, pool, LOW, HIGH)
            events.append(Event(step, beat * 0.92, pitch, 96 if number % 2 else 90))
            if rng.random() < 0.06:  # a skipped eighth now and then
                events[-1] = Event(step, beat * 0.5, pitch, 92)
                events.append(Event(step + beat / 2, beat * 0.4, pitch, 78))
    return events


def _bar_events(
    plan: Plan, bar: int, line: list[tuple[int, str]], previous_root: int, gate: float
) -> tuple[list[Event], int]:
    """Set a one-bar line over the chords of a bar; adds the root where a chord begins without an onset near it."""
    steps = plan.meter.steps_per_bar
    begin = bar * steps
    onsets = dict(line)
    for spot in plan.spots:
        inside = spot.start_step - begin
        if 0 < inside < steps and not any(inside <= step < inside + 4 for step in onsets):
            onsets[inside] = "r"
    ordered = sorted(onsets)
    events, seen = [], None
    for index, step in enumerate(ordered):
        spot = plan.spot_at(begin + step)
        previous_root = nearest_pitch((previous_root + 38) / 2, (spot.chord.root,), LOW, HIGH - 8)
        kind = onsets[step] if spot is seen or onsets[step] in "r58" else "r"
        if spot is not seen and step == spot.start_step - begin:
            kind = "r"  # a new chord is heard from its root
        seen = spot
        end = ordered[index + 1] if index + 1 < len(ordered) else steps
        length = max(0.4, (min(end, spot.end_step - begin) - step) * gate)
        velocity = 100 if step % plan.meter.steps_per_beat == 0 else 88
        events.append(Event(begin + step, length, _tone(kind, spot, previous_root), velocity))
    return events, previous_root


def write_bass(plan: Plan, style: str, kick_steps: dict[str, tuple[int, ...]], rng: random.Random) -> list[Event]:
    """Write a bass part.

    Args:
        plan: grid, form and harmony.
        style: a name of `STYLES`.
        kick_steps: `DrumPart.kick_steps`.
        rng: all choices come from it.
    """
    if style == "walking":
        return _walking_events(plan, rng)
    if style == "theme":
        return theme_events(plan, (LOW, HIGH))
    lines = {label: _loop_line(style, plan, kick_steps.get(label, ()), rng) for label in ("A", "B")}
    if rng.random() < 0.6:
        lines["B"] = lines["A"]
    gate = rng.choice((0.55, 0.8, 0.95, 0.98)) if style != "pedal" else 1.0
    events: list[Event] = []
    root = 38
    for section in plan.sections:
        has_approach = style in _APPROACHING and rng.random() < 0.4
        for bar in range(section.start_bar, section.end_bar):
            bar_events, root = _bar_events(plan, bar, lines[section.label], root, gate)
            last = bar_events[-1]
            end = (bar + 1) * plan.meter.steps_per_bar
            following = plan.spot_at(end).chord.root
            if has_approach and following != plan.spot_at(end - 1).chord.root and last.step < end - 2:
                target = nearest_pitch(last.pitch, (following,), LOW + 1, HIGH)
                bar_events[-1] = Event(last.step, min(last.length, end - 2 - last.step), last.pitch, last.velocity)
                bar_events.append(Event(end - 2, 1.8, target + rng.choice((-1, -2, 2)), 86))
            events += bar_events
    return events
