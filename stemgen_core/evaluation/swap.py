"""Context swap: with everything else the same, does another context make another stem, and the right one?

Conventions: a case has two contexts of different pieces, one instrument and one seed. One stem was made for the old
context, one for the new. The stem *follows* if it agrees with the new context better than the stem that was made for
the old one does, and *leaves* if it agrees with the old context worse than that one does. A tie counts one half, so
stems that have nothing to do with either context score 0.5. In time, agreement is `compare_onsets` (where a context has
beats and a stem has onsets); in harmony, `chroma_contrast` (where both are pitched).
"""

from collections.abc import Sequence

import numpy as np

from stemgen_core.analysis.fit import chroma_contrast, compare_onsets
from stemgen_core.evaluation.controls import validate as validate_scores
from stemgen_core.evaluation.hearing import Heard

SCORES = ("beat_follows", "beat_leaves", "harmony_follows", "harmony_leaves")


def validate(agreements: Sequence[float | None]) -> None:
    """Check agreements.

    Raises:
        ValueError: if one is not a finite number.
    """
    validate_scores(np.array([0.0 if value is None else value for value in agreements]))
    if any(value is not None and np.isnan(value) for value in agreements):
        raise ValueError("agreements must be numbers; None stands for what could not be measured")


def preferred(better: float | None, worse: float | None) -> float | None:
    """Return 1 where the first agreement is the higher one, 0 where it is the lower one, 0.5 for a tie.

    None where either could not be measured.

    Raises:
        ValueError: if an agreement is not finite.
    """
    validate([better, worse])
    if better is None or worse is None:
        return None
    return 0.5 if better == worse else float(better > worse)


def evaluate(old: Heard, new: Heard, made_for_old: Heard, made_for_new: Heard) -> dict[str, float | None]:
    """Return every score of this module for one case.

    A stem that falls silent, or loses its pitch, with the new context has neither followed nor left.

    Returns:
        `beat_follows`, `beat_leaves`, `harmony_follows`, `harmony_leaves`: 0, 0.5 or 1; None where the contexts, or the
        stem that was made for the old one, give nothing to measure.
    """
    scores: dict[str, float | None] = {}
    for name, agree in (("beat", _in_time), ("harmony", _in_harmony)):
        kept_old, kept_new = agree(old, made_for_old), agree(new, made_for_old)
        moved_old, moved_new = agree(old, made_for_new), agree(new, made_for_new)
        scores[f"{name}_follows"] = _or_failed(preferred(moved_new, kept_new), kept_new)
        scores[f"{name}_leaves"] = _or_failed(preferred(kept_old, moved_old), kept_old)
    return scores


def _or_failed(score: float | None, could_before: float | None) -> float | None:
    return 0.0 if score is None and could_before is not None else score


def _in_time(context: Heard, stem: Heard) -> float | None:
    return compare_onsets(context.onsets, stem.onsets)[1]


def _in_harmony(context: Heard, stem: Heard) -> float | None:
    return chroma_contrast(context.pitches, stem.pitches)
