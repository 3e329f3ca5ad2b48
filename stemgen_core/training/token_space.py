"""Where the tokens of an audio codec lie at the start of training: as far apart as the sounds that they stand for."""

import torch
from torch import nn

from stemgen_core.model.harmony import NUM_PITCH_CLASSES, SoundHarmony
from stemgen_core.model.transformer import INITIAL_DEVIATION, StemTransformer

FIRST_LEVEL_DEVIATION = 2.5 * INITIAL_DEVIATION  # of token vectors of the first level; finer levels in proportion
PROFILE_DEVIATION = 0.3  # of what codes hold of harmony
_SURROUNDINGS = 13  # bands: an octave
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


@torch.no_grad()
def place_profiles(model: StemTransformer, codebooks: torch.Tensor, pitches: torch.Tensor) -> None:
    """Start what codes hold of each pitch class with what stands out of its surroundings in the codec's entries.

    Args:
        model: new, with a `SoundHarmony`.
        codebooks: float [K, V, F], coarse to fine, in levels of bands.
        pitches: float [bands], MIDI pitches of the first bands, a semitone apart.

    Raises:
        ValueError: if the model has none.
    """
    harmony = model.harmony
    if not isinstance(harmony, SoundHarmony):
        raise ValueError("the model does not hear what sounds hold of harmony")
    levels = codebooks[: harmony.config.num_levels, :, : len(pitches)].float().cpu()  # [levels, V, bands]
    around = nn.functional.avg_pool1d(levels, _SURROUNDINGS, 1, _SURROUNDINGS // 2, count_include_pad=False)
    stands_out = (levels - around).clamp(min=0)
    rows = pitches.round().long() - harmony.config.lowest_semitone  # of the context's semitones
    register = torch.bucketize(rows, torch.tensor(harmony.config.registers[1:]), right=True)
    place = register * NUM_PITCH_CLASSES + rows % NUM_PITCH_CLASSES
    profiles = torch.zeros_like(harmony.profiles).index_add_(2, place, stands_out)
    profiles -= profiles.mean((1, 2), keepdim=True)
    spread = profiles.std((1, 2), keepdim=True)
    if spread.min() > 0:  # a codec that was trained
        harmony.profiles.mul_(_OWN_SHARE).add_(PROFILE_DEVIATION * profiles / spread)


def _projection(num_rows: int, num_columns: int) -> torch.Tensor:
    """Return a random map that keeps angles as far as there is room, float32 [rows, columns]."""
    return nn.init.orthogonal_(torch.empty(num_rows, num_columns))
