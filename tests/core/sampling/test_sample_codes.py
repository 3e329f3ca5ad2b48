"""Sampling by the inverse of the cumulative distribution."""

import math

import pytest
import torch

from stemgen_core.sampling.decode import sample_codes
from tests.core.tiny_models import seeded

LAST_DRAW = 1 - 2.0**-24  # the largest that torch.rand gives


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.6])
def test_codes_come_as_often_as_the_distribution_says(temperature: float, seed: int) -> None:
    scores = torch.randn(6, generator=seeded(seed))
    draws = torch.rand(8_000, generator=seeded(seed + 1_000))

    codes, _ = sample_codes(scores.expand(8_000, -1), draws, temperature)

    weights = [math.exp(score / temperature) for score in scores.tolist()]
    expected = [8_000 * weight / sum(weights) for weight in weights]
    counts = codes.bincount(minlength=6).tolist()
    assert sum((n - e) ** 2 / e for n, e in zip(counts, expected, strict=True)) < 30  # 1 in 100,000 by chance


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("draw", [0.0, 2.0**-24, 0.5, 1 - 2.0**-12, LAST_DRAW])
def test_impossible_codes_are_never_taken(draw: float, seed: int) -> None:
    rng = seeded(seed)
    scores = 5 * torch.randn(200, 50, generator=rng)
    is_possible = torch.rand(200, 50, generator=rng) < 0.3
    is_possible[:, 25] = True
    is_possible[:, :3], is_possible[:, -3:] = False, False  # both ends are where rounding would slip

    codes, confidence = sample_codes(scores.masked_fill(~is_possible, -torch.inf), torch.full((200,), draw), 1.0)

    assert is_possible.gather(1, codes[:, None]).all()
    assert (confidence > 0).all()


@pytest.mark.parametrize("seed", range(10))
def test_the_code_is_the_first_whose_cumulated_probability_exceeds_the_draw(seed: int) -> None:
    scores, draws = torch.randn(40, 7, generator=seeded(seed)), torch.rand(40, generator=seeded(seed + 1))

    codes, _ = sample_codes(scores, draws, 0.8)

    for row, draw, code in zip(scores, draws.tolist(), codes.tolist(), strict=True):
        cumulated = (row.double() / 0.8).softmax(-1).cumsum(-1).tolist()
        assert code == next(i for i, c in enumerate(cumulated) if c > draw)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("temperature", [0.1, 1.0, 2.0])
def test_confidence_is_the_probability_before_temperature(temperature: float, seed: int) -> None:
    scores, draws = torch.randn(40, 7, generator=seeded(seed)), torch.rand(40, generator=seeded(seed + 1))

    codes, confidence = sample_codes(scores, draws, temperature)

    torch.testing.assert_close(confidence, scores.softmax(-1)[torch.arange(40), codes])


@pytest.mark.parametrize("seed", range(10))
def test_a_cold_temperature_takes_the_most_likely(seed: int) -> None:
    scores, draws = torch.randn(100, 9, generator=seeded(seed)), torch.rand(100, generator=seeded(seed + 1))

    codes, _ = sample_codes(scores, draws, 1e-5)

    assert torch.equal(codes, scores.argmax(-1))


def test_nothing_hidden_gives_nothing() -> None:
    codes, confidence = sample_codes(torch.zeros(0, 8), torch.zeros(0), 1.0)

    assert codes.shape == confidence.shape == (0,)
