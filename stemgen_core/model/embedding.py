"""From context, target and conditions to one vector per frame."""

from collections.abc import Mapping

import torch
from torch import nn

from stemgen_core.model.config import ModelConfig
from stemgen_core.model.harmony import NUM_PITCH_CLASSES
from stemgen_core.types import CodecSpec


class TokenTables(nn.Module):
    """One table per level; the looked-up vectors of a frame are summed over the levels.

    Args:
        spec: codec the tokens come from.
        dim: width of the result.
    """

    def __init__(self, spec: CodecSpec, dim: int) -> None:
        super().__init__()
        self.spec = spec
        num_tokens = spec.codebook_size + 1  # + mask token
        self.tables = nn.ModuleList(nn.Embedding(num_tokens, dim) for _ in range(spec.num_codebooks))

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Embed a grid of codes.

        Args:
            codes: int64 [B, K, T], values in [0, V]; V is the mask token.

        Returns:
            float [B, T, dim].

        Raises:
            ValueError: if K is not the codec's.
        """
        if codes.shape[1] != self.spec.num_codebooks:
            raise ValueError(f"expected {self.spec.num_codebooks} codebooks, got {codes.shape[1]}")
        levels = [table(level) for table, level in zip(self.tables, codes.unbind(1), strict=True)]
        return torch.stack(levels).sum(0)  # K x [B, T, dim] -> [B, T, dim]


class ContextTargetEmbedding(nn.Module):
    """Fuse context, target and conditions, so that the sequence length stays T.

    The target's tokens are looked up level by level and summed. The context goes through the same tables where it is
    tokens of the same codec (the paper), or through a small network of its own where it is features (decision 0010).
    The embeddings of the conditions are summed into each channel; the two are concatenated along the width.

    Source: StemGen (arXiv:2312.08723), model; instrument conditioning.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        half = config.dim // 2
        self.tokens = TokenTables(config.spec, half)
        self.features = None
        if config.num_context_features is not None:
            num_chroma = 0 if config.harmony is None else NUM_PITCH_CLASSES * config.harmony.num_chroma_channels
            first = nn.Linear(config.num_context_features + num_chroma, config.dim)
            self.features = nn.Sequential(first, nn.SiLU(), nn.Linear(config.dim, half))
        self.no_context = nn.Parameter(torch.zeros(half))
        self.fields = config.fields
        self.conditions = nn.ModuleDict(
            {field.name: nn.Embedding(field.num_values + 1, half) for field in config.fields}  # + "not given"
        )

    def forward(
        self,
        context: torch.Tensor,
        target_codes: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
        has_context: torch.Tensor,
        chroma: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Embed aligned frames.

        Args:
            context: float [B, F, T] features or int64 [B, K, T] codes.
            target_codes: int64 [B, K, T], values in [0, V]; V is the mask token.
            conditions: per field int64 [B], values in [0, num_values], the last means "not given"; or float
                [B, num_values + 1], how much of each.
            has_context: bool [B], False = this item hears nothing.
            chroma: float [B, T, C, 12] of the context, where the model hears harmony.

        Returns:
            float [B, T, D].

        Raises:
            ValueError: if context and target have different numbers of frames.
        """
        if context.shape[-1] != target_codes.shape[-1]:
            raise ValueError(f"context has {context.shape[-1]} frames, target {target_codes.shape[-1]}")

        if self.features is None:
            heard = self.tokens(context)
        else:
            frames = context.transpose(1, 2)  # [B, T, F]
            heard = self.features(frames if chroma is None else torch.cat([frames, chroma.flatten(2)], -1))
        heard = torch.where(has_context[:, None, None], heard, self.no_context)  # [B, T, D/2]
        target = self.tokens(target_codes)  # [B, T, D/2]
        embedded = [_embed(self.conditions[field.name], conditions[field.name]) for field in self.fields]
        condition = torch.stack(embedded).sum(0)[:, None]  # [B, 1, D/2]
        return torch.cat([heard + condition, target + condition], dim=-1)  # [B, T, D]


def _embed(table: nn.Module, values: torch.Tensor) -> torch.Tensor:
    """Return [B, D/2] of values, int64 [B], or of shares of all values, float [B, num_values + 1]."""
    return values @ next(table.parameters()) if values.dim() == 2 else table(values)
