"""What the stems of a corpus are asked for by in training: the fields, and the values of a stem."""

from stemgen_core.conditioning import ConditionField
from stemgen_core.corpus.categories import stem_category
from stemgen_core.corpus.genre_table import GENRES
from stemgen_core.corpus.piece import Piece, StemScore
from stemgen_core.instruments import INSTRUMENTS, STEM_CATEGORIES, find_instrument

INSTRUMENT_FIELD = ConditionField("instrument", len(INSTRUMENTS))
# More rows than genres: those to come find room in the models of today.
GENRE_FIELD = ConditionField("genre", 48)
STEM_CATEGORY_FIELD = ConditionField("stem_category", len(STEM_CATEGORIES))
FIELDS = (INSTRUMENT_FIELD, GENRE_FIELD, STEM_CATEGORY_FIELD)

_GENRE_NAMES = tuple(GENRES)


def conditions_of(piece: Piece, stem: StemScore) -> dict[str, int]:
    """Return the value of each field for a stem; a genre that is none of the corpus's own is "not given"."""
    genre = _GENRE_NAMES.index(piece.genre) if piece.genre in _GENRE_NAMES else GENRE_FIELD.absent_id
    return {
        INSTRUMENT_FIELD.name: find_instrument(stem.instrument).index,
        GENRE_FIELD.name: genre,
        STEM_CATEGORY_FIELD.name: STEM_CATEGORIES.index(stem_category(stem)),
    }
