"""How well a stem follows what it was made for, by the model's own judgement: to order variations by."""

from collections.abc import Mapping, Sequence

import torch

from stemgen_core.codec.protocol import LevelRule
from stemgen_core.model.transformer import StemTransformer

# Hiding all of a level asks what the context alone explains; hiding half, what it adds to the stem's own pattern.
HIDDEN_SHARES = (1.0, 0.5)


@torch.inference_mode()
def listening_score(
    model: StemTransformer,
    context: torch.Tensor,
    codes: torch.Tensor,
    conditions: Mapping[str, torch.Tensor],
    *,
    rules: Sequence[LevelRule],
    window_frames: int,
) -> float:
    """Return the pointwise mutual information of a stem and its context, by masked pseudo-likelihood.

    For each level, part of its codes is hidden, coarser levels are seen, finer ones are not; the score is the mean of
    log p(code | context) - log p(code | no context) over the hidden frames in which the level plays (code 0 is a rest).

    Args:
        model: in evaluation mode.
        context: float [1, F, T] features or int64 [1, K, T] codes.
        codes: int64 [1, K, T], the stem.
        conditions: per field int64 [1]; both sides of the difference are given them.
        rules: the levels that the stem uses, coarse to fine.
        window_frames: T that the model was trained on; a longer stem is scored window by window.

    Returns:
        Nats per frame and level that plays; 0 for a stem that never plays.
    """
    total, num_codes = 0.0, 0
    for start in range(0, codes.shape[2], window_frames):
        window = slice(start, start + window_frames)
        gained = _gains(model, context[..., window], codes[..., window], conditions, rules)
        total += float(gained.sum())
        num_codes += gained.numel()
    return total / num_codes if num_codes else 0.0


def _gains(
    model: StemTransformer,
    context: torch.Tensor,
    codes: torch.Tensor,
    conditions: Mapping[str, torch.Tensor],
    rules: Sequence[LevelRule],
) -> torch.Tensor:
    """Return the gain of each hidden code that plays, float [N]."""
    cases = [(rule, is_hidden) for rule in rules for is_hidden in _hidings(codes.shape[2])]
    mask_token_id = model.config.spec.mask_token_id
    index = torch.arange(codes.shape[1])[:, None]
    seen = torch.cat(
        [
            codes.masked_fill((index > rule.level) | ((index == rule.level) & is_hidden), mask_token_id)
            for rule, is_hidden in cases
        ]
    )  # [cases, K, T]
    batch_size = len(cases)
    repeated = {
        field.name: conditions.get(field.name, torch.tensor([field.absent_id])).repeat_interleave(2 * batch_size, 0)
        for field in model.config.fields
    }
    hidden = model(
        context.repeat(2 * batch_size, 1, 1),
        torch.cat([seen, seen]),
        repeated,
        torch.tensor([True] * batch_size + [False] * batch_size),
    )  # [2 * cases, T, D]
    gains = []
    for number, (rule, is_hidden) in enumerate(cases):
        row = codes[0, rule.level]
        wanted = is_hidden & (row != 0)
        with_context, without = (
            model.logits(hidden[place, wanted], rule.level).log_softmax(-1) for place in (number, batch_size + number)
        )
        gains.append((with_context - without).gather(-1, row[wanted][:, None])[:, 0])
    return torch.cat(gains)


def _hidings(num_frames: int) -> list[torch.Tensor]:
    """Return which frames are hidden in each case, bool [T]; halves are drawn the same for every stem."""
    rng = torch.Generator().manual_seed(num_frames)
    hidings = []
    for share in HIDDEN_SHARES:
        rank = torch.rand(num_frames, generator=rng).argsort()
        hidings.append(rank < max(1, round(share * num_frames)))
    return hidings
