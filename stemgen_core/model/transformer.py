"""The transformer that listens: bidirectional, LLaMa-type, one head per level."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from stemgen_core.model.config import ModelConfig
from stemgen_core.model.embedding import ContextTargetEmbedding
from stemgen_core.model.harmony import build_harmony, read_chroma

ROTARY_BASE = 10_000.0
INITIAL_DEVIATION = 0.02


class StemTransformer(nn.Module):
    """Predict the hidden codes of a stem from its context, its conditions and the codes that are known.

    Source: StemGen (arXiv:2312.08723), model. The form of the heads, positions, norms and feed-forward width are not
    stated: independent linear heads, rotary positions, RMSNorm and SwiGLU (decision 0011).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = ContextTargetEmbedding(config)
        blocks = [Block(config) for _ in range(config.num_layers)]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.RMSNorm(config.dim)
        self.heads = nn.ModuleList(
            nn.Linear(config.dim, config.spec.codebook_size, bias=False) for _ in range(config.spec.num_codebooks)
        )
        self.harmony = (
            None if config.harmony is None else build_harmony(config.harmony, config.dim, config.spec.codebook_size)
        )
        # What hears (features, harmony) keeps PyTorch's wider initialisation: the context speaks up
        quiet = [self.embedding.tokens, self.embedding.conditions, self.blocks, self.heads]
        for module in quiet if self.harmony is None else [*quiet, self.harmony.queries]:
            module.apply(_initialise)
        for block in blocks:  # the sum of the residual branches keeps its size at any depth
            for projection in (block.attention.out, block.feed_forward.down):
                nn.init.normal_(projection.weight, std=INITIAL_DEVIATION / (2 * config.num_layers) ** 0.5)

    def forward(
        self,
        context: torch.Tensor,
        target_codes: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
        has_context: torch.Tensor,
    ) -> torch.Tensor:
        """Compute what the heads read.

        Args:
            context: float [B, F, T] features or int64 [B, K, T] codes.
            target_codes: int64 [B, K, T], values in [0, V]; V is the mask token.
            conditions: per field int64 [B].
            has_context: bool [B].

        Returns:
            float [B, T, D], with what was heard of harmony behind it; `logits` turns it into scores of one level.
        """
        chroma = None if self.config.harmony is None else read_chroma(context, self.config.harmony)
        hidden = self.embedding(context, target_codes, conditions, has_context, chroma)  # [B, T, D]
        rotation = rotary_table(hidden.shape[1], self.config.dim // self.config.num_heads, hidden.device)
        for block in self.blocks:
            hidden = block(hidden, rotation)
        hidden = self.norm(hidden)
        if self.harmony is None or chroma is None:
            return hidden
        return torch.cat([hidden, self.harmony(chroma, has_context)], -1)  # [B, T, D + 12 R]

    def logits(self, hidden: torch.Tensor, level: int) -> torch.Tensor:
        """Score the codes of one level.

        Args:
            hidden: float [..., M, D], what `forward` returned, or some of its frames.
            level: 0 .. K - 1.

        Returns:
            float [..., M, V].
        """
        if self.harmony is None:
            return self.heads[level](hidden)
        hidden, heard = hidden[..., : self.config.dim], hidden[..., self.config.dim :]
        scores = self.heads[level](hidden)
        if level >= self.harmony.config.num_levels:
            return scores
        return scores + self.harmony.scores(hidden, heard, level)


class Block(nn.Module):
    """Attention and feed-forward, each after a norm and added to what came in."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.dim)
        self.attention = Attention(config)
        self.feed_forward_norm = nn.RMSNorm(config.dim)
        self.feed_forward = SwiGlu(config.dim, config.feed_forward_dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
        """Transform [B, T, D]; `rotation` is `rotary_table`'s."""
        hidden = hidden + self.dropout(self.attention(self.attention_norm(hidden), rotation))
        return hidden + self.dropout(self.feed_forward(self.feed_forward_norm(hidden)))


class Attention(nn.Module):
    """Multi-head attention over all frames, both ways, with rotary positions."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.qkv = nn.Linear(config.dim, 3 * config.dim, bias=False)
        self.out = nn.Linear(config.dim, config.dim, bias=False)

    def forward(self, hidden: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
        """Attend within [B, T, D]."""
        qkv = self.qkv(hidden).unflatten(-1, (3, self.num_heads, -1))  # [B, T, 3, H, D/H]
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # 3 x [B, H, T, D/H]
        attended = functional.scaled_dot_product_attention(rotate(query, rotation), rotate(key, rotation), value)
        return self.out(attended.transpose(1, 2).flatten(2))  # [B, H, T, D/H] -> [B, T, D]


class SwiGlu(nn.Module):
    """Gated feed-forward network.

    Source: GLU Variants Improve Transformer (arXiv:2002.05202).
    """

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.gate_up = nn.Linear(dim, 2 * hidden_dim, bias=False)
        self.down = nn.Linear(hidden_dim, dim, bias=False)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Transform [..., D]."""
        gate, up = self.gate_up(hidden).chunk(2, dim=-1)
        return self.down(functional.silu(gate) * up)


def rotary_table(num_frames: int, head_dim: int, device: torch.device) -> torch.Tensor:
    """Angles of rotary positions as cosines and sines.

    Args:
        num_frames: T.
        head_dim: width of one head, even.
        device: where the table is needed.

    Returns:
        float [2, T, head_dim / 2].

    Source: RoFormer (arXiv:2104.09864).
    """
    frequencies = ROTARY_BASE ** (-torch.arange(0, head_dim, 2, device=device) / head_dim)
    angles = torch.arange(num_frames, device=device)[:, None] * frequencies  # [T, head_dim / 2]
    return torch.stack([angles.cos(), angles.sin()])


def rotate(heads: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    """Turn each pair of features by its frame's angle.

    Args:
        heads: float [B, H, T, head_dim]; feature i is paired with feature i + head_dim / 2.
        rotation: float [2, T, head_dim / 2].

    Returns:
        float [B, H, T, head_dim].
    """
    cosine, sine = rotation.to(heads.dtype)
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INITIAL_DEVIATION)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
