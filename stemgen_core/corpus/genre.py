"""What a genre is made of: tempo, metre, swing, harmony, grooves, basses, and who plays what.

The tables (`band_genres`, `groove_genres`) hold musical common knowledge; nothing in them is measured.
"""

from dataclasses import dataclass

Options = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One chair in the band besides drums and bass.

    Attributes:
        chance: 0..1, how often the chair is taken.
        styles: names of `comping.STYLES` or `melody.STYLES`, equally likely.
        options: (instrument, programs) pairs, equally likely.
    """

    chance: float
    styles: tuple[str, ...]
    options: Options


@dataclass(frozen=True, slots=True)
class Genre:
    """See the module's docstring.

    Attributes:
        tempo_bpm: lowest and highest.
        modes: equally likely names of `theory.MODES`; repeat one to make it likelier.
        major: progressions for major and mixolydian keys: bars parted by spaces, half bars by commas.
        minor: the same for minor and dorian keys.
        grooves: names of `groove.GROOVES`.
        kits: programs of bank 128.
        bass_styles: names of `bass.STYLES`.
        bass_programs: equally likely.
        parts: chairs.
        meter: a key of `clock.METERS`.
        swing: least and most share of the first half of a pair.
        swing_steps: 4 swings eighths, 2 sixteenths.
        richness: 0..1, chance that triads become sevenths and ninths.
        timing_ms: spread of human timing.
        drums_chance: 0..1.
        weight: relative frequency in the corpus.
    """

    tempo_bpm: tuple[float, float]
    modes: tuple[str, ...]
    major: tuple[str, ...]
    minor: tuple[str, ...]
    grooves: tuple[str, ...]
    kits: tuple[int, ...]
    bass_styles: tuple[str, ...]
    bass_programs: tuple[int, ...]
    parts: tuple[Part, ...]
    meter: str = "4/4"
    swing: tuple[float, float] = (0.5, 0.5)
    swing_steps: int = 4
    richness: float = 0.1
    timing_ms: float = 4.0
    drums_chance: float = 0.97
    weight: float = 1.0
