"""What is hidden in training: which level, how much of it, and nothing else."""

import math

import pytest
import torch

from stemgen_core.conditioning import ConditionField, drop_sources
from stemgen_core.masking import mask_target
from tests.core.tiny_models import MASK, TOY_SPEC, random_codes, seeded

ALL_LEVELS = (0, 1, 2)


def chi_square(counts: list[int], shares: list[float]) -> float:
    total = sum(counts)
    return sum((n - total * share) ** 2 / (total * share) for n, share in zip(counts, shares, strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_coarser_levels_stay_and_finer_ones_are_hidden(seed: int) -> None:
    codes = random_codes(seed, 40)

    masked = mask_target(codes, TOY_SPEC, [ALL_LEVELS] * 40, seeded(seed))

    for item in range(40):
        level, hidden = int(masked.level[item]), masked.generate_mask[item]
        for k in range(3):
            seen = masked.codes[item, k]
            if k < level:
                expected = codes[item, k]
            elif k == level:
                expected = torch.where(hidden, MASK, codes[item, k])
            else:
                expected = torch.full_like(seen, MASK)
            assert torch.equal(seen, expected)


@pytest.mark.parametrize("seed", range(12))
def test_the_true_codes_are_left_as_they_were(seed: int) -> None:
    codes = random_codes(seed, 8)
    before = codes.clone()

    mask_target(codes, TOY_SPEC, [ALL_LEVELS] * 8, seeded(seed))

    assert torch.equal(codes, before)


@pytest.mark.parametrize("num_frames", [1, 2, 7, 250])
def test_at_least_one_frame_is_hidden_and_at_most_all(num_frames: int) -> None:
    codes = random_codes(0, 400, num_frames)

    counts = mask_target(codes, TOY_SPEC, [ALL_LEVELS] * 400, seeded(1)).generate_mask.sum(1)

    assert counts.min() >= 1
    assert counts.max() <= num_frames


@pytest.mark.parametrize("seed", range(10))
def test_mask_rates_follow_the_cosine_of_a_uniform_number(seed: int) -> None:
    num_items, num_frames = 1_000, 400
    codes = torch.zeros(num_items, 3, num_frames, dtype=torch.int64)

    masked = mask_target(codes, TOY_SPEC, [ALL_LEVELS] * num_items, seeded(seed))

    rates = sorted((masked.generate_mask.sum(1) / num_frames).tolist())
    # P(cos(u pi / 2) <= r) = 1 - 2 / pi arccos r; Kolmogorov-Smirnov by hand, 1 in 10,000 by chance.
    expected = [1 - 2 / math.pi * math.acos(rate) for rate in rates]
    distance = max(abs(e - (i + 0.5) / num_items) for i, e in enumerate(expected))
    assert distance < 2.23 / math.sqrt(num_items) + 0.03  # counting whole frames moves the curve by up to 0.03


@pytest.mark.parametrize("seed", range(10))
def test_the_number_of_hidden_frames_is_the_rate_rounded_up(seed: int) -> None:
    num_items, num_frames = 30, 50
    rng = seeded(seed)
    torch.rand(num_items, generator=rng)  # the choice of the level comes first
    rates = [math.cos(u * math.pi / 2) for u in torch.rand(num_items, generator=rng).tolist()]

    masked = mask_target(
        torch.zeros(num_items, 3, num_frames, dtype=torch.int64), TOY_SPEC, [ALL_LEVELS] * num_items, seeded(seed)
    )

    assert masked.generate_mask.sum(1).tolist() == [min(num_frames, math.ceil(rate * num_frames)) for rate in rates]


def test_every_frame_is_as_likely_to_be_hidden() -> None:
    masked = mask_target(torch.zeros(6_000, 3, 10, dtype=torch.int64), TOY_SPEC, [ALL_LEVELS] * 6_000, seeded(3))

    shares = masked.generate_mask.float().mean(0)

    assert (shares - shares.mean()).abs().max() < 0.03


def test_items_of_a_batch_are_masked_independently() -> None:
    masked = mask_target(torch.zeros(64, 3, 250, dtype=torch.int64), TOY_SPEC, [ALL_LEVELS] * 64, seeded(0))

    assert len({tuple(row.tolist()) for row in masked.generate_mask}) > 50
    assert len(set(masked.level.tolist())) == 3


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("used", [(0, 1, 2), (0, 2), (1,)], ids=str)
def test_each_used_level_is_trained_as_often(used: tuple[int, ...], seed: int) -> None:
    num_items = 2_000

    level = mask_target(
        torch.zeros(num_items, 3, 2, dtype=torch.int64), TOY_SPEC, [used] * num_items, seeded(seed)
    ).level.tolist()

    assert set(level) == set(used)
    assert chi_square([level.count(k) for k in used], [1 / len(used)] * len(used)) < 16  # 1 in 3000 at most


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("share", [0.2, 0.4, 0.9])
def test_the_first_level_gets_its_share_and_the_others_divide_the_rest(share: float, seed: int) -> None:
    num_items, used = 2_000, (0, 1, 2)

    level = mask_target(
        torch.zeros(num_items, 3, 2, dtype=torch.int64),
        TOY_SPEC,
        [used] * num_items,
        seeded(seed),
        first_level_share=share,
    ).level.tolist()

    rest = (1 - share) / 2
    assert chi_square([level.count(k) for k in used], [share, rest, rest]) < 16


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_an_instrument_of_one_level_always_trains_it(share: float) -> None:
    masked = mask_target(
        torch.zeros(50, 3, 4, dtype=torch.int64), TOY_SPEC, [(2,)] * 50, seeded(0), first_level_share=share
    )

    assert set(masked.level.tolist()) == {2}


def test_levels_are_the_items_own() -> None:
    masked = mask_target(
        torch.zeros(300, 3, 4, dtype=torch.int64), TOY_SPEC, [(0,), (1, 2), (2,)] * 100, seeded(0)
    ).level

    assert [set(masked[offset::3].tolist()) for offset in range(3)] == [{0}, {1, 2}, {2}]


def test_the_same_seed_hides_the_same() -> None:
    first, second = (mask_target(random_codes(1, 9), TOY_SPEC, [ALL_LEVELS] * 9, seeded(4)) for _ in range(2))

    assert torch.equal(first.codes, second.codes)


def test_codes_of_another_layout_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 3 codebooks, got 2"):
        mask_target(torch.zeros(1, 2, 5, dtype=torch.int64), TOY_SPEC, [(0,)], seeded(0))


def test_levels_must_be_given_for_every_item() -> None:
    with pytest.raises(ValueError, match="expected levels of 2 items, got 1"):
        mask_target(torch.zeros(2, 3, 5, dtype=torch.int64), TOY_SPEC, [(0,)], seeded(0))


FIELDS = (ConditionField("instrument", 18), ConditionField("genre", 3))


def given(num_items: int) -> dict[str, torch.Tensor]:
    return {"instrument": torch.arange(num_items) % 18, "genre": torch.arange(num_items) % 3}


@pytest.mark.parametrize("seed", range(10))
def test_sources_are_dropped_at_the_rate_and_independently(seed: int) -> None:
    kept, has_context = drop_sources(given(4_000), FIELDS, dropout=0.2, rng=seeded(seed))

    gone = torch.stack([kept["instrument"] == 18, kept["genre"] == 3, ~has_context]).float()  # [3, items]
    assert (gone.mean(1) - 0.2).abs().max() < 0.025
    assert torch.corrcoef(gone).triu(1).abs().max() < 0.08


@pytest.mark.parametrize("seed", range(10))
def test_what_is_not_dropped_keeps_its_value(seed: int) -> None:
    conditions = given(100)

    kept, _ = drop_sources(conditions, FIELDS, dropout=0.5, rng=seeded(seed))

    for field in FIELDS:
        stays = kept[field.name] != field.absent_id
        assert torch.equal(kept[field.name][stays], conditions[field.name][stays])
        assert 0 < stays.sum() < 100


@pytest.mark.parametrize(("dropout", "is_kept"), [(0.0, True), (1.0, False)])
def test_dropout_of_nothing_and_of_everything(dropout: float, is_kept: bool) -> None:
    conditions = given(50)

    kept, has_context = drop_sources(conditions, FIELDS, dropout=dropout, rng=seeded(0))

    assert (has_context == is_kept).all()
    for field in FIELDS:
        expected = conditions[field.name] if is_kept else torch.full((50,), field.absent_id)
        assert torch.equal(kept[field.name], expected)
