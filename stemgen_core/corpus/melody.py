"""Single-voice parts: melodies from motifs, riffs, long lines."""

import random
from dataclasses import dataclass

from stemgen_core.corpus.plan import Event, Plan
from stemgen_core.corpus.theory import nearest_pitch, pitches_in_range

STYLES = ("melody", "riff", "line", "theme")

REGISTERS: dict[str, tuple[int, int]] = {
    "piano": (65, 88),
    "mallets": (65, 91),
    "organ": (62, 84),
    "guitar": (55, 79),
    "strings": (57, 86),
    "ensemble": (60, 84),
    "brass": (55, 77),
    "reed": (55, 79),
    "pipe": (67, 91),
    "synth_lead": (60, 86),
    "synth_pad": (57, 81),
    "ethnic": (55, 79),
    "percussive": (62, 86),
    "synth_effects": (60, 84),
}


@dataclass(frozen=True, slots=True)
class _Motif:
    """Onsets and contour of a phrase: (step, length, scale steps from the note before)."""

    notes: tuple[tuple[int, int, int], ...]
    num_steps: int


def _draw_rhythm(plan: Plan, num_steps: int, density: float, rng: random.Random) -> list[int]:
    """Draw onsets, likelier where the metre is strong; the loop's end is left free to breathe."""
    beat, is_coarse = plan.meter.steps_per_beat, plan.genre.swing[0] >= 0.6 or plan.meter.steps_per_beat == 6
    onsets = []
    for step in range(num_steps):
        if is_coarse and step % 2:
            continue
        weight = 0.75 if step % beat == 0 else 0.5 if step % 2 == 0 else 0.12
        if step >= num_steps * 0.85:
            weight *= 0.4
        if rng.random() < weight * density:
            onsets.append(step)
    return onsets or [0]


def _draw_motif(plan: Plan, num_bars: int, density: float, rng: random.Random) -> _Motif:
    num_steps = num_bars * plan.meter.steps_per_bar
    onsets = _draw_rhythm(plan, num_steps, density, rng)
    gate_choices = (1.0, 1.0, 0.6)
    notes = []
    for index, step in enumerate(onsets):
        end = onsets[index + 1] if index + 1 < len(onsets) else num_steps
        longest = plan.meter.steps_per_beat * rng.choice((1, 2, 2, 4))
        length = max(1, round(min(end - step, longest) * rng.choice(gate_choices)))
        notes.append((step, length, rng.choice((-1, 1, -1, 1, -2, 2, 0, 0, 3, -3, 4, -4))))
    return _Motif(tuple(notes), num_steps)


def _sing(plan: Plan, motif: _Motif, begin: int, pitch: int, register: tuple[int, int]) -> tuple[list[Event], int]:
    """Set a motif over the chords from a step on; strong and long notes are chord tones."""
    low, high = register
    beat, end_step = plan.meter.steps_per_beat, plan.spots[-1].end_step
    events = []
    for step, length, move in motif.notes:
        position = begin + step
        if position >= end_step:
            break
        scale = pitches_in_range(plan.scale_at(position), low, high)
        nearest = min(range(len(scale)), key=lambda index: abs(scale[index] - pitch))
        target = nearest + move
        if not 0 <= target < len(scale):
            target = nearest - move
        pitch = scale[max(0, min(len(scale) - 1, target))]
        chord = plan.spot_at(position)
        if position % beat == 0 or length >= beat or position == chord.start_step:
            pitch = nearest_pitch(pitch + 0.1 * move, chord.chord.pitch_classes, low, high)
        if chord.end_step < position + length and pitch % 12 not in plan.scale_at(chord.end_step):
            length = chord.end_step - position
        events.append(Event(position, length * 0.95, pitch, 98 if position % beat == 0 else 88))
    return events, pitch


def _melody_events(plan: Plan, register: tuple[int, int], rng: random.Random) -> list[Event]:
    density = rng.uniform(0.45, 1.0)
    num_bars = rng.choice((1, 2, 2))
    first, second = (_draw_motif(plan, num_bars, density, rng) for _ in range(2))
    form = rng.choice(((0, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1), (0, 1, 0, 2), (0, 2, 0, 1)))  # 2 rests
    centre = rng.randint(register[0] + 5, register[1] - 6)
    events, pitch = [], centre
    for number, begin in enumerate(range(0, plan.spots[-1].end_step, first.num_steps)):
        choice = form[number % 4]
        if choice == 2:
            continue
        if number % 2 == 0:
            pitch = nearest_pitch(centre, plan.spot_at(begin).chord.pitch_classes, *register)
        sung, pitch = _sing(plan, (first, second)[choice], begin, pitch, register)
        events += sung
    return events


def _riff_events(plan: Plan, register: tuple[int, int], rng: random.Random) -> list[Event]:
    """Repeat a bar of chord tones, the same rungs of each chord's ladder."""
    steps = plan.meter.steps_per_bar
    onsets = _draw_rhythm(plan, steps, rng.uniform(0.5, 0.95), rng)
    rungs = [rng.randrange(4) for _ in onsets]
    gate = rng.choice((0.5, 0.8, 1.0))
    low = rng.randint(register[0], register[1] - 17)
    events = []
    for bar in range(plan.num_bars):
        for index, step in enumerate(onsets):
            position = bar * steps + step
            end = onsets[index + 1] if index + 1 < len(onsets) else steps
            ladder = pitches_in_range(plan.spot_at(position).chord.pitch_classes, low, register[1])
            length = max(0.5, min(end - step, plan.meter.steps_per_beat * 2) * gate)
            length = min(length, plan.spot_at(position).end_step - position)
            accent = 96 if step % plan.meter.steps_per_beat == 0 else 86
            events.append(Event(position, length, ladder[min(rungs[index], len(ladder) - 1)], accent))
    return events


def _line_events(plan: Plan, register: tuple[int, int], rng: random.Random) -> list[Event]:
    """Hold guide tones: the third or seventh of each chord, whichever is nearer."""
    pitch, events = rng.randint(register[0] + 6, register[1] - 6), []
    halves = rng.random() < 0.35
    for spot in plan.spots:
        tones = spot.chord.pitch_classes[1:] or spot.chord.pitch_classes
        pitch = nearest_pitch(pitch, tones, *register)
        length = spot.end_step - spot.start_step
        if halves and length >= 8:
            events.append(Event(spot.start_step, length / 2 - 0.2, pitch, 86))
            upper = nearest_pitch(pitch + rng.choice((-4, 4)), spot.chord.pitch_classes, *register)
            events.append(Event(spot.start_step + length // 2, length / 2 - 0.2, upper, 82))
        elif events and events[-1].pitch == pitch and events[-1].length < plan.meter.steps_per_bar * 1.5:
            last = events.pop()
            events.append(Event(last.step, spot.end_step - last.step - 0.2, pitch, last.velocity))
        else:
            events.append(Event(spot.start_step, length - 0.2, pitch, 86))
    return events


def theme_events(plan: Plan, register: tuple[int, int]) -> list[Event]:
    """Return the piece's theme in a register, as often as the piece is long.

    Raises:
        ValueError: if the piece has no theme.
    """
    theme = plan.theme
    if theme is None:
        raise ValueError("the plan has no theme")
    events, num_steps = [], theme.num_bars * plan.meter.steps_per_bar
    centre = sum(register) / 2
    middle = sum(note.pitch for note in theme.notes) / len(theme.notes)
    octave = 12 * round((centre - middle) / 12)
    for section in plan.sections:
        begin, end = section.start_bar * plan.meter.steps_per_bar, section.end_bar * plan.meter.steps_per_bar
        # A theme longer than its section runs on; others begin again with each section.
        first = begin - begin % num_steps if num_steps > end - begin else begin
        for repeat in range(first, end, num_steps):
            for note in theme.notes:
                step = repeat + note.step
                if begin <= step < end:
                    spot = plan.spot_at(step)
                    if theme.kind == "riff":
                        pitch = nearest_pitch(register[0] + 8, (spot.chord.root,), *register) + note.pitch
                    else:
                        pitch = note.pitch + spot.key_shift + octave
                    pitch = _into(pitch, register)
                    accent = 100 if step % plan.meter.steps_per_beat == 0 else 88
                    events.append(Event(step, min(note.length, end - step), pitch, accent))
    return events


def _into(pitch: int, register: tuple[int, int]) -> int:
    """Return the pitch moved by octaves into a register of at least an octave."""
    while pitch < register[0]:
        pitch += 12
    while pitch > register[1]:
        pitch -= 12
    return pitch


def write_melody(plan: Plan, style: str, register: tuple[int, int], rng: random.Random) -> list[Event]:
    """Write a single-voice part.

    Args:
        plan: grid, form and harmony.
        style: a name of `STYLES`.
        register: lowest and highest key.
        rng: all choices come from it.
    """
    if style == "theme":
        return theme_events(plan, register)
    writers = {"melody": _melody_events, "riff": _riff_events, "line": _line_events}
    return writers[style](plan, register, rng)
