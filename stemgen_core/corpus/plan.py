"""The plan every part of a piece is written against: grid, sections, harmony."""

import random
from dataclasses import dataclass

from stemgen_core.corpus.clock import METERS, Meter
from stemgen_core.corpus.genre import Genre
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
    """A chord on the grid: from `start_step` until `end_step`."""

    start_step: int
    end_step: int
    chord: Chord


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
    """

    genre: Genre
    meter: Meter
    key_pitch_class: int
    mode: str
    sections: tuple[Section, ...]
    spots: tuple[ChordSpot, ...]

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
        return scale_over_chord(self.scale, self.spot_at(step).chord)


_FUNCTIONAL_STEPS = {
    1: (2, 3, 4, 5, 6, 4, 6),
    2: (5, 5, 7, 4),
    3: (6, 4, 2),
    4: (5, 1, 2, 5),
    5: (1, 1, 6, 4),
    6: (2, 4, 5, 3),
    7: (1, 3),
}


def _walk_progression(scale: tuple[int, ...], num_chords: int, rng: random.Random) -> list[list[Chord]]:
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


def _draw_loop(genre: Genre, key: int, mode: str, rng: random.Random) -> list[list[Chord]]:
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


def draw_plan(genre: Genre, num_bars: int, rng: random.Random) -> Plan:
    """Return grid, form and harmony of a piece.

    Args:
        genre: the table entry.
        num_bars: 1 or more.
        rng: all choices come from it.
    """
    meter = METERS[genre.meter]
    key, mode = rng.randrange(12), rng.choice(genre.modes)
    sections = _draw_sections(num_bars, rng)
    loops = {"A": _draw_loop(genre, key, mode, rng)}
    loops["B"] = _draw_loop(genre, key, mode, rng) if rng.random() < 0.4 else loops["A"]
    spots = []
    for section in sections:
        loop = loops[section.label]
        for bar in range(section.start_bar, section.end_bar):
            chords = loop[(bar - section.start_bar) % len(loop)]
            if len(loop) > section.end_bar - section.start_bar:  # a long form runs on across sections
                chords = loop[bar % len(loop)]
            start = bar * meter.steps_per_bar
            # three beats part as two and one; others in halves
            half = 8 if meter.steps_per_bar == 12 and meter.beats_per_bar == 3 else meter.steps_per_bar // 2
            if len(chords) == 1 or chords[0] == chords[1]:
                spots.append(ChordSpot(start, start + meter.steps_per_bar, chords[0]))
            else:
                spots.append(ChordSpot(start, start + half, chords[0]))
                spots.append(ChordSpot(start + half, start + meter.steps_per_bar, chords[1]))
    return Plan(genre, meter, key, mode, sections, tuple(spots))
