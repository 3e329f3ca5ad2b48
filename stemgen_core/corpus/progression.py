"""Chord progressions in Roman numerals: bars parted by spaces, half bars by commas.

Common property of the styles they are named after; nothing in them is measured.
"""

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
