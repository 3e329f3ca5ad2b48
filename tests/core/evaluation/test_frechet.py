"""Frechet distance: empty, malformed, perfect, known values."""

import numpy as np
import pytest

from stemgen_core.evaluation import frechet


def normal(seed: int, mean: float = 0.0, scale: float = 1.0, rows: int = 4000) -> np.ndarray:
    return (mean + scale * np.random.default_rng(seed).standard_normal((rows, 3))).astype(np.float32)


@pytest.mark.parametrize("embeddings", [np.zeros((0, 3)), np.zeros((1, 3)), np.zeros(4)])
def test_too_few_rows_are_refused(embeddings: np.ndarray) -> None:
    with pytest.raises(ValueError, match="two rows or more"):
        frechet.frechet_distance(embeddings, normal(0))


def test_malformed_embeddings_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        frechet.frechet_distance(normal(0), np.full((4, 3), np.nan))
    with pytest.raises(ValueError, match="one width, got 3 and 2"):
        frechet.frechet_distance(normal(0), normal(1)[:, :2])


def test_a_population_is_not_apart_from_itself_also_where_it_is_flat() -> None:
    flat = normal(0) * np.array([1, 1, 0], np.float32)

    assert frechet.evaluate(normal(0), normal(0)) == {"frechet_distance": pytest.approx(0, abs=1e-5)}
    assert frechet.frechet_distance(flat, flat) == pytest.approx(0, abs=1e-5)


def test_gaussians_of_known_means_and_scales_have_the_known_distance() -> None:
    # |2 - 0|^2 in three dimensions, and (1 - 3)^2 in three.
    assert frechet.frechet_distance(normal(0), normal(1, mean=2.0)) == pytest.approx(12.0, rel=0.03)
    assert frechet.frechet_distance(normal(0), normal(1, scale=3.0)) == pytest.approx(12.0, rel=0.06)


def test_the_distance_is_the_same_both_ways_and_grows() -> None:
    near, far = normal(1, mean=0.5), normal(1, mean=1.0)

    assert frechet.frechet_distance(normal(0), near) == pytest.approx(frechet.frechet_distance(near, normal(0)))
    assert frechet.frechet_distance(normal(0), near) < frechet.frechet_distance(normal(0), far)


def test_correlation_counts() -> None:
    one = normal(0)
    tied = one.copy()
    tied[:, 1] = tied[:, 0]

    assert frechet.frechet_distance(one, tied) > 0.3
