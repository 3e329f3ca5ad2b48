"""How different are the variations of one request?

Conventions: distances are 0..1, 0 = the same, averaged over all pairs of variations.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import scipy.ndimage

from stemgen_core.analysis.key import Chroma
from stemgen_core.analysis.onset import OnsetEnvelope

_BLUR_S = 0.02


def validate(variations: Sequence[object]) -> None:
    """Check that there is something to compare.

    Raises:
        ValueError: if there are fewer than two variations.
    """
    if len(variations) < 2:
        raise ValueError(f"diversity needs at least 2 variations, got {len(variations)}")


def onset_distance(first: OnsetEnvelope, second: OnsetEnvelope) -> float:
    """Return 1 less the cosine similarity of two (blurred) onset envelopes, 0..1; 0 where both are empty."""
    length = min(len(first.strength), len(second.strength))
    blurred = [
        scipy.ndimage.gaussian_filter1d(np.sqrt(one.strength[:length]), _BLUR_S * one.frame_rate_hz)
        for one in (first, second)
    ]
    return _cosine_distance(blurred[0], blurred[1])


def chroma_distance(first: Chroma, second: Chroma) -> float:
    """Return 1 less the cosine similarity of two pitch-class matrices, 0..1; 0 where both are empty."""
    length = min(len(first.energy), len(second.energy))
    return _cosine_distance(first.energy[:length].ravel(), second.energy[:length].ravel())


def _cosine_distance(first: np.ndarray, second: np.ndarray) -> float:
    norms = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    if max(norms) == 0:
        return 0.0
    return float(np.clip(1 - float(first @ second) / max(norms[0] * norms[1], 1e-12), 0, 1))


def evaluate(onsets: Sequence[OnsetEnvelope], pitches: Sequence[Chroma]) -> dict[str, float]:
    """Return `onset_distance` and `chroma_distance` (0..1), means over all pairs of variations.

    Raises:
        ValueError: with fewer than two variations.
    """
    validate(onsets)
    validate(pitches)
    return {
        "onset_distance": float(np.mean([onset_distance(*pair) for pair in combinations(onsets, 2)])),
        "chroma_distance": float(np.mean([chroma_distance(*pair) for pair in combinations(pitches, 2)])),
    }
