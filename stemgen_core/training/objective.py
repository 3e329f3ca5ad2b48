"""The loss of the language model: predict what was hidden at the level that is trained."""

import torch
from torch.nn import functional

from stemgen_core.masking import MaskedTarget
from stemgen_core.model.transformer import StemTransformer


def masked_loss(
    model: StemTransformer, hidden: torch.Tensor, codes: torch.Tensor, masked: MaskedTarget
) -> tuple[torch.Tensor, dict[int, tuple[float, int]]]:
    """Sum the cross-entropy over the hidden codes of each item's trained level.

    Args:
        model: for its heads.
        hidden: float [B, T, D], from `model(...)` on `masked.codes`.
        codes: int64 [B, K, T], the true codes.
        masked: what was hidden.

    Returns:
        The sum, nats; and per level among those in the batch its sum and how many codes that is.

    Source: StemGen (arXiv:2312.08723), training. The exact loss is not stated: level q only (decision 0012).
    """
    total = hidden.new_zeros(())
    per_level = {}
    for level in sorted(set(masked.level.tolist())):
        wanted = masked.generate_mask & (masked.level == level)[:, None]  # [B, T]
        scores = model.logits(hidden[wanted], level)  # [M, V]
        loss = functional.cross_entropy(scores.float(), codes[:, level][wanted], reduction="sum")
        total = total + loss
        per_level[level] = (loss.item(), int(wanted.sum()))
    return total, per_level
