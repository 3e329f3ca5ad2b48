"""Which of several variations fits best."""

from collections.abc import Mapping, Sequence
from typing import Any

from stemgen_core.sampling.judge import MODEL_JUDGE

_VERDICT_ORDER = ("good", "fair", "poor")
_OUTRIGHT = 0.2  # agreement below this is none: a few stray notes, say, whose tempo is no tempo


def best_first(fits: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the places of the variations of one turn, the best first; of equals the earlier one.

    Each judge has a scale of its own. Where not all that can be heard were scored by the same one, as when a turn was
    finished by another version, what was measured decides alone.

    Args:
        fits: `GenerationResult.fit_to_keep` of each, as stored.
    """
    judges = {judge_of(fit) for fit in fits if not fit.get("is_silent")}
    is_judged = len(judges) == 1
    return sorted(range(len(fits)), key=lambda place: badness(fits[place], is_judged=is_judged))


def judge_of(fit: Mapping[str, Any]) -> str | None:
    """Return the name of who gave a variation its listening score; None where it has none."""
    if fit.get("listening_score") is None:
        return None
    return fit.get("judge") or MODEL_JUDGE  # before there were two, none was named


def badness(fit: Mapping[str, Any], *, is_judged: bool = True) -> tuple[float, ...]:
    """Return what sorts variations of one turn, the best first.

    The verdict of what was measured decides, then whether anything measured disagrees outright with the context; among
    equals the listening score; then the agreements and the offset.

    Args:
        fit: `GenerationResult.fit_to_keep` as stored.
        is_judged: whether listening scores can be compared.
    """
    verdict = fit.get("verdict", "fair")
    agreements = [fit[name] for name in ("onset_agreement", "harmony_agreement") if fit.get(name) is not None]
    lowest = min([*agreements, *(fit[name] for name in ("tempo_agreement",) if fit.get(name) is not None)], default=1.0)
    return (
        float(bool(fit.get("is_silent"))),
        float(_VERDICT_ORDER.index(verdict)) if verdict in _VERDICT_ORDER else 1.0,
        float(lowest < _OUTRIGHT),
        -float(fit.get("listening_score") or 0.0) if is_judged else 0.0,
        -sum(agreements) / len(agreements) if agreements else 0.0,
        abs(fit.get("offset_ms") or 0.0),
    )
