"""Eq. 1 and the choice of the best frames, against plain loops."""

import pytest
import torch

from stemgen_core.sampling.ranking import keep_best, rank_frames
from tests.core.tiny_models import seeded

SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weights", [(0.1, 0.1, 1.0), (1.0, 0.0, 0.0), (0.3, 2.0, 0.5)], ids=str)
def test_ranking_is_equation_1_frame_by_frame(weights: tuple[float, float, float], seed: int) -> None:
    confidence, noise = torch.rand(2, 3, 9, generator=seeded(seed))
    w_c, w_s, w_r = weights

    scores = rank_frames(confidence, noise, confidence_weight=w_c, causal_bias=w_s, noise_weight=w_r)

    for item in range(3):
        for n in range(9):
            rho = w_c * float(confidence[item, n]) + w_s * (1 - n / 9) + w_r * float(noise[item, n])
            assert float(scores[item, n]) == pytest.approx(rho, abs=1e-6)


def test_causal_bias_alone_puts_early_frames_first() -> None:
    nothing = torch.zeros(1, 20)

    scores = rank_frames(nothing, nothing, confidence_weight=0, causal_bias=0.1, noise_weight=0)

    assert scores[0].argsort(descending=True).tolist() == list(range(20))


@pytest.mark.parametrize("seed", SEEDS)
def test_exactly_as_many_are_kept_as_asked_for(seed: int) -> None:
    rng = seeded(seed)
    scores, is_candidate = torch.rand(6, 15, generator=rng), torch.rand(6, 15, generator=rng) < 0.6
    num_to_keep = torch.randint(0, 18, (6,), generator=rng)

    kept = keep_best(scores, is_candidate, num_to_keep)

    assert torch.equal(kept.sum(1), torch.minimum(num_to_keep, is_candidate.sum(1)))


@pytest.mark.parametrize("seed", SEEDS)
def test_fixed_frames_are_never_chosen_and_take_no_slot(seed: int) -> None:
    rng = seeded(seed)
    is_candidate = torch.rand(4, 15, generator=rng) < 0.5
    scores = torch.rand(4, 15, generator=rng) + 5.0 * ~is_candidate  # the fixed ones look best

    kept = keep_best(scores, is_candidate, torch.full((4,), 3))

    assert not (kept & ~is_candidate).any()
    assert kept.sum(1).tolist() == [min(3, int(n)) for n in is_candidate.sum(1)]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_candidates_are_kept(seed: int) -> None:
    rng = seeded(seed)
    scores = torch.randn(5, 12, generator=rng)  # negative ones too
    is_candidate = torch.rand(5, 12, generator=rng) < 0.7

    kept = keep_best(scores, is_candidate, torch.tensor([0, 1, 2, 5, 12]))

    for item, count in enumerate([0, 1, 2, 5, 12]):
        frames = sorted(is_candidate[item].nonzero()[:, 0].tolist(), key=lambda n: -float(scores[item, n]))
        assert kept[item].nonzero()[:, 0].tolist() == sorted(frames[:count])


def test_among_equals_the_earlier_is_kept() -> None:
    kept = keep_best(torch.zeros(1, 6), torch.tensor([[False, True, True, False, True, True]]), torch.tensor([2]))

    assert kept[0].nonzero()[:, 0].tolist() == [1, 2]
