"""The loss of the language model: predict what was hidden at the level that is trained."""

import torch
from torch.nn import functional

from stemgen_core.masking import MaskedTarget
from stemgen_core.model.transformer import StemTransformer


def masked_loss(
    model: StemTransformer, hidden: torch.Tensor, codes: torch.Tensor, masked: MaskedTarget
) -> tuple[torch.Tensor, dict[int, float]]:
    """Mean cross-entropy over the hidden codes of each item's trained level.

    Args:
        model: for its heads.
        hidden: float [B, T, D], from `model(...)` on `masked.codes`.
        codes: int64 [B, K, T], the true codes.
        masked: what was hidden.

    Returns:
        The loss, nats per code; and its mean per level among those in the batch.

    Source: StemGen (arXiv:2312.08723), training. The exact loss is not stated: level q only (decision 0012).
    """
    total = hidden.new_zeros(())
    num_codes = 0
    per_level = {}
    for level in sorted(set(masked.level.tolist())):
        wanted = masked.generate_mask & (masked.level == level)[:, None]  # [B, T]
        scores = model.logits(hidden[wanted], level)  # [M, V]
        loss = functional.cross_entropy(scores.float(), codes[:, level][wanted], reduction="sum")
        total = total + loss
        count = int(wanted.sum())
        num_codes += count
        per_level[level] = loss.item() / count
    return total / num_codes, per_level
