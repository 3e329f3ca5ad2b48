"""Where the tokens of an audio codec lie at the start of training: as far apart as the sounds that they stand for."""

import torch
from torch import nn

from stemgen_core.model.transformer import INITIAL_DEVIATION, StemTransformer

FIRST_LEVEL_DEVIATION = 2.5 * INITIAL_DEVIATION  # of token vectors of the first level; finer levels in proportion
_OWN_SHARE = 0.3  # of the random start that every entry keeps, so that near ones can be told apart


@torch.no_grad()
def place_tokens(model: StemTransformer, codebooks: torch.Tensor) -> None:
    """Start tables and heads from the codec's entries instead of from noise.

    One projection serves all levels: the sum of a frame's token vectors is then the projected sum of its entries, which
    is what the codec itself reads. Entries that sound alike start out alike for the heads too, so that what is learned
    of one is learned of its neighbours; 2,048 entries of a level are each seen too seldom in hours of a CPU.

    Args:
        model: new; the mask tokens, and tables of features, stay as they are.
        codebooks: float [K, V, F], coarse to fine.

    Raises:
        ValueError: if the codebooks are not of the model's layout.
    """
    spec = model.config.spec
    if codebooks.shape[:2] != (spec.num_codebooks, spec.codebook_size):
        raise ValueError(f"codebooks are {tuple(codebooks.shape)}, the model has {spec}")
    entries = codebooks.float().cpu() - codebooks.float().cpu().mean(1, keepdim=True)  # [K, V, F]
    if not entries.any():  # a codec that was not trained
        return
    placed = entries @ _projection(entries.shape[2], model.config.dim // 2)  # [K, V, D / 2]
    placed *= FIRST_LEVEL_DEVIATION / placed[0].std()
    scores = entries @ _projection(entries.shape[2], model.config.dim)  # [K, V, D]
    scores *= INITIAL_DEVIATION / scores.std((1, 2), keepdim=True).clamp(min=1e-9)
    for level, table in enumerate(model.embedding.tokens.tables):
        tokens = next(table.parameters())[: spec.codebook_size]
        tokens.mul_(_OWN_SHARE).add_(placed[level])
        next(model.heads[level].parameters()).mul_(_OWN_SHARE).add_(scores[level])


def _projection(num_rows: int, num_columns: int) -> torch.Tensor:
    """Return a random map that keeps angles as far as there is room, float32 [rows, columns]."""
    return nn.init.orthogonal_(torch.empty(num_rows, num_columns))
