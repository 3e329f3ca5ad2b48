"""Pieces that start from a melody or a riff: the theme first, then the harmony that suits it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from stemgen_core.corpus.clock import Meter
from stemgen_core.corpus.theory import QUALITIES, Chord, scale_pitch_classes

# Usual successors of degrees 1..7, for harmonising.
_FOLLOWS: dict[int, tuple[int, ...]] = {
    0: (3, 4, 5, 1),
    1: (4, 3),
    2: (5, 3),
    3: (4, 0, 1),
    4: (0, 5, 3),
    5: (3, 1, 4),
    6: (0, 2),
}
_MELODY_RANGE = (57, 81)  # before it is moved into an instrument's register
_RIFF_SCALES = {"minor": (0, 3, 5, 7, 10), "major": (0, 2, 4, 7, 9), "blues": (0, 3, 5, 6, 7, 10)}
_RIFF_ROOTS = ((0,), (0, 0, 0, 10), (0, 0, 5, 0), (0, 0, 3, 5), (0, 8, 10, 0), (0, 0, 5, 7))


@dataclass(frozen=True, slots=True)
class ThemeNote:
    """A note of a theme: onset and length in grid steps, MIDI key (melody) or interval above the root (riff)."""

    step: int
    length: float
    pitch: int


@dataclass(frozen=True, slots=True)
class Theme:
    """What a piece starts from.

    Attributes:
        kind: "melody" or "riff".
        notes: within the loop, ascending in time; keys of the piece's first key, or intervals above each chord's root.
        num_bars: length of the loop.
        chords: the harmony found for it, bar by bar.
    """

    kind: str
    notes: tuple[ThemeNote, ...]
    num_bars: int
    chords: tuple[tuple[Chord, ...], ...]

    @property
    def onset_steps(self) -> tuple[int, ...]:
        """Onsets, ascending."""
        return tuple(note.step for note in self.notes)


def _draw_phrase(meter: Meter, density: float, is_coarse: bool, rng: random.Random) -> list[tuple[int, int]]:
    """Draw (step, length) pairs of two bars; the second bar ends on a long note."""
    steps = meter.steps_per_bar
    onsets = []
    for step in range(2 * steps):
        is_late = step >= 2 * steps - 2 * meter.steps_per_beat
        if (is_coarse and step % 2) or is_late:
            continue
        weight = 0.8 if step % meter.steps_per_beat == 0 else 0.45 if step % 2 == 0 else 0.1
        if rng.random() < weight * density:
            onsets.append(step)
    onsets = onsets or [0]
    landing = 2 * steps - 2 * meter.steps_per_beat
    onsets = [step for step in onsets if step < landing] + [landing]
    ends = [*onsets[1:], 2 * steps]
    return [(step, min(end - step, 3 * meter.steps_per_beat)) for step, end in zip(onsets, ends, strict=True)]


def draw_melody_theme(key: int, mode: str, meter: Meter, swing: float, rng: random.Random) -> Theme:
    """Draw a tune of four or eight bars and harmonise it.

    A phrase of two bars is stated, answered, and stated again with another ending; the tune comes to rest on the tonic.
    """
    scale = scale_pitch_classes(key, mode)
    ladder = [pitch for pitch in range(_MELODY_RANGE[0], _MELODY_RANGE[1] + 1) if pitch % 12 in scale]
    density = rng.uniform(0.6, 1.0)
    is_coarse = swing >= 0.6 or meter.steps_per_beat == 6
    first, second = (_draw_phrase(meter, density, is_coarse, rng) for _ in range(2))
    form = rng.choice(((first, second), (first, first), (first, second, first, second), (first, first, second, first)))
    contours: dict[int, list[int]] = {}
    start = min(range(len(ladder)), key=lambda index: abs(ladder[index] - rng.randint(64, 74)))
    notes: list[ThemeNote] = []
    for number, phrase in enumerate(form):
        if id(phrase) not in contours:
            contours[id(phrase)] = [rng.choice((-1, 1, -1, 1, 2, -2, 0, 3, -3)) for _ in phrase]
        index = start + rng.choice((0, 0, 2, -2)) * (number % 2)
        for (step, length), move in zip(phrase, contours[id(phrase)], strict=True):
            index += move
            if not 1 <= index <= len(ladder) - 2:
                index -= 2 * move
            index = max(0, min(len(ladder) - 1, index))
            is_last = step == phrase[-1][0]
            # phrases come to rest on a stable tone, the last on the tonic
            wanted = (scale[0],) if is_last and number == len(form) - 1 else (scale[0], scale[2], scale[4])
            if is_last:
                index = min(range(len(ladder)), key=lambda i: (ladder[i] % 12 not in wanted, abs(i - index)))
            notes.append(ThemeNote(step + 2 * number * meter.steps_per_bar, length, ladder[index]))
    num_bars = 2 * len(form)
    return Theme("melody", tuple(notes), num_bars, _harmonise(notes, num_bars, scale, meter, rng))


def _triads(scale: Sequence[int]) -> list[Chord]:
    qualities: dict[tuple[int, ...], str] = {
        intervals: name for name, intervals in QUALITIES.items() if len(intervals) == 3
    }
    chords = []
    for degree in range(7):
        tones = [scale[(degree + offset) % 7] for offset in (0, 2, 4)]
        chords.append(Chord(tones[0], qualities[tuple((tone - tones[0]) % 12 for tone in tones)]))
    return chords


def _harmonise(
    notes: Sequence[ThemeNote], num_bars: int, scale: Sequence[int], meter: Meter, rng: random.Random
) -> tuple[tuple[Chord, ...], ...]:
    """Choose a triad for each bar: it must hold what the melody leans on, and follow from the chord before."""
    triads = _triads(scale)
    bars: list[tuple[Chord, ...]] = []
    before = 0
    for bar in range(num_bars):
        begin = bar * meter.steps_per_bar
        inside = [note for note in notes if begin <= note.step < begin + meter.steps_per_bar]
        scores = []
        for degree, triad in enumerate(triads):
            score = rng.uniform(0, 0.9) + _support(triad, inside, meter)
            score += 0.8 * (degree in _FOLLOWS[before]) - 0.6 * (degree == before)
            score += 1.2 * (degree == 0 and bar in (0, num_bars - 1)) + 0.9 * (degree == 4 and bar == num_bars - 2)
            scores.append(score - 2.0 * (triad.quality == "dim"))
        before = scores.index(max(scores))
        bars.append((triads[before],))
    return tuple(bars)


def _support(chord: Chord, notes: Sequence[ThemeNote], meter: Meter) -> float:
    """Return how well a chord carries a bar of melody: long notes and those on the beat count most."""
    total = 0.0
    for note in notes:
        weight = max(0.2, note.length / meter.steps_per_beat - 0.1 * (note.step % meter.steps_per_beat))
        total += weight * (1.0 if note.pitch % 12 in chord.pitch_classes else -0.8)
    return total


def draw_riff_theme(key: int, mode: str, meter: Meter, is_heavy: bool, rng: random.Random) -> Theme:
    """Draw a riff of one or two bars in the pentatonic scale above the root, and the roots that it moves over."""
    colour = "blues" if is_heavy and rng.random() < 0.4 else "minor" if mode in ("minor", "dorian") else "major"
    intervals = _RIFF_SCALES[colour]
    ladder = [interval + octave for octave in (-12, 0, 12) for interval in intervals]
    home = ladder.index(0)
    num_bars = rng.choice((1, 1, 2))
    density = rng.uniform(0.5, 0.95)
    onsets = [0]
    for step in range(1, num_bars * meter.steps_per_bar):
        weight = 0.65 if step % meter.steps_per_beat == 0 else 0.55 if step % 2 == 0 else 0.18
        if rng.random() < weight * density:
            onsets.append(step)
    gate = rng.choice((0.5, 0.8, 0.95))
    index, notes = home, []
    for number, step in enumerate(onsets):
        end = onsets[number + 1] if number + 1 < len(onsets) else num_bars * meter.steps_per_bar
        if number:
            index = home if rng.random() < 0.3 else index + rng.choice((-1, 1, -1, 1, 2, -2, 0))
            index = max(home - 3, min(home + 5, index))
        length = max(0.6, min(end - step, 2 * meter.steps_per_beat) * gate)
        notes.append(ThemeNote(step, length, ladder[index]))
    roots = rng.choice(_RIFF_ROOTS)
    quality = "5" if is_heavy else "m7" if colour != "major" else "7"
    chords = tuple((Chord((key + offset) % 12, quality),) for offset in roots for _ in range(num_bars))
    return Theme("riff", tuple(notes), num_bars, chords)
