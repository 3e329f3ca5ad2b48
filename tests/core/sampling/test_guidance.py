"""Which passes guidance makes and how it sums them."""

import itertools

import pytest
import torch

from stemgen_core.sampling.guidance import (
    GuidanceBranch,
    combine_logits,
    keep_density,
    keep_nucleus,
    keep_nucleus_of_kinds,
    plan_branches,
)
from tests.core.tiny_models import seeded

SCALES = [{"context": c, "instrument": i} for c, i in itertools.product((0, 1, 1.5, 3), (0, 1, 2.5))]
BOTH = frozenset({"context", "instrument"})


@pytest.mark.parametrize("is_joint", [True, False])
@pytest.mark.parametrize("scales", SCALES, ids=str)
def test_weights_sum_to_one_and_none_is_zero(scales: dict[str, float], is_joint: bool) -> None:
    branches = plan_branches(scales, is_joint=is_joint)

    assert sum(branch.weight for branch in branches) == pytest.approx(1)
    assert all(branch.weight != 0 for branch in branches)
    assert len({branch.visible for branch in branches}) == len(branches)


@pytest.mark.parametrize("sources", [("context",), ("context", "instrument"), ("context", "instrument", "genre")])
def test_joint_scales_of_one_are_a_single_plain_pass(sources: tuple[str, ...]) -> None:
    assert plan_branches(dict.fromkeys(sources, 1.0), is_joint=True) == [GuidanceBranch(frozenset(sources), 1.0)]


def test_the_papers_form_is_equation_3() -> None:
    branches = plan_branches({"context": 3.0, "instrument": 2.0}, is_joint=False)

    assert {branch.visible: branch.weight for branch in branches} == {
        frozenset({"context"}): 3.0,
        frozenset({"instrument"}): 2.0,
        frozenset(): -4.0,
    }


def test_the_joint_form_pushes_away_from_what_misses_a_source() -> None:
    branches = plan_branches({"context": 3.0, "instrument": 1.5}, is_joint=True)

    assert {branch.visible: branch.weight for branch in branches} == {
        BOTH: 3.5,  # 1 + 2 + 0.5
        frozenset({"instrument"}): -2.0,  # away from what hears no context
        frozenset({"context"}): -0.5,
    }


def test_a_pass_of_zero_weight_is_left_out() -> None:
    visible = {branch.visible for branch in plan_branches({"context": 2.0, "instrument": 1.0}, is_joint=True)}

    assert visible == {BOTH, frozenset({"instrument"})}


def test_the_papers_form_needs_no_free_pass_where_scales_sum_to_one() -> None:
    branches = plan_branches({"context": 1.0, "instrument": 0.0}, is_joint=False)

    assert branches == [GuidanceBranch(frozenset({"context"}), 1.0)]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("is_joint", [True, False])
def test_the_sum_is_the_one_written_out(is_joint: bool, seed: int) -> None:
    scales = {"context": 3.0, "instrument": 1.7}
    branches = plan_branches(scales, is_joint=is_joint)
    logits = {branch.visible: torch.randn(4, 8, generator=seeded(100 * seed + i)) for i, branch in enumerate(branches)}
    log_p = {visible: (each.exp() / each.exp().sum(-1, keepdim=True)).log() for visible, each in logits.items()}

    combined = combine_logits([logits[branch.visible] for branch in branches], branches)

    context, instrument = frozenset({"context"}), frozenset({"instrument"})
    if is_joint:
        all_but_context, all_but_instrument = instrument, context
        expected = (
            log_p[BOTH]
            + (3.0 - 1) * (log_p[BOTH] - log_p[all_but_context])
            + (1.7 - 1) * (log_p[BOTH] - log_p[all_but_instrument])
        )
    else:
        expected = 3.0 * log_p[context] + 1.7 * log_p[instrument] + (1 - 3.0 - 1.7) * log_p[frozenset()]
    torch.testing.assert_close(combined, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", range(10))
def test_a_constant_added_to_a_pass_changes_nothing(seed: int) -> None:
    branches = plan_branches({"context": 2.0, "instrument": 1.0}, is_joint=True)
    first, second = torch.randn(2, 5, 8, generator=seeded(seed))

    plain, shifted = combine_logits([first, second], branches), combine_logits([first + 7, second - 3], branches)

    torch.testing.assert_close(plain, shifted, atol=1e-4, rtol=1e-4)


def test_logits_and_branches_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="got 2 logits for 1 branches"):
        combine_logits([torch.zeros(1, 2)] * 2, plan_branches({"context": 1.0}, is_joint=True))


def test_the_nucleus_keeps_the_likeliest_codes_of_the_reference_and_their_scores() -> None:
    reference = torch.tensor([[0.1, 0.5, 0.05, 0.35], [0.97, 0.01, 0.01, 0.01]]).log()
    scores = torch.arange(8.0).reshape(2, 4)

    kept = keep_nucleus(scores, reference, 0.6)

    inf = torch.inf
    assert kept.tolist() == [[-inf, 1.0, -inf, 3.0], [4.0, -inf, -inf, -inf]]
    assert torch.equal(keep_nucleus(scores, reference, 1.0), scores)


def test_codes_forbidden_in_every_branch_stay_forbidden() -> None:
    branches = plan_branches({"context": 3.0, "instrument": 1.0}, is_joint=True)
    logits = [torch.tensor([0.0, -torch.inf, 1.0]) for _ in branches]

    assert combine_logits(logits, branches).isneginf().tolist() == [False, True, False]


KINDS = torch.tensor([0, 1, 1, 1, 2, 2, 2, 1])
OF_KIND = [[0], [1, 2, 3, 7], [4, 5, 6]]


def _scores(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return guided and plain scores of 5 frames; one code is impossible in both."""
    rng = seeded(seed)
    guided, plain = (2 * torch.randn(5, len(KINDS), generator=rng) for _ in range(2))
    forbidden = int(torch.randint(1, len(KINDS), (1,), generator=rng))
    guided[:, forbidden] = plain[:, forbidden] = -torch.inf
    return guided, plain


def _kind_shares(probabilities: torch.Tensor) -> torch.Tensor:
    """Sum probabilities per kind the slow way, [5, 3]."""
    return torch.stack([sum(probabilities[:, code] for code in codes) for codes in OF_KIND], -1)  # pyright: ignore[reportArgumentType, reportCallIssue]


ITEMS = torch.tensor([0, 0, 0, 1, 1])


def _item_shares(scores: torch.Tensor) -> torch.Tensor:
    """Return how likely each kind is on average in the frames of each item, [2, 3]."""
    shares = _kind_shares(scores.softmax(-1))
    return torch.stack([shares[:3].mean(0), shares[3:].mean(0)])


@pytest.mark.parametrize("seed", range(20))
def test_without_a_share_in_density_as_many_notes_begin_and_are_held_as_without_guidance(seed: int) -> None:
    guided, plain = _scores(seed)

    moved = keep_density(guided, plain, KINDS, ITEMS, 0.0)

    assert torch.allclose(_item_shares(moved), _item_shares(plain), atol=2e-3)


@pytest.mark.parametrize("seed", range(10))
def test_half_a_share_lies_between_in_the_logarithm(seed: int) -> None:
    guided, plain = _scores(seed)
    wanted = (0.5 * _item_shares(guided).log() + 0.5 * _item_shares(plain).log()).softmax(-1)

    assert torch.allclose(_item_shares(keep_density(guided, plain, KINDS, ITEMS, 0.5)), wanted, atol=2e-3)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(10))
def test_where_notes_begin_and_which_they_are_stays_guided(seed: int, share: float) -> None:
    guided, plain = _scores(seed)

    moved = keep_density(guided, plain, KINDS, ITEMS, share)

    for codes in OF_KIND:  # the odds among the notes of a kind
        probabilities = moved.softmax(-1)[:, codes]
        wanted = guided[:, codes].softmax(-1)
        assert torch.allclose(probabilities / probabilities.sum(-1, keepdim=True), wanted, atol=1e-5)
    odds = [torch.stack([_kind_shares(each.softmax(-1))[:, kind] for kind in (0, 1)]).log() for each in (moved, guided)]
    change = (odds[0][1] - odds[0][0]) - (odds[1][1] - odds[1][0])  # of "begins" against "rests", per frame
    assert torch.allclose(change[:3], change[0].expand(3), atol=1e-4)  # one factor for all frames of an item
    assert torch.allclose(change[3:], change[3].expand(2), atol=1e-4)


@pytest.mark.parametrize("seed", range(10))
def test_a_whole_share_is_plain_guidance(seed: int) -> None:
    guided, plain = _scores(seed)

    assert torch.allclose(keep_density(guided, plain, KINDS, ITEMS, 1.0).softmax(-1), guided.softmax(-1), atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_an_items_density_does_not_depend_on_the_others(seed: int) -> None:
    guided, plain = _scores(seed)

    together = keep_density(guided, plain, KINDS, ITEMS, 0.2)
    alone = keep_density(guided[3:], plain[3:], KINDS, ITEMS[3:] - 1, 0.2)

    assert torch.allclose(together[3:].softmax(-1), alone.softmax(-1), atol=1e-6)


def test_a_kind_without_any_possible_code_stays_impossible() -> None:
    guided, plain = torch.randn(5, len(KINDS), generator=seeded(0)), torch.randn(5, len(KINDS), generator=seeded(1))
    for scores in (guided, plain):
        scores[:, OF_KIND[2]] = -torch.inf

    for share in (0.0, 0.5, 1.0):
        scores = keep_density(guided, plain, KINDS, ITEMS, share)
        moved = keep_nucleus_of_kinds(scores, plain, KINDS, 0.5).softmax(-1)
        assert torch.isfinite(moved).all()
        assert not moved[:, OF_KIND[2]].any()
        assert torch.allclose(moved.sum(-1), torch.ones(5))


def test_nothing_hidden_has_no_density() -> None:
    nothing = torch.zeros(0, len(KINDS))

    assert keep_density(nothing, nothing, KINDS, ITEMS[:0], 0.5).shape == nothing.shape


@pytest.mark.parametrize("top_p", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("seed", range(10))
def test_a_nucleus_of_kinds_takes_nothing_from_any_kind_and_keeps_the_nucleus_of_each(seed: int, top_p: float) -> None:
    scores, reference = (each.log_softmax(-1) for each in _scores(seed))

    kept = keep_nucleus_of_kinds(scores, reference, KINDS, top_p)

    assert torch.allclose(_kind_shares(kept.softmax(-1)), _kind_shares(scores.softmax(-1)), atol=1e-6)
    for codes in OF_KIND:
        alone = keep_nucleus(scores[:, codes], reference[:, codes], top_p)
        assert torch.equal(kept[:, codes] == -torch.inf, alone == -torch.inf)


def test_an_onset_that_may_be_in_many_frames_survives_the_nucleus() -> None:
    probabilities = torch.tensor([[0.96, 0.02, 0.01, 0.01, 0, 0, 0, 0]])

    assert keep_nucleus(probabilities.log(), probabilities.log(), 0.95).softmax(-1)[0, 0] == 1
    kept = keep_nucleus_of_kinds(probabilities.log(), probabilities.log(), KINDS, 0.7).softmax(-1)

    assert kept[0].tolist() == pytest.approx([0.96, 0.08 / 3, 0.04 / 3, 0, 0, 0, 0, 0], abs=1e-6)
