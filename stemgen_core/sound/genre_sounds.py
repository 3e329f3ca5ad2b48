"""Which sounds suit a genre: a jazz bass is an upright one, a techno kit comes out of a machine.

Genres are those of the corpus; of one that is not listed, every sound suits. Programs are those of
`stemgen_core.sound.programs`.
"""

# Drum kits (bank 128).
_STANDARD, _ROOM, _ELECTRONIC, _EIGHT_O_EIGHT, _BRUSHES = 0, 8, 24, 25, 32
# Basses.
_UPRIGHT, _FINGERED, _PICKED, _SYNTH = 32, 33, 34, 38
# Guitars.
_NYLON, _STEEL, _JAZZ, _CLEAN = 24, 25, 26, 27

_GRAND, _KEYS = (0,), (4, 5)
_BAND = {"drums": (_STANDARD, _ROOM), "bass": (_FINGERED, _PICKED)}
_ACOUSTIC = {"drums": (_STANDARD, _BRUSHES), "bass": (_UPRIGHT,), "piano": _GRAND}
_CLUB = {"drums": (_ELECTRONIC, _EIGHT_O_EIGHT), "bass": (_SYNTH,)}

_SUITED: dict[str, dict[str, tuple[int, ...]]] = {
    "pop": {**_BAND, "guitar": (_STEEL, _CLEAN)},
    "rock": {**_BAND, "guitar": (_STEEL, _CLEAN), "organ": (18,)},
    "metal": {**_BAND, "bass": (_PICKED,), "guitar": (_CLEAN,), "organ": (18,)},
    "funk": {**_BAND, "guitar": (_CLEAN,), "piano": _KEYS, "organ": (16, 17)},
    "disco": {**_BAND, "guitar": (_CLEAN,), "ensemble": (48, 50)},
    "house": {**_CLUB, "organ": (16, 17)},
    "techno": _CLUB,
    "hip_hop": {"drums": (_STANDARD, _ROOM, _EIGHT_O_EIGHT), "bass": (_FINGERED, _UPRIGHT, _SYNTH), "piano": _KEYS},
    "trap": {**_CLUB, "drums": (_EIGHT_O_EIGHT,)},
    "lofi": {
        "drums": (_ROOM, _BRUSHES),
        "bass": (_UPRIGHT, _FINGERED),
        "piano": (4, 0),
        "guitar": (_NYLON, _JAZZ),
        "mallets": (11,),
    },
    "jazz": {**_ACOUSTIC, "drums": (_BRUSHES,), "guitar": (_JAZZ,), "mallets": (11,), "organ": (16, 17)},
    "blues": {**_BAND, "bass": (_FINGERED, _UPRIGHT), "guitar": (_JAZZ, _CLEAN), "piano": _GRAND},
    "bossa": {**_ACOUSTIC, "guitar": (_NYLON,), "mallets": (11,)},
    "latin": {**_BAND, "bass": (_UPRIGHT, _FINGERED), "guitar": (_NYLON,), "piano": _GRAND},
    "reggae": {**_BAND, "bass": (_FINGERED,), "guitar": (_CLEAN,)},
    "country": {**_BAND, "guitar": (_STEEL, _CLEAN), "piano": _GRAND, "ethnic": (105,)},
    "ballad": {**_BAND, "bass": (_FINGERED,), "guitar": (_NYLON, _STEEL)},
    "soul": {**_BAND, "bass": (_FINGERED,), "guitar": (_JAZZ, _CLEAN), "piano": (4, 0)},
    "ambient": {"bass": (_SYNTH,), "drums": (_ELECTRONIC, _EIGHT_O_EIGHT)},
    "drum_and_bass": {"bass": (_SYNTH,), "drums": (_STANDARD, _ELECTRONIC)},
    "synthwave": _CLUB,
    "folk": {**_ACOUSTIC, "guitar": (_NYLON, _STEEL)},
    "waltz": {**_ACOUSTIC, "guitar": (_NYLON, _STEEL)},
    "six_eight": _BAND,
}

# How often the synthesiser plays what it can: drums, bass, leads and pads.
_SYNTHESISED: dict[str, float] = {
    "techno": 1.0,
    "synthwave": 0.9,
    "house": 0.85,
    "trap": 0.8,
    "drum_and_bass": 0.7,
    "ambient": 0.6,
    "lofi": 0.4,
    "hip_hop": 0.4,
    "disco": 0.25,
}

# Drum machines by name, see `stemgen_core.sound.electronic.presets`; any where none are named.
_MACHINES: dict[str, tuple[str, ...]] = {
    "techno": ("hard", "club", "minimal"),
    "house": ("club", "deep", "minimal"),
    "trap": ("street", "deep"),
    "lofi": ("dusty",),
    "hip_hop": ("dusty", "street"),
    "synthwave": ("gated", "club"),
    "drum_and_bass": ("hard", "club"),
    "ambient": ("minimal", "deep"),
    "disco": ("club",),
}


def suited_programs(genre: str | None, instrument: str) -> tuple[int, ...] | None:
    """Return the programs of an instrument that suit a genre; None where all do."""
    return _SUITED.get(genre or "", {}).get(instrument)


def synthesised_share(genre: str | None) -> float:
    """Return how often the synthesiser plays what it can in a genre, 0..1; never where no genre is told."""
    return _SYNTHESISED.get(genre or "", 0.0)


def suited_machines(genre: str | None) -> tuple[str, ...] | None:
    """Return the names of the drum machines that suit a genre; None where all do."""
    return _MACHINES.get(genre or "")
