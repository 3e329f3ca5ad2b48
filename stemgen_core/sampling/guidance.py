"""Classifier-free guidance with several sources: which passes of the model to combine, and how strongly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class GuidanceBranch:
    """One pass of the model.

    Attributes:
        visible: the sources that this pass is given ("context", "instrument", ...).
        weight: factor of its log-probabilities in the sum.
    """

    visible: frozenset[str]
    weight: float


def plan_branches(scales: Mapping[str, float], *, is_joint: bool) -> list[GuidanceBranch]:
    """List the passes that the guidance scales ask for; passes of zero weight are left out.

    The paper's form weighs each source alone: sum_i scale_i log p(t | c_i) + (1 - sum_i scale_i) log p(t).
    The joint form keeps all sources together and pushes away from the model that misses one of them:
    log p(t | all) + sum_i (scale_i - 1) (log p(t | all) - log p(t | all but i)); one plain pass if
    all scales are 1.

    Args:
        scales: guidance scale per source that is given.
        is_joint: which form.

    Returns:
        At least one branch; the weights sum to 1.

    Source: StemGen (arXiv:2312.08723), eq. 3. The joint form is ours (decision 0005).
    """
    sources = frozenset(scales)
    if is_joint:
        branches = [GuidanceBranch(sources, 1 + sum(scale - 1 for scale in scales.values()))]
        branches += [GuidanceBranch(sources - {source}, 1 - scale) for source, scale in scales.items()]
    else:
        branches = [GuidanceBranch(frozenset({source}), scale) for source, scale in scales.items()]
        branches.append(GuidanceBranch(frozenset(), 1 - sum(scales.values())))
    return [branch for branch in branches if branch.weight != 0]


def combine_logits(logits: Sequence[torch.Tensor], branches: Sequence[GuidanceBranch]) -> torch.Tensor:
    """Sum the log-probabilities of the branches by their weights.

    Args:
        logits: per branch float [..., V].
        branches: as many.

    Returns:
        float [..., V], log-probabilities up to a constant.

    Raises:
        ValueError: if there are not as many logits as branches.
    """
    if len(logits) != len(branches):
        raise ValueError(f"got {len(logits)} logits for {len(branches)} branches")
    weighted = [branch.weight * each.log_softmax(-1) for each, branch in zip(logits, branches, strict=True)]
    # Forbidden codes are -inf in every branch, and infinities of opposite signs don't add up.
    return torch.stack(weighted).sum(0).masked_fill(logits[0] == -torch.inf, -torch.inf)


def keep_nucleus(scores: torch.Tensor, reference: torch.Tensor, top_p: float) -> torch.Tensor:
    """Rule out codes that a reference finds unlikely.

    Args:
        scores: float [..., V], guided log-probabilities.
        reference: float [..., V], logits that decide what is likely.
        top_p: the likeliest codes that together reach this probability stay, at least one; 1 = all.

    Returns:
        float [..., V], -inf outside the nucleus.

    Source: The Curious Case of Neural Text Degeneration (arXiv:1904.09751), nucleus sampling.
    """
    if top_p >= 1:
        return scores
    probabilities, order = reference.softmax(-1).sort(-1, descending=True)
    # A code stays if those before it don't reach top_p yet.
    is_outside = probabilities.cumsum(-1) - probabilities >= top_p
    return scores.masked_fill(torch.zeros_like(is_outside).scatter(-1, order, is_outside), -torch.inf)
