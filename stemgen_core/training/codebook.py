"""Starting and reviving the codebooks of audiocraft's residual quantizer."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

DEAD_SHARE = 0.2  # of the use that every entry would have if all were used alike


@torch.no_grad()
def restart_dead_codes(quantizer: nn.Module, latents: torch.Tensor, *, generator: torch.Generator) -> list[int]:
    """Replace codebook entries that hardly any frame uses by residuals that do occur.

    audiocraft counts the use of every entry as a moving average; at the start all counts are 0, so the first call
    also gives the codebooks their first values. Entry, moving sum and count are set together: audiocraft's own
    restart sets the entry alone, which its next lines overwrite. What counts as dead is relative to the batch: 200
    frames can't use 2048 entries twice each.

    Args:
        quantizer: audiocraft's `ResidualVectorQuantizer`.
        latents: float32 [B, D, T], output of the encoder for a batch.
        generator: source of randomness, on the CPU.

    Returns:
        number of replaced entries of each level, coarse to fine.
    """
    residual = latents.transpose(1, 2).flatten(0, 1)  # [B, D, T] -> [B*T, D]
    num_replaced: list[int] = []
    for codebook in _codebooks(quantizer):
        even_use = len(residual) / len(codebook.embed)  # frames of a batch per entry
        is_dead = codebook.cluster_size < DEAD_SHARE * even_use  # [V]
        num_dead = int(is_dead.sum())
        if num_dead:
            fresh = _choose_rows(residual, num_dead, generator)  # [num_dead, D]
            codebook.embed[is_dead] = fresh
            codebook.cluster_size[is_dead] = even_use
            codebook.embed_avg[is_dead] = fresh * even_use
        num_replaced.append(num_dead)
        residual = residual - codebook.dequantize(codebook.quantize(residual))  # [B*T, D]
    return num_replaced


def _codebooks(quantizer: nn.Module) -> Iterable[Any]:
    """Return audiocraft's `EuclideanCodebook`s, coarse to fine."""
    levels: Any = quantizer.get_submodule("vq.layers")
    return [level.get_submodule("_codebook") for level in levels]


def _choose_rows(rows: torch.Tensor, num_rows: int, generator: torch.Generator) -> torch.Tensor:
    """Return `num_rows` rows of [N, D], each at most once where there are enough."""
    order = torch.randperm(len(rows), generator=generator)
    chosen = order.repeat(-(-num_rows // len(rows)))[:num_rows].to(rows.device)
    return rows[chosen]
