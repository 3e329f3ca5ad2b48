"""Pitch classes, modes, chords in Roman numerals, and voice leading."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

MODES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}

QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "m7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "7sus4": (0, 5, 7, 10),
    "9": (0, 4, 7, 10, 2),
    "maj9": (0, 4, 7, 11, 2),
    "m9": (0, 3, 7, 10, 2),
    "add9": (0, 4, 7, 2),
}

_NUMERALS = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}
_NUMERAL_PATTERN = re.compile(r"^([b#]?)([ivIV]+)(.*)$")
_MINOR_SUFFIX = {"": "m", "7": "m7", "9": "m9", "6": "m6"}


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord without register.

    Attributes:
        root: pitch class 0..11.
        quality: a key of `QUALITIES`.
    """

    root: int
    quality: str

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes in the order root, third, fifth, ..."""
        return tuple((self.root + interval) % 12 for interval in QUALITIES[self.quality])


def chord_of_numeral(numeral: str, key_pitch_class: int) -> Chord:
    """Return the chord that a Roman numeral names in a key.

    Degrees count from the major scale in every mode (the third chord of minor is `bIII`); upper case is major, lower
    case minor; the rest is a key of `QUALITIES` (`ii7` is a minor seventh, `V7` a dominant one).

    Args:
        numeral: for example "I", "bVII", "ii7", "Imaj7", "viidim".
        key_pitch_class: 0..11.

    Raises:
        ValueError: if the numeral or its suffix is unknown.
    """
    match = _NUMERAL_PATTERN.match(numeral)
    if match is None or match[2].lower() not in _NUMERALS:
        raise ValueError(f"numeral must be like 'ii7' or 'bVII', got {numeral!r}")
    accidental, degree, suffix = match.groups()
    quality = _MINOR_SUFFIX.get(suffix, suffix) if degree.islower() else suffix
    if quality not in QUALITIES:
        raise ValueError(f"quality of {numeral!r} must be one of {sorted(QUALITIES)}, got {quality!r}")
    offset = {"b": -1, "#": 1, "": 0}[accidental]
    return Chord((key_pitch_class + _NUMERALS[degree.lower()] + offset) % 12, quality)


def enrich(chord: Chord, scale: Sequence[int], rng: random.Random) -> Chord:
    """Return a plain triad with a seventh or ninth that lies in the scale; other chords unchanged.

    Args:
        chord: any chord.
        scale: pitch classes of the key's mode.
        rng: chooses between the candidates.
    """
    candidates = {"": ("maj7", "7", "6", "add9", "maj9"), "m": ("m7", "m9", "m7")}.get(chord.quality, ())
    fitting = [quality for quality in candidates if set(Chord(chord.root, quality).pitch_classes) <= set(scale)]
    return Chord(chord.root, rng.choice(fitting)) if fitting else chord


def scale_pitch_classes(key_pitch_class: int, mode: str) -> tuple[int, ...]:
    """Return the pitch classes of a mode, tonic first."""
    return tuple((key_pitch_class + interval) % 12 for interval in MODES[mode])


def scale_over_chord(scale: Sequence[int], chord: Chord) -> tuple[int, ...]:
    """Return the scale with the chord's foreign tones put in place of the scale tones they clash with."""
    chord_tones = set(chord.pitch_classes)
    foreign = chord_tones - set(scale)
    kept = {
        tone for tone in scale if tone in chord_tones or not any((tone - other) % 12 in (1, 11) for other in foreign)
    }
    return tuple(sorted(kept | chord_tones))


def pitches_in_range(pitch_classes: Sequence[int], low: int, high: int) -> list[int]:
    """Return all MIDI keys of the given pitch classes in [low, high], ascending."""
    wanted = set(pitch_classes)
    return [pitch for pitch in range(low, high + 1) if pitch % 12 in wanted]


def nearest_pitch(pitch: float, pitch_classes: Sequence[int], low: int, high: int) -> int:
    """Return the MIDI key in [low, high] of one of the pitch classes that is nearest to `pitch`.

    Raises:
        ValueError: if no such key lies in the range.
    """
    candidates = pitches_in_range(pitch_classes, low, high)
    if not candidates:
        raise ValueError(f"no key of pitch classes {tuple(pitch_classes)} lies in {low}..{high}")
    return min(candidates, key=lambda candidate: (abs(candidate - pitch), candidate))


def voice_chord(chord: Chord, previous: Sequence[int], num_voices: int, low: int, high: int) -> tuple[int, ...]:
    """Return a close voicing that moves as little as possible from the previous one.

    Args:
        chord: what to voice; with fewer voices than tones the fifth goes first, then the root.
        previous: keys of the voicing before, or empty for a fresh start in the middle of the range.
        num_voices: 2..5.
        low: lowest key.
        high: highest key, at least two octaves above `low`.

    Returns:
        Ascending distinct MIDI keys, `num_voices` of them at most.
    """
    tones = list(chord.pitch_classes)
    if len(tones) > num_voices:
        drop_order = [2, 0, 3, 1]
        dropped = [index for index in drop_order if index < len(tones)][: len(tones) - num_voices]
        tones = [tone for index, tone in enumerate(tones) if index not in dropped]
    centre = sum(previous) / len(previous) if previous else (low + high) / 2
    ladder = pitches_in_range(tones, low, high)
    windows = [ladder[start : start + num_voices] for start in range(max(1, len(ladder) - num_voices + 1))]
    complete = [window for window in windows if {pitch % 12 for pitch in window} >= set(tones)] or windows

    def cost(window: list[int]) -> float:
        middle = sum(window) / len(window)
        motion = sum(min(abs(pitch - other) for other in previous) for pitch in window) if previous else 0.0
        return motion + 0.3 * abs(middle - centre) + 0.15 * abs(middle - (low + high) / 2)

    return tuple(min(complete, key=cost))
