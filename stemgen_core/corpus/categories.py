"""What a stem does in the music, whatever plays it."""

from stemgen_core.corpus import melody
from stemgen_core.corpus.piece import StemScore


def stem_category(stem: StemScore) -> str:
    """Return what a stem does in the music: a name of `instruments.STEM_CATEGORIES`.

    Source: StemGen (arXiv:2312.08723), the `mingus` model is asked for stems by genre and stem category.
    """
    if stem.instrument in ("drums", "percussive"):
        return "percussive"
    if stem.instrument == "bass":
        return "bass"
    return "melodic" if stem.style in melody.STYLES else "harmonic"
