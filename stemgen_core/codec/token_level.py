"""The level that sound is brought to before it becomes codes (decision 0056)."""

import torch

from stemgen_core.sound.level import scale_to_level

TOKEN_LEVEL_DB = -20.0  # active RMS of whatever is encoded, peaks permitting


def at_token_level(samples: torch.Tensor, sample_rate_hz: int) -> torch.Tensor:
    """Return float32 [C, L] at the level that codes are written at; silence stays silence."""
    return torch.from_numpy(scale_to_level(samples.numpy(), sample_rate_hz, TOKEN_LEVEL_DB))
