"""What a genre is made of: tempo, metre, swing, harmony, grooves, basses, and who plays what.

A table of musical common knowledge; nothing in it is measured. Programs count from 0 as in the MIDI message.
"""

import random
from dataclasses import dataclass

PIANO, ELECTRIC_PIANO, CLAV = (0, 1, 2), (4, 5), (7,)
ORGANS, CHURCH, ACCORDION = (16, 17, 18), (19, 20), (21, 23)
NYLON, STEEL, JAZZ_GUITAR, CLEAN, MUTED, DRIVEN = (24,), (25,), (26,), (27,), (28,), (29, 30)
UPRIGHT, ELECTRIC_BASS, SLAP, SYNTH_BASS, FRETLESS = (32,), (33, 34), (36, 37), (38, 39), (35,)
ENSEMBLE, CHOIR, SYNTH_STRINGS = (48, 49), (52, 53), (50, 51)
TRUMPET, TROMBONE, BRASS_SECTION, SYNTH_BRASS = (56, 59), (57, 60), (61,), (62, 63)
SAX, WOODWIND, FLUTE, PIPES = (64, 65, 66, 67), (68, 70, 71), (73,), (72, 74, 75, 79)
VIBES, MARIMBA, BELLS = (11,), (12, 13), (8, 9, 10, 14)
VIOLIN, CELLO, PIZZICATO, HARP = (40, 41), (42,), (45,), (46,)
LEADS, SOFT_LEADS, PADS = (80, 81, 84, 87), (80, 82, 85), (88, 89, 90, 91, 92, 94, 95)
PLUCKED = (104, 105, 107, 108)

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


POP_MAJOR = (
    "I V vi IV",
    "vi IV I V",
    "I vi IV V",
    "IV I V vi",
    "I IV vi V",
    "I iii IV V",
    "I,V vi,IV",
    "I IV",
    "IV V iii vi",
    "I V IV IV",
    "ii V I vi",
    "I V,IV I V",
)
POP_MINOR = (
    "i bVI bIII bVII",
    "i bVII bVI bVII",
    "i iv bVI V",
    "i bIII bVII iv",
    "bVI bVII i i",
    "i v bVI bVII",
    "i bVI iv V7",
    "i,bVII bVI,V",
    "i iv",
)
ROCK_MAJOR = ("I bVII IV I", "I IV V IV", "I V IV V", "I IV I V", "I bIII IV bVI", "I I IV V", "I bVII", "vi V IV V")
ROCK_MINOR = ("i bVII bVI V", "i bVI bVII i", "i bIII bVII bVI", "i i bVI bVII", "i iv v i", "i bVII", "i bII i bVII")
JAZZ_MAJOR = (
    "ii7 V7 Imaj7 VI7",
    "Imaj7 vi7 ii7 V7",
    "ii7 V7 Imaj7 Imaj7",
    "iii7 VI7 ii7 V7",
    "Imaj7,VI7 ii7,V7",
    "Imaj7 IV7 iii7,VI7 ii7,V7",
    "Imaj7 bIIImaj7 bVImaj7 V7",
    "ii7,V7 Imaj7,VI7 ii7,V7 Imaj7",
    "Imaj7 II7 ii7 V7",
)
JAZZ_MINOR = (
    "iim7b5 V7 i7 i7",
    "i6 iim7b5,V7 i6 V7",
    "i7 iv7 iim7b5 V7",
    "iv7 bVII7 bIIImaj7 bVImaj7 iim7b5 V7 i6 i6",
    "i7 bVI7 V7 i7",
)
BLUES_MAJOR = (
    "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7",
    "I7 IV7 I7 I7 IV7 IV7 I7 VI7 ii7 V7 I7 V7",
    "I7 I7 IV7 I7",
    "I7 IV7 I7 V7",
)
BLUES_MINOR = ("i7 i7 i7 i7 iv7 iv7 i7 i7 bVI7 V7 i7 V7", "i7 iv7 i7 V7")
VAMP_MINOR = ("i7", "i7 IV7", "i7 i7 iv7 iv7", "i9 IV9", "i7 bVII", "i7,bVII IV7", "i7 bIIImaj7", "i7 v7")
VAMP_MAJOR = ("I7", "I7 IV7", "I9 IV9", "Imaj7 IVmaj7", "I7 bVII", "Imaj7 ii7", "I7 I7 IV7 IV7", "ii7 V7")
NEO_MAJOR = (
    "IVmaj7 iii7 vi7 vi7",
    "Imaj7 iii7 IVmaj7 iv6",
    "ii9 V7 Imaj9 VI7",
    "IVmaj7 V7 iii7 vi7",
    "Imaj9 vi7 ii9 V7sus4",
    "IVmaj9 iii7",
    "Imaj7 IVmaj7",
)
NEO_MINOR = (
    "i9 iv9",
    "i7 iv7 bVIImaj7 bIIImaj7",
    "bVImaj7 V7 i7 i7",
    "i9 bVImaj7 iv7 V7",
    "bVImaj7 bVII7 i7 v7",
    "i7 bIIImaj7 bVImaj7 V7",
)
CLUB_MINOR = ("i", "i i bVI bVII", "i bVI", "i i iv iv", "i bVII bVI bVI", "i7 iv7", "i bIII bVII iv", "i i i bVI")
CLUB_MAJOR = ("I", "I I IV IV", "vi IV I V", "ii7 iii7", "IV V vi vi", "I bVII", "Imaj7 ii7")
AMBIENT_MAJOR = ("I I IV IV", "Imaj7 IVmaj7", "I V IV IV", "Isus2 IVadd9", "I vi IV I", "Imaj9 iii7 IVmaj9 IVmaj9")
AMBIENT_MINOR = ("i bVI", "i i bVI bVI", "i7 bIIImaj7", "i9 bVImaj7", "i iv bVI bVII")


def _part(chance: float, styles: str, *options: tuple[str, tuple[int, ...]]) -> Part:
    return Part(chance, tuple(styles.split()), options)


PIANO_COMP = _part(0.75, "block pulse broken sparse", ("piano", PIANO), ("piano", PIANO + ELECTRIC_PIANO))
GUITAR_COMP = _part(0.7, "strum pulse arpeggio", ("guitar", STEEL + CLEAN), ("guitar", NYLON + CLEAN))
PAD = _part(0.45, "pad pad_bars", ("ensemble", ENSEMBLE + SYNTH_STRINGS), ("synth_pad", PADS), ("organ", ORGANS))
STRINGS_LINE = _part(0.3, "line melody", ("strings", VIOLIN + CELLO), ("strings", VIOLIN + PIZZICATO))
WIND_LEAD = _part(0.3, "melody riff", ("pipe", FLUTE + PIPES), ("reed", SAX + WOODWIND), ("brass", TRUMPET + TROMBONE))
SYNTH_LEAD = _part(0.45, "melody riff arpeggio", ("synth_lead", LEADS), ("synth_lead", SOFT_LEADS))
BELL = _part(0.3, "riff arpeggio melody", ("mallets", BELLS + VIBES), ("mallets", MARIMBA + VIBES))
HORNS = _part(0.4, "stabs line", ("brass", BRASS_SECTION + SYNTH_BRASS), ("brass", BRASS_SECTION + TROMBONE))
ORGAN = _part(0.4, "pad block pulse", ("organ", ORGANS), ("organ", ORGANS + ACCORDION))
SYNTH_STAB = _part(
    0.6,
    "stabs pulse arpeggio",
    ("synth_pad", PADS),
    ("piano", PIANO + ELECTRIC_PIANO),
    ("organ", ORGANS),
    ("synth_lead", LEADS),
)
EP = _part(
    0.85,
    "block sparse pulse",
    ("piano", ELECTRIC_PIANO),
    ("piano", PIANO + ELECTRIC_PIANO),
    ("guitar", JAZZ_GUITAR + CLEAN),
)
GUITAR_LEAD = _part(0.35, "melody riff", ("guitar", CLEAN + JAZZ_GUITAR), ("guitar", DRIVEN))

# Chairs that any band may add, so that every category is heard in every style.
COLOURS = (
    _part(1.0, "line melody", ("strings", VIOLIN + CELLO + PIZZICATO)),
    _part(1.0, "melody riff line", ("pipe", FLUTE + PIPES)),
    _part(1.0, "melody riff line", ("reed", SAX + WOODWIND)),
    _part(1.0, "pad pad_bars", ("synth_pad", PADS)),
    _part(1.0, "stabs line melody", ("brass", TRUMPET + TROMBONE + BRASS_SECTION)),
    _part(1.0, "riff arpeggio", ("mallets", MARIMBA + VIBES + BELLS)),
)

GENRES: dict[str, Genre] = {
    "pop": Genre(
        (84, 132),
        ("major", "major", "minor"),
        POP_MAJOR,
        POP_MINOR,
        ("pop", "pop_clap", "pop_shaker", "rock"),
        (0, 8),
        ("root", "kick", "octave", "root_fifth", "pedal"),
        ELECTRIC_BASS + SYNTH_BASS,
        (PIANO_COMP, GUITAR_COMP, PAD, SYNTH_LEAD, STRINGS_LINE, BELL, WIND_LEAD),
        weight=1.5,
    ),
    "rock": Genre(
        (92, 168),
        ("major", "mixolydian", "minor"),
        ROCK_MAJOR,
        ROCK_MINOR,
        ("rock", "rock_ride", "rock_quarter", "rock_open", "half_time"),
        (0, 8, 16),
        ("root", "kick", "root_fifth", "eighths"),
        ELECTRIC_BASS,
        (
            _part(0.95, "strum pulse power", ("guitar", DRIVEN + CLEAN), ("guitar", STEEL + DRIVEN)),
            _part(0.5, "power arpeggio riff", ("guitar", DRIVEN), ("guitar", CLEAN + MUTED)),
            ORGAN,
            PIANO_COMP,
            GUITAR_LEAD,
            PAD,
        ),
        weight=1.5,
    ),
    "metal": Genre(
        (100, 178),
        ("minor", "minor", "dorian"),
        ROCK_MAJOR,
        ROCK_MINOR,
        ("metal", "metal_gallop", "rock_open", "half_time", "punk"),
        (16, 0),
        ("kick", "eighths", "root"),
        ELECTRIC_BASS,
        (
            _part(1.0, "power pulse", ("guitar", DRIVEN)),
            _part(0.5, "riff power melody", ("guitar", DRIVEN)),
            _part(0.4, "pad", ("ensemble", ENSEMBLE + CHOIR), ("organ", CHURCH)),
            _part(0.4, "melody arpeggio", ("synth_lead", LEADS), ("strings", VIOLIN)),
        ),
        weight=0.6,
        timing_ms=3.0,
    ),
    "funk": Genre(
        (88, 120),
        ("dorian", "mixolydian", "minor"),
        VAMP_MAJOR,
        VAMP_MINOR,
        ("funk", "funk_linear", "funk_cowbell"),
        (0, 8),
        ("syncopated", "kick", "octave"),
        ELECTRIC_BASS + SLAP,
        (
            _part(0.85, "funk stabs", ("guitar", CLEAN + MUTED), ("guitar", CLEAN)),
            _part(0.6, "funk stabs block", ("piano", CLAV + ELECTRIC_PIANO), ("organ", ORGANS)),
            HORNS,
            _part(0.35, "riff melody", ("reed", SAX), ("synth_lead", LEADS)),
            PAD,
        ),
        swing=(0.5, 0.58),
        swing_steps=2,
        richness=0.8,
    ),
    "disco": Genre(
        (108, 128),
        ("minor", "dorian", "major"),
        POP_MAJOR,
        POP_MINOR + VAMP_MINOR,
        ("disco", "disco_conga"),
        (0, 8, 24),
        ("octave", "syncopated", "eighths"),
        ELECTRIC_BASS + SYNTH_BASS,
        (
            _part(0.8, "funk pulse", ("guitar", CLEAN + MUTED)),
            _part(0.6, "line pad stabs", ("ensemble", ENSEMBLE + SYNTH_STRINGS)),
            PIANO_COMP,
            HORNS,
            BELL,
            SYNTH_LEAD,
        ),
        richness=0.5,
    ),
    "house": Genre(
        (116, 130),
        ("minor", "minor", "dorian", "major"),
        CLUB_MAJOR,
        CLUB_MINOR,
        ("house", "house_deep", "disco"),
        (24, 25, 8),
        ("offbeat", "syncopated", "kick", "octave"),
        SYNTH_BASS + ELECTRIC_BASS,
        (
            SYNTH_STAB,
            _part(0.6, "stabs block", ("piano", PIANO + ELECTRIC_PIANO), ("organ", ORGANS)),
            PAD,
            SYNTH_LEAD,
            BELL,
            WIND_LEAD,
        ),
        swing=(0.5, 0.56),
        swing_steps=2,
        richness=0.5,
        timing_ms=1.0,
        weight=1.2,
    ),
    "techno": Genre(
        (122, 146),
        ("minor", "minor", "dorian"),
        CLUB_MAJOR,
        CLUB_MINOR,
        ("techno", "techno_hard", "techno_ride", "house"),
        (24, 25),
        ("offbeat", "sixteenths", "pedal", "syncopated"),
        SYNTH_BASS,
        (
            SYNTH_STAB,
            _part(0.7, "arpeggio riff", ("synth_lead", LEADS)),
            PAD,
            _part(0.3, "riff arpeggio", ("mallets", MARIMBA + VIBES)),
            _part(0.3, "stabs riff", ("piano", PIANO + ELECTRIC_PIANO)),
        ),
        timing_ms=0.6,
        weight=1.2,
    ),
    "hip_hop": Genre(
        (78, 100),
        ("minor", "dorian", "major"),
        NEO_MAJOR,
        NEO_MINOR + POP_MINOR,
        ("boom_bap", "boom_bap_busy", "lofi"),
        (0, 8, 24),
        ("kick", "syncopated", "root"),
        SYNTH_BASS + ELECTRIC_BASS + UPRIGHT,
        (
            EP,
            _part(0.4, "riff arpeggio", ("mallets", BELLS + VIBES), ("guitar", NYLON + CLEAN)),
            _part(0.4, "line riff stabs", ("strings", VIOLIN + PIZZICATO + HARP), ("brass", TRUMPET)),
            PAD,
            WIND_LEAD,
        ),
        swing=(0.52, 0.62),
        swing_steps=2,
        richness=0.7,
        timing_ms=6.0,
        weight=1.1,
    ),
    "trap": Genre(
        (62, 82),
        ("minor",),
        POP_MAJOR,
        POP_MINOR + CLUB_MINOR,
        ("trap", "trap_roll"),
        (25, 24),
        ("kick", "pedal"),
        SYNTH_BASS,
        (
            _part(0.8, "arpeggio riff", ("mallets", BELLS), ("piano", PIANO), ("pipe", FLUTE + PIPES)),
            PAD,
            SYNTH_LEAD,
            _part(0.4, "line pad", ("strings", VIOLIN + CELLO), ("ensemble", CHOIR + ENSEMBLE)),
            PIANO_COMP,
        ),
        timing_ms=1.0,
        weight=0.8,
    ),
    "lofi": Genre(
        (68, 92),
        ("major", "minor", "dorian"),
        NEO_MAJOR,
        NEO_MINOR,
        ("lofi", "lofi_rim", "boom_bap"),
        (0, 8, 25, 32),
        ("root", "kick", "root_fifth", "walk_up"),
        UPRIGHT + ELECTRIC_BASS + FRETLESS,
        (
            EP,
            _part(0.6, "arpeggio melody sparse", ("guitar", NYLON + JAZZ_GUITAR), ("guitar", CLEAN)),
            _part(0.4, "melody riff", ("mallets", VIBES + BELLS), ("pipe", FLUTE)),
            PAD,
            _part(0.3, "melody line", ("reed", SAX + WOODWIND), ("brass", TRUMPET), ("strings", CELLO + VIOLIN)),
        ),
        swing=(0.54, 0.64),
        swing_steps=2,
        richness=0.9,
        timing_ms=8.0,
        weight=1.5,
    ),
    "jazz": Genre(
        (96, 180),
        ("major", "major", "minor", "dorian"),
        JAZZ_MAJOR,
        JAZZ_MINOR,
        ("swing", "swing_brush", "swing_four"),
        (32, 40, 0),
        ("walking", "walking", "walking", "two_feel"),
        UPRIGHT + FRETLESS,
        (
            _part(0.85, "jazz sparse", ("piano", PIANO), ("guitar", JAZZ_GUITAR)),
            _part(0.6, "melody", ("reed", SAX + WOODWIND), ("brass", TRUMPET + TROMBONE), ("mallets", VIBES)),
            _part(0.4, "four jazz", ("guitar", JAZZ_GUITAR), ("organ", ORGANS)),
            _part(0.3, "line stabs", ("brass", BRASS_SECTION + TROMBONE), ("pipe", FLUTE)),
        ),
        swing=(0.6, 0.67),
        richness=1.0,
        timing_ms=6.0,
        weight=1.2,
    ),
    "blues": Genre(
        (72, 132),
        ("mixolydian", "mixolydian", "minor"),
        BLUES_MAJOR,
        BLUES_MINOR,
        ("shuffle", "shuffle_ride"),
        (0, 8, 32),
        ("walking", "root_fifth", "shuffle", "boogie"),
        ELECTRIC_BASS + UPRIGHT,
        (
            _part(0.8, "block stabs jazz", ("guitar", CLEAN + JAZZ_GUITAR), ("piano", PIANO)),
            ORGAN,
            GUITAR_LEAD,
            _part(0.4, "melody riff", ("organ", (22,)), ("reed", SAX)),
            HORNS,
        ),
        swing=(0.6, 0.67),
        richness=0.7,
        timing_ms=6.0,
    ),
    "bossa": Genre(
        (112, 150),
        ("major", "major", "minor"),
        JAZZ_MAJOR + NEO_MAJOR,
        JAZZ_MINOR,
        ("bossa", "bossa_clave", "samba"),
        (0, 32, 40),
        ("bossa", "root_fifth"),
        UPRIGHT + FRETLESS + ELECTRIC_BASS,
        (
            _part(0.9, "bossa", ("guitar", NYLON), ("guitar", NYLON + JAZZ_GUITAR)),
            _part(0.6, "sparse jazz block", ("piano", PIANO + ELECTRIC_PIANO)),
            _part(0.6, "melody", ("pipe", FLUTE), ("reed", SAX), ("mallets", VIBES), ("brass", TRUMPET)),
            PAD,
        ),
        richness=1.0,
        timing_ms=5.0,
    ),
    "latin": Genre(
        (90, 124),
        ("minor", "major", "dorian"),
        ("I IV V IV", "I IV V7 IV", "ii7 V7 I I", "I,IV V,IV"),
        ("i iv V7 iv", "i bVII bVI V7", "i,iv V7,iv", "i7 IV7"),
        ("salsa", "afro", "samba"),
        (0, 8),
        ("tumbao", "root_fifth", "syncopated"),
        ELECTRIC_BASS + UPRIGHT,
        (
            _part(0.9, "montuno", ("piano", PIANO)),
            HORNS,
            _part(0.5, "bossa strum", ("guitar", NYLON + STEEL)),
            WIND_LEAD,
            _part(0.3, "riff arpeggio", ("mallets", MARIMBA + VIBES)),
        ),
        richness=0.3,
    ),
    "reggae": Genre(
        (66, 92),
        ("major", "minor", "minor"),
        ("I IV", "I V vi IV", "I ii", "I IV V IV", "I vi ii V"),
        ("i bVII", "i iv", "i bVI bVII i", "i7 iv7", "i v"),
        ("reggae_one_drop", "reggae_steppers"),
        (0, 8),
        ("dub", "syncopated", "root_fifth"),
        ELECTRIC_BASS,
        (
            _part(0.95, "skank", ("guitar", CLEAN + MUTED), ("piano", PIANO)),
            _part(0.7, "bubble skank", ("organ", ORGANS)),
            HORNS,
            WIND_LEAD,
            _part(0.3, "melody riff", ("synth_lead", SOFT_LEADS), ("mallets", VIBES)),
        ),
        swing=(0.5, 0.62),
        timing_ms=5.0,
    ),
    "country": Genre(
        (88, 140),
        ("major", "major", "mixolydian"),
        ("I IV V I", "I I IV V", "I V I IV", "I IV I V7", "I vi IV V", "I V7"),
        ROCK_MINOR,
        ("train", "country", "rock"),
        (0, 8, 40),
        ("root_fifth", "root_fifth", "walk_up", "boogie"),
        UPRIGHT + ELECTRIC_BASS,
        (
            _part(0.95, "boom_chuck strum", ("guitar", STEEL)),
            _part(0.5, "arpeggio riff melody", ("guitar", CLEAN), ("ethnic", (105,)), ("strings", VIOLIN)),
            PIANO_COMP,
            ORGAN,
            _part(0.3, "melody line", ("strings", VIOLIN), ("organ", (22, 21))),
        ),
    ),
    "ballad": Genre(
        (60, 84),
        ("major", "major", "minor"),
        POP_MAJOR + NEO_MAJOR,
        POP_MINOR,
        ("ballad", "ballad_ride", "pop_shaker", "half_time"),
        (0, 8, 40),
        ("root", "root_fifth", "walk_up", "kick"),
        ELECTRIC_BASS + FRETLESS,
        (
            _part(0.95, "block broken arpeggio pulse", ("piano", PIANO), ("piano", PIANO + ELECTRIC_PIANO)),
            PAD,
            _part(0.5, "arpeggio strum", ("guitar", NYLON + STEEL + CLEAN)),
            STRINGS_LINE,
            WIND_LEAD,
        ),
        richness=0.35,
        timing_ms=7.0,
        drums_chance=0.85,
    ),
    "soul": Genre(
        (70, 112),
        ("major", "minor", "dorian"),
        NEO_MAJOR + POP_MAJOR,
        NEO_MINOR,
        ("pop", "funk", "ballad", "boom_bap"),
        (0, 8),
        ("syncopated", "kick", "walk_up", "root_fifth"),
        ELECTRIC_BASS + FRETLESS,
        (EP, HORNS, ORGAN, _part(0.5, "funk strum stabs", ("guitar", CLEAN)), WIND_LEAD, STRINGS_LINE),
        swing=(0.5, 0.6),
        swing_steps=2,
        richness=0.8,
        timing_ms=6.0,
    ),
    "ambient": Genre(
        (60, 100),
        ("major", "minor", "dorian", "mixolydian"),
        AMBIENT_MAJOR,
        AMBIENT_MINOR,
        ("sparse", "pulse"),
        (25, 24, 48),
        ("pedal", "root", "root_fifth"),
        SYNTH_BASS + FRETLESS,
        (
            _part(1.0, "pad pad_bars", ("synth_pad", PADS), ("ensemble", ENSEMBLE + CHOIR)),
            _part(
                0.7,
                "arpeggio broken sparse",
                ("piano", PIANO + ELECTRIC_PIANO),
                ("guitar", NYLON + CLEAN),
                ("strings", HARP),
            ),
            BELL,
            _part(0.5, "line melody", ("pipe", FLUTE + PIPES), ("strings", CELLO + VIOLIN), ("synth_lead", SOFT_LEADS)),
            PAD,
        ),
        richness=0.5,
        drums_chance=0.6,
    ),
    "drum_and_bass": Genre(
        (160, 178),
        ("minor", "dorian", "minor"),
        CLUB_MAJOR + NEO_MAJOR,
        CLUB_MINOR + NEO_MINOR,
        ("dnb", "dnb_busy", "breakbeat"),
        (0, 24, 16),
        ("pedal", "syncopated", "kick"),
        SYNTH_BASS,
        (
            PAD,
            EP,
            SYNTH_LEAD,
            _part(0.5, "arpeggio riff", ("mallets", BELLS + VIBES), ("synth_lead", LEADS)),
            STRINGS_LINE,
        ),
        richness=0.5,
        timing_ms=1.0,
    ),
    "synthwave": Genre(
        (80, 124),
        ("minor", "minor", "major"),
        POP_MAJOR,
        POP_MINOR,
        ("synthwave", "house", "pop"),
        (24, 16, 25),
        ("eighths", "octave", "sixteenths", "arpeggio"),
        SYNTH_BASS,
        (
            PAD,
            _part(0.8, "arpeggio", ("synth_lead", LEADS)),
            SYNTH_LEAD,
            _part(0.5, "stabs block", ("brass", SYNTH_BRASS), ("ensemble", SYNTH_STRINGS)),
            BELL,
        ),
        timing_ms=0.8,
    ),
    "folk": Genre(
        (76, 132),
        ("major", "dorian", "mixolydian", "minor"),
        POP_MAJOR + ROCK_MAJOR,
        POP_MINOR,
        ("pop_shaker", "country", "afro", "sparse"),
        (0, 40, 8),
        ("root", "root_fifth", "walk_up"),
        UPRIGHT + ELECTRIC_BASS,
        (
            _part(1.0, "strum arpeggio broken", ("guitar", STEEL + NYLON)),
            _part(0.6, "melody", ("pipe", FLUTE + PIPES), ("strings", VIOLIN), ("reed", WOODWIND)),
            _part(0.3, "arpeggio riff", ("ethnic", PLUCKED), ("mallets", MARIMBA)),
            PIANO_COMP,
            _part(0.4, "pad line", ("organ", ACCORDION), ("strings", CELLO)),
        ),
        drums_chance=0.75,
        timing_ms=6.0,
        weight=0.8,
    ),
    "waltz": Genre(
        (84, 168),
        ("major", "major", "minor"),
        POP_MAJOR + JAZZ_MAJOR,
        POP_MINOR + JAZZ_MINOR,
        ("waltz", "waltz_ride", "waltz_rim"),
        (0, 32, 40),
        ("root", "root_fifth", "walking"),
        UPRIGHT + ELECTRIC_BASS,
        (
            _part(0.9, "oom_pah block arpeggio", ("piano", PIANO), ("guitar", NYLON + STEEL)),
            _part(0.6, "melody", ("reed", WOODWIND), ("pipe", FLUTE), ("strings", VIOLIN), ("organ", ACCORDION)),
            PAD,
            BELL,
        ),
        meter="3/4",
        swing=(0.5, 0.62),
        richness=0.4,
        timing_ms=6.0,
        weight=0.8,
    ),
    "six_eight": Genre(
        (44, 76),
        ("major", "minor", "mixolydian"),
        POP_MAJOR + ROCK_MAJOR,
        POP_MINOR + ROCK_MINOR,
        ("six_eight", "six_eight_ride", "six_eight_rim"),
        (0, 8),
        ("root", "root_fifth", "kick", "eighths"),
        ELECTRIC_BASS,
        (
            _part(0.9, "arpeggio block", ("piano", PIANO), ("guitar", CLEAN + STEEL)),
            ORGAN,
            PAD,
            GUITAR_LEAD,
            STRINGS_LINE,
            WIND_LEAD,
        ),
        meter="6/8",
        timing_ms=6.0,
        weight=0.8,
    ),
}


def choose_genre(rng: random.Random) -> str:
    """Return the name of a genre, drawn by weight."""
    return rng.choices(list(GENRES), [genre.weight for genre in GENRES.values()])[0]
