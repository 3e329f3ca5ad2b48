"""Score tokens as a picture: which notes begin and sound in each frame, for networks that compare stems with mixes.

Rows of a frame: 88 keys that begin, 88 keys that sound, one row per drum sound (how hard it is struck, 0..1), and
three of the onset: whether there is one, how loud it is, and how late in the frame it falls.
"""

from functools import cache

import torch

from stemgen_core.codec.score_tokens import (
    DRUM_SOUNDS,
    EXPRESSION_LEVEL,
    FIRST_HOLD,
    FIRST_ONSET,
    FIRST_STROKE,
    NUM_PITCHES,
    NUM_STRENGTHS,
    NUM_TIMINGS,
    NUM_VELOCITIES,
    SCORE_SPEC,
)

NUM_DRUM_SOUNDS = sum(map(len, DRUM_SOUNDS))
NUM_ROWS = 2 * NUM_PITCHES + NUM_DRUM_SOUNDS + 3


def score_roll(codes: torch.Tensor) -> torch.Tensor:
    """Draw score tokens.

    Args:
        codes: int64 [B, K, T] of `SCORE_SPEC`, without mask tokens.

    Returns:
        float32 [B, 206, T], values in [0, 1].

    Raises:
        ValueError: if K is not the layout's.
    """
    if codes.shape[1] != SCORE_SPEC.num_codebooks:
        raise ValueError(f"expected {SCORE_SPEC.num_codebooks} levels, got {codes.shape[1]}")
    voices, expression = codes[:, :EXPRESSION_LEVEL], codes[:, EXPRESSION_LEVEL : EXPRESSION_LEVEL + 1]
    written = torch.zeros(len(codes), SCORE_SPEC.codebook_size, codes.shape[2]).scatter_(1, voices, 1.0)  # [B, V, T]
    begins, holds = written[:, FIRST_ONSET:FIRST_HOLD], written[:, FIRST_HOLD:FIRST_STROKE]
    struck = _stroke_strengths()[torch.arange(EXPRESSION_LEVEL)[:, None], voices]  # [B, 5, T, sounds]
    strokes = struck.amax(1).transpose(1, 2)  # [B, sounds, T]
    is_onset = (expression >= 1) & (expression <= NUM_VELOCITIES * NUM_TIMINGS)  # [B, 1, T]
    bins = (expression - 1).clamp_min(0)
    loudness = torch.div(bins, NUM_TIMINGS, rounding_mode="floor") / NUM_VELOCITIES
    lateness = (bins % NUM_TIMINGS) / NUM_TIMINGS
    onset = torch.cat([torch.ones_like(lateness), loudness, lateness], 1) * is_onset  # [B, 3, T]
    return torch.cat([begins, (begins + holds).clamp_max(1), strokes, onset], 1)


def transpose_roll(roll: torch.Tensor, semitones: int) -> torch.Tensor:
    """Return a roll in another key; what leaves the keyboard is lost, drums stay.

    Args:
        roll: float32 [B, 206, T].
        semitones: up is positive.
    """
    keys, rest = roll[:, : 2 * NUM_PITCHES], roll[:, 2 * NUM_PITCHES :]
    begins, sounds = keys.split(NUM_PITCHES, dim=1)
    return torch.cat([shift_rows(begins, semitones), shift_rows(sounds, semitones), rest], 1)


def shift_rows(rows: torch.Tensor, count: int) -> torch.Tensor:
    """Return rows, [B, N, T], moved up by `count`, with zeros where nothing comes from."""
    moved = rows.roll(count, 1)
    if count > 0:
        moved[:, :count] = 0
    elif count < 0:
        moved[:, count:] = 0
    return moved


@cache
def _stroke_strengths() -> torch.Tensor:
    """Return what each code of each level strikes, and how hard, 0..1: float32 [5, V, sounds]."""
    strengths = torch.zeros(EXPRESSION_LEVEL, SCORE_SPEC.codebook_size, NUM_DRUM_SOUNDS)
    column = 0
    for level, sounds in enumerate(DRUM_SOUNDS):
        for sound in range(len(sounds)):
            for strength in range(NUM_STRENGTHS):
                code = FIRST_STROKE + NUM_STRENGTHS * sound + strength
                strengths[level, code, column] = (strength + 1) / NUM_STRENGTHS
            column += 1
    return strengths
