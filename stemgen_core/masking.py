"""Which tokens of the target the model sees in training, and which it has to predict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from stemgen_core.types import CodecSpec


@dataclass(frozen=True, slots=True)
class MaskedTarget:
    """A training example's target after masking.

    Attributes:
        codes: int64 [B, K, T], mask token where hidden.
        level: int64 [B], the level q that is trained.
        generate_mask: bool [B, T], True = hidden at level q, to be predicted.
    """

    codes: torch.Tensor
    level: torch.Tensor
    generate_mask: torch.Tensor


def mask_target(
    codes: torch.Tensor,
    spec: CodecSpec,
    levels: Sequence[Sequence[int]],
    rng: torch.Generator,
    *,
    first_level_share: float | None = None,
) -> MaskedTarget:
    """Hide part of level q and everything finer.

    Level q is uniform over the levels that an item uses; the rate at level q is cos(u pi / 2) with u uniform, at least
    one frame; coarser levels stay visible; finer ones are hidden entirely.

    Args:
        codes: int64 [B, K, T], values in [0, V).
        spec: the codec the codes come from.
        levels: per item the levels its stem uses, coarse to fine.
        rng: source of randomness, on the CPU.
        first_level_share: how often the coarsest level is the one that is trained, 0..1, the others sharing the rest
            evenly; None = all alike, as in the paper.

    Raises:
        ValueError: if K is not the codec's or `levels` is not one entry per item.

    Source: StemGen (arXiv:2312.08723), training; SoundStorm (arXiv:2305.09636), masking. Differs: levels that an
    instrument doesn't use are never trained, and the score family favours the first level (decision 0012).
    """
    batch_size, num_codebooks, num_frames = codes.shape
    if num_codebooks != spec.num_codebooks:
        raise ValueError(f"expected {spec.num_codebooks} codebooks, got {num_codebooks}")
    if len(levels) != batch_size:
        raise ValueError(f"expected levels of {batch_size} items, got {len(levels)}")

    draws = torch.rand(batch_size, generator=rng).tolist()
    level = torch.tensor([_pick(used, draw, first_level_share) for used, draw in zip(levels, draws, strict=True)])
    rate = torch.cos(torch.rand(batch_size, generator=rng) * math.pi / 2)  # [B]
    num_hidden = (rate * num_frames).ceil().long().clamp(1, num_frames)
    # The n smallest of T random numbers are n frames drawn without replacement.
    rank = torch.rand(batch_size, num_frames, generator=rng).argsort(1).argsort(1)  # [B, T]
    generate_mask = rank < num_hidden[:, None]

    index = torch.arange(num_codebooks)[None, :, None]  # [1, K, 1]
    trained = level[:, None, None]  # [B, 1, 1]
    is_hidden = (index > trained) | ((index == trained) & generate_mask[:, None])
    return MaskedTarget(codes.masked_fill(is_hidden, spec.mask_token_id), level, generate_mask)


def _pick(used: Sequence[int], draw: float, first_level_share: float | None) -> int:
    """Turn a uniform number in [0, 1) into one of the levels."""
    if first_level_share is None or len(used) == 1:
        return used[int(draw * len(used))]
    if draw < first_level_share:
        return used[0]
    return used[1 + int((draw - first_level_share) / (1 - first_level_share) * (len(used) - 1))]
