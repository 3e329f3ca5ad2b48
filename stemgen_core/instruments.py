"""The 18 instrument categories a stem can be asked for by.

The paper conditions on 18 "General MIDI instrument categories" without listing them. Ours are the 16 families of
General MIDI in order, then drums and vocals (docs/decisions/0002-instrument-categories.md). The index of a category
is what the model's conditioning table is trained on, so the order never changes.
"""

from dataclasses import dataclass

from stemgen_core.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Instrument:
    """One category.

    Attributes:
        name: stable identifier, used in requests, files and the database.
        label: what people read.
        index: row of the conditioning table, 0..17.
        programs: General MIDI programs 0..127 of the family; empty for drums and vocals.
        is_drums: whether pitches are General MIDI drum keys.
    """

    name: str
    label: str
    index: int
    programs: range
    is_drums: bool = False


_FAMILIES = (
    ("piano", "Piano"),
    ("mallets", "Mallets & bells"),
    ("organ", "Organ"),
    ("guitar", "Guitar"),
    ("bass", "Bass"),
    ("strings", "Solo strings"),
    ("ensemble", "String & voice ensemble"),
    ("brass", "Brass"),
    ("reed", "Sax & reeds"),
    ("pipe", "Flute & pipes"),
    ("synth_lead", "Synth lead"),
    ("synth_pad", "Synth pad"),
    ("synth_effects", "Synth textures"),
    ("ethnic", "Plucked & folk"),
    ("percussive", "Tuned percussion"),
    ("sound_effects", "Sound effects"),
)

INSTRUMENTS: tuple[Instrument, ...] = (
    *(Instrument(name, label, index, range(8 * index, 8 * index + 8)) for index, (name, label) in enumerate(_FAMILIES)),
    Instrument("drums", "Drums", 16, range(0), is_drums=True),
    Instrument("vocals", "Vocals", 17, range(0)),
)

# What a stem does in the music, whatever plays it: the other way of asking (docs/decisions/0050-genre-and-category.md).
STEM_CATEGORIES: tuple[str, ...] = ("melodic", "harmonic", "percussive", "bass")

_BY_NAME = {instrument.name: instrument for instrument in INSTRUMENTS}


def find_instrument(name: str) -> Instrument:
    """Return the category called `name`.

    Raises:
        InvalidRequestError: if there is no such category.
    """
    if name not in _BY_NAME:
        raise InvalidRequestError(f"There is no instrument called {name!r}. Choose one of: {', '.join(_BY_NAME)}.")
    return _BY_NAME[name]


def instrument_of_program(program: int) -> Instrument:
    """Return the family of a General MIDI program.

    Raises:
        ValueError: if `program` is outside 0..127.
    """
    if not 0 <= program <= 127:
        raise ValueError(f"program must be 0..127, got {program}")
    return INSTRUMENTS[program // 8]
