"""The plan every part of a piece is written against: grid, sections, harmony."""

import random
from dataclasses import dataclass
from itertools import pairwise

from stemgen_core.corpus.clock import METERS, Meter
from stemgen_core.corpus.genre import Genre
from stemgen_core.corpus.harmony import Bars, colour_loop, draw_key_change, preparing_chord, transpose
from stemgen_core.corpus.theme import Theme, draw_melody_theme, draw_riff_theme
from stemgen_core.corpus.theory import Chord, chord_of_numeral, enrich, scale_over_chord, scale_pitch_classes


@dataclass(frozen=True, slots=True)
class Event:
    """A note on the grid, before it is performed.

    Attributes:
        step: onset in grid steps from the start of the music.
        length: duration in steps, > 0.
        pitch: MIDI key.
        velocity: 1..127, before humanising.
        delay_ms: how far behind the grid, for rolled chords.
    """

    step: float
    length: float
    pitch: int
    velocity: int
    delay_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Section:
    """A run of bars with one character.

    Attributes:
        start_bar: first bar.
        end_bar: one past the last.
        label: sections of one label share their patterns.
        energy: 0..1, drives loudness and density.
    """

    start_bar: int
    end_bar: int
    label: str
    energy: float


@dataclass(frozen=True, slots=True)
class ChordSpot:
    """A chord on the grid.

    Attributes:
        start_step: first step.
        end_step: one past the last.
        chord: what holds.
        key_shift: semitones that the key lies above the piece's first, -11..11.
    """

    start_step: int
    end_step: int
    chord: Chord
    key_shift: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Grid, form and harmony of a piece.

    Attributes:
        genre: the table entry.
        meter: the grid.
        key_pitch_class: 0..11.
        mode: a key of `theory.MODES`.
        sections: in order, covering all bars.
        spots: chords in order, covering all steps; never crossing a bar line.
        theme: what the piece was written from; None where that was the chords.
    """

    genre: Genre
    meter: Meter
    key_pitch_class: int
    mode: str
    sections: tuple[Section, ...]
    spots: tuple[ChordSpot, ...]
    theme: Theme | None = None

    @property
    def num_bars(self) -> int:
        """Bars in the piece."""
        return self.sections[-1].end_bar

    @property
    def scale(self) -> tuple[int, ...]:
        """Pitch classes of the key's mode."""
        return scale_pitch_classes(self.key_pitch_class, self.mode)

    def spot_at(self, step: float) -> ChordSpot:
        """Return the chord that holds at a step; the last one beyond the end."""
        low, high = 0, len(self.spots) - 1
        while low < high:
            middle = (low + high) // 2
            if step < self.spots[middle].end_step:
                high = middle
            else:
                low = middle + 1
        return self.spots[low]

    def scale_at(self, step: float) -> tuple[int, ...]:
        """Return the scale that melodies use at a step."""
        spot = self.spot_at(step)
        scale = scale_pitch_classes((self.key_pitch_class + spot.key_shift) % 12, self.mode)
        return scale_over_chord(scale, spot.chord)

    @property
    def key_changes(self) -> tuple[tuple[int, int], ...]:
        """Steps at which a new key begins, and its pitch class; empty in most pieces."""
        return tuple(
            (spot.start_step, (self.key_pitch_class + spot.key_shift) % 12)
            for before, spot in pairwise(self.spots)
            if before.key_shift != spot.key_shift
        )


_FUNCTIONAL_STEPS = {
    1: (2, 3, 4, 5, 6, 4, 6),
    2: (5, 5, 7, 4),
    3: (6, 4, 2),
    4: (5, 1, 2, 5),
    5: (1, 1, 6, 4),
    6: (2, 4, 5, 3),
    7: (1, 3),
}


def _walk_progression(scale: tuple[int, ...], num_chords: int, rng: random.Random) -> Bars:
    """Draw diatonic triads, each a usual successor of the one before; loops begin on the tonic or the sixth."""
    degree, bars = rng.choice((1, 1, 1, 6, 4)), []
    for _ in range(num_chords):
        root, third, fifth = (scale[(degree - 1 + offset) % 7] for offset in (0, 2, 4))
        intervals = ((third - root) % 12, (fifth - root) % 12)
        quality = {(4, 7): "", (3, 7): "m", (3, 6): "dim"}.get(intervals, "")
        bars.append([Chord(root, quality)])
        degree = rng.choice(_FUNCTIONAL_STEPS[degree])
        while quality == "dim" and degree == 7:
            degree = 1
    return bars


def _draw_loop(genre: Genre, key: int, mode: str, rng: random.Random) -> Bars:
    """Return the chords of a loop, bar by bar; a bar holds one chord or two halves."""
    scale = scale_pitch_classes(key, mode)
    pool = genre.major if mode in ("major", "mixolydian") else genre.minor
    if rng.random() < 0.2 and len(pool) > 4:
        bars = _walk_progression(scale, rng.choice((2, 4, 4, 8)), rng)
    else:
        text = rng.choice(pool)
        bars = [[chord_of_numeral(name, key) for name in bar.split(",")] for bar in text.split()]
    if rng.random() < genre.richness:
        bars = [[enrich(chord, scale, rng) for chord in bar] for bar in bars]
    bars = colour_loop(bars, key, mode, genre.richness, rng)
    single = all(len(bar) == 1 for bar in bars)
    if single and len(bars) in (2, 4, 8) and rng.random() < 0.12:  # twice as fast: half-bar chords
        bars = [first + second for first, second in zip(bars[::2], bars[1::2], strict=True)]
    elif len(bars) <= 4 and rng.random() < 0.15:  # half as fast
        bars = [bar for bar in bars for _ in range(2)]
    return bars


def _draw_sections(num_bars: int, rng: random.Random) -> tuple[Section, ...]:
    length = rng.choice((4, 4, 8)) if num_bars > 5 else 4
    labels = rng.choice(("AAB", "AB", "ABA", "AABB", "ABAB", "AA", "ABB"))
    sections, start = [], 0
    while start < num_bars:
        label = labels[len(sections) % len(labels)]
        energy = {"A": 0.65, "B": 0.85}[label] + rng.uniform(-0.15, 0.15)
        sections.append(Section(start, min(num_bars, start + length), label, energy))
        start += length
    return tuple(sections)


def _draw_theme(start: str, genre: Genre, key: int, mode: str, rng: random.Random) -> Theme | None:
    meter = METERS[genre.meter]
    if start == "melody":
        return draw_melody_theme(key, mode, meter, genre.swing[0], rng)
    if start == "riff":
        is_heavy = any("power" in part.styles for part in genre.parts)
        return draw_riff_theme(key, mode, meter, is_heavy, rng)
    return None


def _bar_spots(meter: Meter, bar: int, chords: list[Chord], key_shift: int) -> list[ChordSpot]:
    """Return the chords of a bar on the grid; three beats part as two and one, others in halves."""
    start, end = bar * meter.steps_per_bar, (bar + 1) * meter.steps_per_bar
    if len(chords) == 1 or chords[0] == chords[1]:
        return [ChordSpot(start, end, chords[0], key_shift)]
    half = start + (8 if meter.steps_per_bar == 12 and meter.beats_per_bar == 3 else meter.steps_per_bar // 2)
    return [ChordSpot(start, half, chords[0], key_shift), ChordSpot(half, end, chords[1], key_shift)]


def _place_chords(
    meter: Meter, sections: tuple[Section, ...], loops: dict[str, Bars], rng: random.Random
) -> list[ChordSpot]:
    """Set the loops over the sections, with a change of key now and then."""
    change = draw_key_change(len(sections), rng)
    bars: Bars = []
    shifts: list[int] = []
    for number, section in enumerate(sections):
        loop = loops[section.label]
        shift = change.semitones if change and number >= change.section else 0
        for bar in range(section.start_bar, section.end_bar):
            # a long form runs on across sections
            is_long = len(loop) > section.end_bar - section.start_bar
            chords = loop[(bar if is_long else bar - section.start_bar) % len(loop)]
            bars.append([transpose(chord, shift) for chord in chords])
            shifts.append(shift)
    if change and change.is_prepared:
        first = sections[change.section].start_bar
        if first < len(bars):
            bars[first - 1] = [bars[first - 1][0], preparing_chord(bars[first][0])]
    return [spot for bar, chords in enumerate(bars) for spot in _bar_spots(meter, bar, chords, shifts[bar])]


def draw_plan(genre: Genre, num_bars: int, rng: random.Random, start: str = "chords") -> Plan:
    """Return grid, form and harmony of a piece.

    Args:
        genre: the table entry.
        num_bars: 1 or more.
        rng: all choices come from it.
        start: what is written first: "chords", "melody" or "riff".
    """
    meter = METERS[genre.meter]
    key, mode = rng.randrange(12), rng.choice(genre.modes)
    sections = _draw_sections(num_bars, rng)
    theme = _draw_theme(start, genre, key, mode, rng)
    if theme is not None:
        loops = {"A": [list(bar) for bar in theme.chords]}
    else:
        loops = {"A": _draw_loop(genre, key, mode, rng)}
    # A theme is heard again in every section; without one the second section may have chords of its own.
    loops["B"] = _draw_loop(genre, key, mode, rng) if theme is None and rng.random() < 0.4 else loops["A"]
    spots = _place_chords(meter, sections, loops, rng)
    return Plan(genre, meter, key, mode, sections, tuple(spots), theme)
