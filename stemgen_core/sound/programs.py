"""Which sounds each instrument category offers; the bundled soundfont holds just these.

Programs count from 0, as in the MIDI message; names are those of General MIDI.
"""

import random
from dataclasses import dataclass, replace

from stemgen_core.errors import InvalidRequestError
from stemgen_core.instruments import find_instrument
from stemgen_core.sound.genre_sounds import suited_programs, synthesised_share

DRUM_BANK = 128
NUM_PROGRAMS = 128
NUM_SOUNDS = 2 * NUM_PROGRAMS


@dataclass(frozen=True, slots=True)
class Sound:
    """One preset.

    Attributes:
        bank: 0, or 128 for drum kits.
        program: 0..127; of a synthesised sound the one that is nearest to it.
        label: what people read.
        late_s: how long after it was struck it is heard, beyond what clean attacks take; a player begins it so much
            earlier. Measured by `benchmarks/sound_attacks.py`.
        synthesis_seed: of the preset, where our own synthesiser plays it; None where the soundfont does.
    """

    bank: int
    program: int
    label: str
    late_s: float = 0.0
    synthesis_seed: int | None = None

    @property
    def index(self) -> int:
        """Place among all sounds that General MIDI has: programs, then kits; below `NUM_SOUNDS`."""
        return self.program + (NUM_PROGRAMS if self.bank == DRUM_BANK else 0)


# Milliseconds by which FluidR3's presets are heard late, where that is 4 or more: leading silence, breath, slow bows.
_LATE_MS = {
    **{0: 5, 9: 13, 16: 6, 17: 4, 24: 7, 25: 9, 27: 7, 32: 4, 33: 10, 34: 23, 40: 10, 42: 6, 45: 5, 48: 10, 50: 26},
    **{56: 4, 57: 9, 61: 8, 65: 7, 66: 5, 73: 10, 74: 7, 75: 4, 88: 4, 89: 25, 90: 11, 99: 8, 105: 6},
}


def _sounds(*pairs: tuple[int, str]) -> tuple[Sound, ...]:
    return tuple(Sound(0, program, label, _LATE_MS.get(program, 0) / 1000) for program, label in pairs)


SOUNDS: dict[str, tuple[Sound, ...]] = {
    "piano": _sounds((0, "Grand piano"), (4, "Tine electric piano"), (5, "FM electric piano")),
    "mallets": _sounds((11, "Vibraphone"), (12, "Marimba"), (9, "Glockenspiel")),
    "organ": _sounds((16, "Drawbar organ"), (17, "Percussive organ"), (18, "Rock organ")),
    "guitar": _sounds((24, "Nylon guitar"), (25, "Steel guitar"), (26, "Jazz guitar"), (27, "Clean electric guitar")),
    "bass": _sounds((33, "Fingered bass"), (34, "Picked bass"), (32, "Upright bass"), (38, "Synth bass")),
    "strings": _sounds((40, "Violin"), (42, "Cello"), (45, "Pizzicato")),
    "ensemble": _sounds((48, "String ensemble"), (50, "Synth strings"), (52, "Choir")),
    "brass": _sounds((56, "Trumpet"), (57, "Trombone"), (61, "Brass section")),
    "reed": _sounds((65, "Alto sax"), (66, "Tenor sax"), (71, "Clarinet")),
    "pipe": _sounds((73, "Flute"), (75, "Pan flute"), (74, "Recorder")),
    "synth_lead": _sounds((80, "Square lead"), (81, "Saw lead")),
    "synth_pad": _sounds((89, "Warm pad"), (90, "Poly synth pad"), (88, "New age pad")),
    "synth_effects": _sounds((98, "Crystal"), (99, "Atmosphere")),
    "ethnic": _sounds((105, "Banjo"), (107, "Koto"), (108, "Kalimba")),
    "percussive": _sounds((114, "Steel drums"), (112, "Tinkle bell")),
    "drums": tuple(
        Sound(DRUM_BANK, program, label)
        for program, label in (
            (0, "Standard kit"),
            (8, "Room kit"),
            (24, "Electronic kit"),
            (25, "808 kit"),
            (32, "Jazz kit"),
        )
    ),
}


# What stands for a synthesised sound where notes leave as MIDI.
_NEAREST: dict[str, Sound] = {
    "bass": Sound(0, 38, "Synthesised bass"),
    "synth_lead": Sound(0, 81, "Synthesised lead"),
    "synth_pad": Sound(0, 89, "Synthesised pad"),
    "drums": Sound(DRUM_BANK, 25, "Drum machine"),
}


def choose_sound(instrument: str, seed: int, genre: str | None = None) -> Sound:
    """Return one of the category's sounds; the same seed and genre give the same sound.

    Args:
        instrument: a name of `stemgen_core.instruments`.
        seed: any integer.
        genre: leaves only the sounds that suit it, and decides how often the synthesiser plays; None: any.

    Raises:
        InvalidRequestError: if there is no such instrument or it has no sounds.
    """
    find_instrument(instrument)
    if instrument not in SOUNDS:
        raise InvalidRequestError(f"There are no sounds for {instrument!r}. Choose one of: {', '.join(SOUNDS)}.")
    chance = random.Random(f"{instrument}:{seed}")
    if instrument in _NEAREST and random.Random(f"synthesised {instrument}:{seed}").random() < synthesised_share(genre):
        return replace(_NEAREST[instrument], synthesis_seed=chance.getrandbits(32))
    suited = suited_programs(genre, instrument)
    sounds = [sound for sound in SOUNDS[instrument] if suited is None or sound.program in suited]
    return chance.choice(sounds or list(SOUNDS[instrument]))
