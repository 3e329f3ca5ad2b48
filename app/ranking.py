"""Which of several variations fits best."""

from collections.abc import Mapping
from typing import Any

_VERDICT_ORDER = ("good", "fair", "poor")
_OUTRIGHT = 0.2  # agreement below this is none: a few stray notes, say, whose tempo is no tempo


def badness(fit: Mapping[str, Any]) -> tuple[float, ...]:
    """Return what sorts variations of one turn, the best first.

    The verdict of what was measured decides, then whether anything measured disagrees outright with the context; among
    equals, how much better the model itself explains the stem with its context than without; then the agreements and
    the offset.

    Args:
        fit: `FitReport` of the core as stored, with `listening_score` where the model gives one.
    """
    verdict = fit.get("verdict", "fair")
    agreements = [fit[name] for name in ("onset_agreement", "harmony_agreement") if fit.get(name) is not None]
    lowest = min([*agreements, *(fit[name] for name in ("tempo_agreement",) if fit.get(name) is not None)], default=1.0)
    return (
        float(bool(fit.get("is_silent"))),
        float(_VERDICT_ORDER.index(verdict)) if verdict in _VERDICT_ORDER else 1.0,
        float(lowest < _OUTRIGHT),
        -float(fit.get("listening_score") or 0.0),
        -sum(agreements) / len(agreements) if agreements else 0.0,
        abs(fit.get("offset_ms") or 0.0),
    )
