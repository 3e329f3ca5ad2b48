"""What stems are asked for by."""

import pytest

from stemgen_core.corpus import comping, melody
from stemgen_core.corpus.arrangement import compose_piece
from stemgen_core.corpus.categories import stem_category
from stemgen_core.corpus.genre_table import GENRES
from stemgen_core.corpus.piece import StemScore
from stemgen_core.instruments import INSTRUMENTS, STEM_CATEGORIES
from stemgen_core.training.conditions import AUDIO_FIELDS, FIELDS, GENRE_FIELD, conditions_of


@pytest.mark.parametrize(
    ("instrument", "style", "category"),
    [
        ("drums", "groove", "percussive"),
        ("percussive", "melody", "percussive"),
        ("bass", "walking", "bass"),
        ("bass", "melody", "bass"),
        *(("piano", style, "melodic") for style in melody.STYLES),
        *(("synth_pad", style, "harmonic") for style in comping.STYLES),
    ],
)
def test_a_stem_has_the_category_of_what_it_does(instrument: str, style: str, category: str) -> None:
    assert stem_category(StemScore("any", instrument, 0, (), style)) == category


@pytest.mark.parametrize("seed", range(10))
def test_every_stem_of_the_composer_has_a_value_for_every_field(seed: int) -> None:
    piece = compose_piece(seed, 4.0)

    for stem in piece.stems:
        values = conditions_of(piece, stem)
        assert values.keys() == {field.name for field in AUDIO_FIELDS} > {field.name for field in FIELDS}
        assert INSTRUMENTS[values["instrument"]].name == stem.instrument
        assert list(GENRES)[values["genre"]] == piece.genre
        assert STEM_CATEGORIES[values["stem_category"]] == stem_category(stem)
        assert values["sound"] == stem.program + 128 * (stem.instrument == "drums")


def test_every_genre_has_a_row() -> None:
    assert len(GENRES) <= GENRE_FIELD.num_values
