"""Does a stem sound like the kind of instrument that was asked for?

Conventions: only what simple measures can tell is claimed: drums are not pitched, a bass is low, and everything else is
pitched. It says nothing about timbre: a flute passes for a violin.
"""

from stemgen_core.analysis.key import PITCHED_ABOVE, Chroma
from stemgen_core.instruments import find_instrument

BASS_BELOW_HZ = 200.0


def validate(pitch_classes: Chroma) -> None:
    """Check pitch classes.

    Raises:
        ValueError: if they are not [T, 12].
    """
    if pitch_classes.energy.ndim != 2 or pitch_classes.energy.shape[1] != 12:
        raise ValueError(f"pitch classes must have shape [T, 12], got {pitch_classes.energy.shape}")


def kind_of(pitch_classes: Chroma) -> str:
    """Return "drums", "bass" or "pitched" by what is heard."""
    validate(pitch_classes)
    if pitch_classes.pitchedness < PITCHED_ABOVE:
        return "drums"
    return "bass" if pitch_classes.lowest_hz < BASS_BELOW_HZ else "pitched"


def kind_asked_for(instrument: str) -> str | None:
    """Return the kind of an instrument category; None for those that may be anything.

    Raises:
        InvalidRequestError: if there is no such category.
    """
    find_instrument(instrument)
    if instrument in ("percussive", "sound_effects", "synth_effects"):
        return None
    return instrument if instrument in ("drums", "bass") else "pitched"


def evaluate(instrument: str, stem: Chroma) -> dict[str, float | None]:
    """Return every score of this module.

    Returns:
        `kind_matches` (0 or 1): drums are unpitched, all else is pitched, and a bass is also low; None for
        categories that may be anything.
    """
    asked, heard = kind_asked_for(instrument), kind_of(stem)
    if asked is None:
        return {"kind_matches": None}
    is_match = heard == asked or (asked == "pitched" and heard == "bass")  # a left hand is as low as a bass
    return {"kind_matches": float(is_match)}
