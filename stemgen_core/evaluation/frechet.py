"""How far apart two populations of sounds are, by the Frechet distance of what a network makes of them.

Conventions: embeddings are float [N, D], one row per moment of sound. Distances are >= 0 and only comparable within one
embedding and one number of rows: few rows measure too far, so all populations of a table have about as many.
"""

import numpy as np

_EPSILON = 1e-6


def validate(embeddings: np.ndarray) -> None:
    """Check embeddings.

    Raises:
        ValueError: if they are not two rows or more of finite numbers.
    """
    if embeddings.ndim != 2 or len(embeddings) < 2:
        raise ValueError(f"embeddings must be two rows or more, got shape {embeddings.shape}")
    if not np.isfinite(embeddings).all():
        raise ValueError("embeddings must be finite")


def frechet_distance(reference: np.ndarray, estimated: np.ndarray) -> float:
    """Return the Frechet distance of two Gaussians fitted to embeddings, >= 0.

    Raises:
        ValueError: if embeddings are malformed or of different widths.

    Source: Frechet Audio Distance (arXiv:1812.08466). Differs: the trace of the root of the product of covariances is
    taken from its eigenvalues, which stays real where a covariance is singular.
    """
    validate(reference)
    validate(estimated)
    if reference.shape[1] != estimated.shape[1]:
        raise ValueError(f"embeddings must have one width, got {reference.shape[1]} and {estimated.shape[1]}")
    reference, estimated = reference.astype(np.float64), estimated.astype(np.float64)
    first, second = (np.atleast_2d(np.cov(each, rowvar=False)) for each in (reference, estimated))
    # The product of two covariances has real eigenvalues >= 0; rounding leaves specks below and beside.
    eigenvalues = np.linalg.eigvals(first @ second).real
    shared = np.sqrt(np.maximum(eigenvalues, 0)).sum()
    shift = np.square(reference.mean(axis=0) - estimated.mean(axis=0)).sum()
    distance = float(shift + np.trace(first) + np.trace(second) - 2 * shared)
    return 0.0 if distance < _EPSILON else distance


def evaluate(reference: np.ndarray, estimated: np.ndarray) -> dict[str, float]:
    """Return every score of this module: `frechet_distance` (>= 0).

    Raises:
        ValueError: if embeddings are malformed.
    """
    return {"frechet_distance": frechet_distance(reference, estimated)}
