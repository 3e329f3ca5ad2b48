"""Harmony beyond the loop: borrowed chords, secondary dominants, substitutes, and changes of key."""

import random
from dataclasses import dataclass

from stemgen_core.corpus.theory import Chord

Bars = list[list[Chord]]

_BORROWING_CHANCE = 0.22
_DOMINANT_CHANCE = 0.18
_SUBSTITUTE_CHANCE = 0.35
_KEY_CHANGES = (2, 1, 3, -3, 5, -5, -2)  # semitones, likeliest first
_KEY_CHANGE_CHANCE = 0.14
_PREPARED_CHANCE = 0.6
_MINOR = ("m", "m7", "m9", "m6", "m7b5", "dim")


@dataclass(frozen=True, slots=True)
class KeyChange:
    """From which section on, and by how many semitones, everything is higher."""

    section: int
    semitones: int
    is_prepared: bool


def colour_loop(bars: Bars, key: int, mode: str, richness: float, rng: random.Random) -> Bars:
    """Return the loop with a chord or two from outside the key now and then.

    Args:
        bars: chords, bar by bar.
        key: pitch class 0..11.
        mode: a key of `theory.MODES`.
        richness: 0..1, of the genre; dominants and substitutes are for rich ones.
        rng: all chance comes from it.
    """
    coloured = [list(bar) for bar in bars]
    if rng.random() < _BORROWING_CHANCE:
        _borrow(coloured, key, mode, rng)
    if rng.random() < _DOMINANT_CHANCE + 0.3 * richness * (richness > 0.4):
        _lead_in(coloured, key, rng)
    if richness >= 0.7 and rng.random() < _SUBSTITUTE_CHANCE:
        _substitute(coloured, rng)
    return coloured


def _borrow(bars: Bars, key: int, mode: str, rng: random.Random) -> None:
    """Put one chord's cousin from the parallel mode in its place."""
    if mode in ("major", "mixolydian"):
        # iv for IV, bVII for V, bVI for vi, bIII for iii, iv and bVII again where they lead home
        cousins = {(5, ""): (5, "m"), (7, ""): (10, ""), (9, "m"): (8, ""), (4, "m"): (3, "")}
        cousins |= {(5, "maj7"): (5, "m7"), (9, "m7"): (8, "maj7"), (5, "maj9"): (5, "m6"), (5, "add9"): (5, "m6")}
    else:
        # IV and ii for the darker ones, V for v, bII for iio
        cousins = {(5, "m"): (5, ""), (7, "m"): (7, "7"), (2, "dim"): (1, "maj7"), (5, "m7"): (5, "7")}
        cousins |= {(7, "m7"): (7, "7"), (10, ""): (7, "7")}
    places = [
        (bar, place)
        for bar, chords in enumerate(bars)
        for place, chord in enumerate(chords)
        if ((chord.root - key) % 12, chord.quality) in cousins and (bar, place) != (0, 0)
    ]
    if places:
        bar, place = rng.choice(places)
        chord = bars[bar][place]
        degree, quality = cousins[(chord.root - key) % 12, chord.quality]
        bars[bar][place] = Chord((key + degree) % 12, quality)


def _lead_in(bars: Bars, key: int, rng: random.Random) -> None:
    """Give one chord its own dominant, in the half bar before it."""
    places = []
    for number, chords in enumerate(bars):
        target = bars[(number + 1) % len(bars)][0]
        is_tonic = target.root == key
        if len(bars) > 1 and len(chords) == 1 and chords[0].root != target.root and not is_tonic:
            places.append((number, Chord((target.root + 7) % 12, "7")))
    if places:
        number, dominant = rng.choice(places)
        if bars[number][0] != dominant:
            bars[number] = [bars[number][0], dominant]


def _substitute(bars: Bars, rng: random.Random) -> None:
    """Put the dominant a tritone away in place of one that resolves by a fifth."""
    flat = [(bar, place) for bar, chords in enumerate(bars) for place in range(len(chords))]
    places = []
    for number, (bar, place) in enumerate(flat):
        chord = bars[bar][place]
        after_bar, after_place = flat[(number + 1) % len(flat)]
        if chord.quality in ("7", "9") and (chord.root + 5) % 12 == bars[after_bar][after_place].root:
            places.append((bar, place))
    if places:
        bar, place = rng.choice(places)
        bars[bar][place] = Chord((bars[bar][place].root + 6) % 12, "7")


def draw_key_change(num_sections: int, rng: random.Random) -> KeyChange | None:
    """Draw whether, where and how far a piece modulates; never in its first section."""
    if num_sections < 2 or rng.random() >= _KEY_CHANGE_CHANCE:
        return None
    semitones = rng.choices(_KEY_CHANGES, (5, 4, 2, 1, 1, 1, 1))[0]
    return KeyChange(rng.randrange(1, num_sections), semitones, rng.random() < _PREPARED_CHANCE)


def transpose(chord: Chord, semitones: int) -> Chord:
    """Return the chord moved by semitones."""
    return Chord((chord.root + semitones) % 12, chord.quality)


def preparing_chord(target: Chord) -> Chord:
    """Return the dominant that announces a chord in a new key."""
    return Chord((target.root + 7) % 12, "7sus4" if target.quality in _MINOR else "7")
