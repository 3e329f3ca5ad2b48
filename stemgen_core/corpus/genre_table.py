"""All genres, and how often each is drawn."""

import random

from stemgen_core.corpus.band_genres import BAND_GENRES
from stemgen_core.corpus.genre import Genre
from stemgen_core.corpus.groove_genres import GROOVE_GENRES

# The order is part of what a seed means: pieces are drawn by position.
_ORDER = (
    "pop",
    "rock",
    "metal",
    "funk",
    "disco",
    "house",
    "techno",
    "hip_hop",
    "trap",
    "lofi",
    "jazz",
    "blues",
    "bossa",
    "latin",
    "reggae",
    "country",
    "ballad",
    "soul",
    "ambient",
    "drum_and_bass",
    "synthwave",
    "folk",
    "waltz",
    "six_eight",
)
GENRES: dict[str, Genre] = {name: {**BAND_GENRES, **GROOVE_GENRES}[name] for name in _ORDER}


def choose_genre(rng: random.Random) -> str:
    """Return the name of a genre, drawn by weight."""
    return rng.choices(list(GENRES), [genre.weight for genre in GENRES.values()])[0]
