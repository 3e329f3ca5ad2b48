"""The loss against a sum written out, and that it can be learnt."""

import math

import pytest
import torch

from stemgen_core.masking import MaskedTarget, mask_target
from stemgen_core.training.objective import masked_loss
from tests.core.tiny_models import MASK, TOY_SPEC, random_codes, random_features, seeded, toy_model

CONDITIONS = {"instrument": torch.tensor([0, 1, 2, 3])}
HEARS = torch.ones(4, dtype=torch.bool)


def masked_batch(seed: int) -> tuple[torch.Tensor, MaskedTarget]:
    codes = random_codes(seed, 4)
    return codes, mask_target(codes, TOY_SPEC, [(0, 1, 2)] * 4, seeded(seed))


@pytest.mark.parametrize("seed", range(12))
def test_the_loss_is_the_sum_over_hidden_codes_of_the_trained_levels(seed: int) -> None:
    model, (codes, masked) = toy_model(seed), masked_batch(seed)
    hidden = model(random_features(seed, 4), masked.codes, CONDITIONS, HEARS)

    loss, per_level = masked_loss(model, hidden, codes, masked)

    by_level: dict[int, list[float]] = {}
    for item in range(4):
        level = int(masked.level[item])
        for t in range(12):
            if masked.codes[item, level, t] != MASK:
                continue
            scores = (hidden[item, t] @ model.heads[level].weight.T).tolist()  # pyright: ignore
            total = math.log(sum(math.exp(score) for score in scores))
            by_level.setdefault(level, []).append(total - scores[int(codes[item, level, t])])
    everything = [value for values in by_level.values() for value in values]
    assert float(loss.detach()) == pytest.approx(sum(everything), rel=1e-4)
    assert {level: count for level, (_, count) in per_level.items()} == {k: len(v) for k, v in by_level.items()}
    assert {level: total for level, (total, _) in per_level.items()} == pytest.approx(
        {level: sum(values) for level, values in by_level.items()}, rel=1e-4
    )


@pytest.mark.parametrize("seed", range(10))
def test_codes_that_are_not_asked_for_do_not_count(seed: int) -> None:
    model, (codes, masked) = toy_model(seed), masked_batch(seed)
    hidden = model(random_features(seed, 4), masked.codes, CONDITIONS, HEARS)
    is_asked = torch.zeros_like(codes, dtype=torch.bool)
    for item in range(4):
        is_asked[item, masked.level[item]] = masked.generate_mask[item]
    others = torch.where(is_asked, codes, (codes + 1) % 8)

    assert torch.equal(masked_loss(model, hidden, codes, masked)[0], masked_loss(model, hidden, others, masked)[0])
    assert not torch.equal(
        masked_loss(model, hidden, codes, masked)[0],
        masked_loss(model, hidden, torch.where(is_asked, (codes + 1) % 8, codes), masked)[0],
    )


def test_it_overfits_one_batch() -> None:
    model, (codes, masked) = toy_model(0), masked_batch(0)
    context = random_features(0, 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []

    for _ in range(120):
        loss, _ = masked_loss(model, model(context, masked.codes, CONDITIONS, HEARS), codes, masked)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))

    num_codes = int(masked.generate_mask.sum())
    assert losses[0] > 1.5 * num_codes
    assert losses[-1] < 0.05 * num_codes
