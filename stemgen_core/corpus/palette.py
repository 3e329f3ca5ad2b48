"""General MIDI programs by character, and the chairs that many bands share.

Programs count from 0 as in the MIDI message.
"""

from stemgen_core.corpus.genre import Part

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
STEEL_DRUMS, TINKLE_BELL = (114,), (112,)
TEXTURES = (97, 98, 99, 100, 101, 102)


def chair(chance: float, styles: str, *options: tuple[str, tuple[int, ...]]) -> Part:
    """Return a chair; styles are parted by spaces."""
    return Part(chance, tuple(styles.split()), options)


PIANO_COMP = chair(0.75, "block pulse broken sparse", ("piano", PIANO), ("piano", PIANO + ELECTRIC_PIANO))
GUITAR_COMP = chair(0.7, "strum pulse arpeggio", ("guitar", STEEL + CLEAN), ("guitar", NYLON + CLEAN))
PAD = chair(0.45, "pad pad_bars", ("ensemble", ENSEMBLE + SYNTH_STRINGS), ("synth_pad", PADS), ("organ", ORGANS))
STRINGS_LINE = chair(0.3, "line melody", ("strings", VIOLIN + CELLO), ("strings", VIOLIN + PIZZICATO))
WIND_LEAD = chair(0.3, "melody riff", ("pipe", FLUTE + PIPES), ("reed", SAX + WOODWIND), ("brass", TRUMPET + TROMBONE))
SYNTH_LEAD = chair(0.45, "melody riff arpeggio", ("synth_lead", LEADS), ("synth_lead", SOFT_LEADS))
BELL = chair(0.3, "riff arpeggio melody", ("mallets", BELLS + VIBES), ("mallets", MARIMBA + VIBES))
HORNS = chair(0.4, "stabs line", ("brass", BRASS_SECTION + SYNTH_BRASS), ("brass", BRASS_SECTION + TROMBONE))
ORGAN = chair(0.4, "pad block pulse", ("organ", ORGANS), ("organ", ORGANS + ACCORDION))
SYNTH_STAB = chair(
    0.6,
    "stabs pulse arpeggio",
    ("synth_pad", PADS),
    ("piano", PIANO + ELECTRIC_PIANO),
    ("organ", ORGANS),
    ("synth_lead", LEADS),
)
EP = chair(
    0.85,
    "block sparse pulse",
    ("piano", ELECTRIC_PIANO),
    ("piano", PIANO + ELECTRIC_PIANO),
    ("guitar", JAZZ_GUITAR + CLEAN),
)
GUITAR_LEAD = chair(0.35, "melody riff", ("guitar", CLEAN + JAZZ_GUITAR), ("guitar", DRIVEN))

# Chairs that any band may add, so that every category is heard in every style.
COLOURS = (
    chair(1.0, "line melody", ("strings", VIOLIN + CELLO + PIZZICATO)),
    chair(1.0, "melody riff line", ("pipe", FLUTE + PIPES)),
    chair(1.0, "melody riff line", ("reed", SAX + WOODWIND)),
    chair(1.0, "pad pad_bars", ("synth_pad", PADS)),
    chair(1.0, "stabs line melody", ("brass", TRUMPET + TROMBONE + BRASS_SECTION)),
    chair(1.0, "riff arpeggio", ("mallets", MARIMBA + VIBES + BELLS)),
    chair(1.0, "riff arpeggio melody", ("ethnic", PLUCKED)),
    chair(1.0, "riff arpeggio melody", ("percussive", STEEL_DRUMS + TINKLE_BELL)),
    chair(1.0, "pad pad_bars arpeggio", ("synth_effects", TEXTURES)),
)
