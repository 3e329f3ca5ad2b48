"""What varies within a genre from piece to piece: metre, feel, what the music starts from, hand percussion.

Tables of musical common knowledge, like those of the genres; nothing in them is measured.
"""

import random
from dataclasses import replace

from stemgen_core.corpus.clock import Meter
from stemgen_core.corpus.genre import Genre

_OTHER_METERS: dict[str, tuple[str, ...]] = {
    "jazz": ("3/4",),
    "country": ("3/4",),
    "folk": ("3/4", "6/8"),
    "ballad": ("6/8", "3/4"),
    "ambient": ("3/4", "6/8"),
    "lofi": ("3/4",),
    "soul": ("6/8",),
    "blues": ("6/8",),
    "rock": ("6/8",),
    "metal": ("6/8",),
    "pop": ("6/8",),
    "latin": ("6/8",),
}
_OTHER_METER_CHANCE = 0.12
_GROOVES = {
    "3/4": ("waltz", "waltz_ride", "waltz_rim"),
    "6/8": ("six_eight", "six_eight_ride", "six_eight_rim", "six_eight_afro"),
}
_SIX_EIGHT_BPM = (46.0, 84.0)

# What is written first, and the rest to it: chords (most pieces), a melody, or a riff.
_STARTING_POINTS: dict[str, tuple[tuple[str, float], ...]] = {
    **dict.fromkeys(("pop", "ballad", "country", "soul", "disco", "reggae", "latin", "bossa"), (("melody", 0.25),)),
    **dict.fromkeys(("folk", "waltz", "six_eight"), (("melody", 0.4),)),
    **dict.fromkeys(("jazz", "lofi"), (("melody", 0.25),)),
    **dict.fromkeys(("rock", "funk", "blues"), (("riff", 0.25), ("melody", 0.1))),
    "metal": (("riff", 0.4),),
    **dict.fromkeys(("techno", "synthwave", "trap", "drum_and_bass", "hip_hop", "house"), (("riff", 0.2),)),
}

_PERCUSSION_CHANCE = {
    **{"latin": 0.7, "bossa": 0.5, "disco": 0.35, "house": 0.35, "funk": 0.3, "reggae": 0.3, "soul": 0.25},
    **{"folk": 0.25, "pop": 0.2, "techno": 0.2, "hip_hop": 0.15, "lofi": 0.15, "ambient": 0.15, "trap": 0.1},
    **{"metal": 0.0, "jazz": 0.05},
}
_OTHER_PERCUSSION_CHANCE = 0.1

# Latest and earliest, in milliseconds, of back beats and of off-beats; a player's own spread comes on top.
_FEELS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "lofi": ((2, 14), (0, 12)),
    "hip_hop": ((0, 12), (0, 10)),
    "soul": ((0, 10), (0, 6)),
    "reggae": ((0, 8), (0, 8)),
    "blues": ((0, 8), (-2, 6)),
    "jazz": ((-4, 4), (-4, 8)),
    "funk": ((-2, 6), (-4, 4)),
    "latin": ((-4, 2), (-6, 2)),
    "bossa": ((-3, 4), (-5, 3)),
    "rock": ((-2, 6), (-3, 3)),
    "ballad": ((0, 8), (0, 4)),
}
_MACHINE_MS = 2.0  # genres tighter than this have no feel


def vary_meter(name: str, genre: Genre, rng: random.Random) -> Genre:
    """Return the genre in three or six now and then, otherwise as it is."""
    if name not in _OTHER_METERS or rng.random() >= _OTHER_METER_CHANCE:
        return genre
    meter = rng.choice(_OTHER_METERS[name])
    tempo_bpm = _SIX_EIGHT_BPM if meter == "6/8" else genre.tempo_bpm
    swing = (0.5, 0.5) if meter == "6/8" else genre.swing
    return replace(genre, meter=meter, grooves=_GROOVES[meter], tempo_bpm=tempo_bpm, swing=swing)


def choose_start(name: str, rng: random.Random) -> str:
    """Return what a piece of a genre is written from: "chords", "melody" or "riff"."""
    place = rng.random()
    for start, chance in _STARTING_POINTS.get(name, ()):
        if place < chance:
            return start
        place -= chance
    return "chords"


def has_percussion(name: str, rng: random.Random) -> bool:
    """Draw whether a piece of a genre has hand percussion beside its drums."""
    return rng.random() < _PERCUSSION_CHANCE.get(name, _OTHER_PERCUSSION_CHANCE)


def draw_feel(name: str, genre: Genre, meter: Meter, rng: random.Random) -> tuple[float, ...]:
    """Return by how much each step of a bar comes late (or early, < 0) for everybody, milliseconds.

    The first beat stays where it is: it is what the others are late or early against.
    """
    if name not in _FEELS or genre.timing_ms < _MACHINE_MS or rng.random() < 0.3:
        return (0.0,) * meter.steps_per_bar
    back, off = (rng.uniform(*bounds) for bounds in _FEELS[name])
    feel = []
    for step in range(meter.steps_per_bar):
        beat, within = divmod(step, meter.steps_per_beat)
        feel.append(off if within % 2 else off / 2 if within else back if beat % 2 else 0.0)
    return tuple(feel)
