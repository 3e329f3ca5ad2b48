"""Classifier-free guidance with several sources: which passes of the model to combine, and how strongly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from stemgen_core.codec.protocol import NUM_KINDS

_NUM_SCALINGS = 40
_LARGEST_CHANGE = 5.0  # nats per scaling
_NEVER = -40.0  # the logarithm of a share that is nothing


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


def keep_density(
    guided: torch.Tensor, plain: torch.Tensor, kinds: torch.Tensor, items: torch.Tensor, share: float
) -> torch.Tensor:
    """Let guidance say where notes begin and which they are, and only in part how many.

    Where the context has an onset, a pass that hears it finds an onset likelier than one that doesn't, and guidance
    makes far more of that than players do: it doubles all that it hears, and strikes anew what should be held. So the
    expected numbers of frames in which notes begin, are held and rest are drawn back towards those of the pass with all
    sources: each kind's probability is scaled by one factor for all frames of an item, which leaves the contrast
    between frames, and the odds among notes of a kind, to guidance (decision 0100).

    Args:
        guided: float [M, V], log-probabilities up to a constant; -inf = impossible.
        plain: float [M, V], logits of the pass with all sources.
        kinds: int64 [V], the kind of each code, 0..NUM_KINDS - 1.
        items: int64 [M], ascending from 0, which item a frame belongs to.
        share: 0..1, of guidance's effect on the numbers that stays (of their logarithms); 1 returns `guided`, up to a
            constant.

    Returns:
        float [M, V], log-probabilities.
    """
    guided = guided.log_softmax(-1)
    if share == 1 or not len(items):
        return guided
    of_guided, of_plain = kind_log_probabilities(guided, kinds), kind_log_probabilities(plain, kinds)
    wanted = share * _item_means(of_guided, items).log() + (1 - share) * _item_means(of_plain, items).log()
    # A kind without a possible code stays without; arithmetic with infinities would give no number.
    wanted = wanted.nan_to_num(neginf=_NEVER).log_softmax(-1)  # [items, kinds]
    factors = torch.zeros_like(wanted)
    for _ in range(_NUM_SCALINGS):  # converges, as fitting a table to its margins does
        found = _item_means((of_guided + factors[items]).log_softmax(-1), items).log()
        factors += (wanted - found.nan_to_num(neginf=_NEVER)).clamp(-_LARGEST_CHANGE, _LARGEST_CHANGE)
    return (guided + factors[items][:, kinds]).log_softmax(-1)


def _item_means(log_probabilities: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Return the mean probability of each kind over the frames of each item, float [items, NUM_KINDS]."""
    num_items = int(items[-1]) + 1
    sums = log_probabilities.new_zeros(num_items, log_probabilities.shape[-1])
    sums.index_add_(0, items, log_probabilities.exp())
    return sums / torch.bincount(items, minlength=num_items).clamp_min(1)[:, None]


def keep_nucleus_of_kinds(
    scores: torch.Tensor, reference: torch.Tensor, kinds: torch.Tensor, top_p: float
) -> torch.Tensor:
    """Rule out notes that a reference finds unlikely, and change nothing about whether there is one.

    An onset that may fall into any of several frames is unlikely in each of them. A nucleus over all codes would
    rule it out everywhere, and leave rests.

    Args:
        scores: float [..., V], log-probabilities.
        reference: float [..., V], logits that decide what is likely.
        kinds: int64 [V], the kind of each code.
        top_p: of each kind the likeliest codes that together reach this share of it stay, at least one; 1 = all.

    Returns:
        float [..., V], log-probabilities, -inf outside; each kind is as likely as it was.
    """
    if top_p >= 1:
        return scores
    kept = scores
    for kind in range(NUM_KINDS):
        is_kind = kinds == kind
        if is_kind.sum() > 1:
            kept = torch.where(is_kind, keep_nucleus(scores, reference.masked_fill(~is_kind, -torch.inf), top_p), kept)
    before, after = kind_log_probabilities(scores, kinds), kind_log_probabilities(kept, kinds)
    change = (before - after).masked_fill(after == -torch.inf, 0.0)
    return kept + change[..., kinds]


def kind_log_probabilities(scores: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
    """Sum the probabilities of each kind.

    Args:
        scores: float [..., V], log-probabilities up to a constant.
        kinds: int64 [V], the kind of each code.

    Returns:
        float [..., NUM_KINDS], log-probabilities; -inf where a kind has no possible code.
    """
    scores = scores.log_softmax(-1)
    sums = [scores.masked_fill(kinds != kind, -torch.inf).logsumexp(-1) for kind in range(NUM_KINDS)]
    return torch.stack(sums, -1)
