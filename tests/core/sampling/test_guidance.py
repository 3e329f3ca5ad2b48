"""Which passes guidance makes and how it sums them."""

import itertools

import pytest
import torch

from stemgen_core.sampling.guidance import GuidanceBranch, combine_logits, keep_nucleus, plan_branches
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
