"""What the stems of a corpus are asked for by in training: the fields, and the values of a stem."""

from stemgen_core.conditioning import ConditionField
from stemgen_core.corpus.categories import stem_category
from stemgen_core.corpus.genre_table import GENRES
from stemgen_core.corpus.piece import Piece, StemScore
from stemgen_core.instruments import INSTRUMENTS, STEM_CATEGORIES, find_instrument
from stemgen_core.sound.programs import DRUM_BANK, NUM_SOUNDS, Sound

INSTRUMENT_FIELD = ConditionField("instrument", len(INSTRUMENTS))
# More rows than genres: those to come find room in the models of today.
GENRE_FIELD = ConditionField("genre", 48)
STEM_CATEGORY_FIELD = ConditionField("stem_category", len(STEM_CATEGORIES))
SELDOM_GIVEN = (GENRE_FIELD, STEM_CATEGORY_FIELD)
FIELDS = (INSTRUMENT_FIELD, *SELDOM_GIVEN)
# Of models that write sound: which sound of the instrument, else they can't foresee the timbre.
SOUND_FIELD = ConditionField("sound", NUM_SOUNDS)
AUDIO_FIELDS = (*FIELDS, SOUND_FIELD)

_GENRE_NAMES = tuple(GENRES)


def conditions_of(piece: Piece, stem: StemScore) -> dict[str, int]:
    """Return the value of each field for a stem, `SOUND_FIELD` too.

    A genre that is none of the corpus's own is "not given".
    """
    genre = _GENRE_NAMES.index(piece.genre) if piece.genre in _GENRE_NAMES else GENRE_FIELD.absent_id
    instrument = find_instrument(stem.instrument)
    bank = DRUM_BANK if instrument.is_drums else 0
    return {
        INSTRUMENT_FIELD.name: instrument.index,
        GENRE_FIELD.name: genre,
        STEM_CATEGORY_FIELD.name: STEM_CATEGORIES.index(stem_category(stem)),
        SOUND_FIELD.name: Sound(bank, stem.program, stem.name).index,
    }
