"""What a model that writes codes of sound may hear instead of codes: the score family's bands, 50 frames a second.

Layout `bands-pulse-50hz-v1`, per 20 ms frame (docs/decisions/0108-hearing-bands-writing-sound.md): the rows of
`context_features` with

- semitones and energies of the 40 ms frame that it lies in: low notes need long windows anyway;
- the flux of its own two steps of 10 ms and of the two after them, so that both halves of 40 ms see their own onsets;
- the pulse of its own 20 ms.
"""

import torch

from stemgen_core.codec.context_features import (
    FRAME_LENGTH,
    NUM_ONSET_BANDS,
    NUM_SEMITONES,
    NUM_SUBFRAMES,
    SAMPLE_RATE_HZ,
    BandFeatures,
    extract_bands,
)
from stemgen_core.codec.pulse_features import extract_pulse
from stemgen_core.types import CodecSpec

NAME = "bands-pulse-50hz-v1"
HOP_LENGTH = FRAME_LENGTH // 2
_FRAME_RATE_HZ = SAMPLE_RATE_HZ / HOP_LENGTH


class SoundBandFeatures(BandFeatures):
    """Context codec of audio models that hear bands, 50 frames a second."""

    name = NAME

    def _extract(self, samples: torch.Tensor, num_frames: int) -> torch.Tensor:
        """Extract features of float32 [B, L], float32 [B, F, T]."""
        return extract_for_sound(samples, num_frames)


def fits(spec: CodecSpec, num_channels: int) -> bool:
    """Return whether frames of these features are frames of a codec, and both read the same sound."""
    return (spec.sample_rate_hz, spec.hop_length, num_channels) == (SAMPLE_RATE_HZ, HOP_LENGTH, 1)


def extract_for_sound(samples: torch.Tensor, num_frames: int, *, tuning_cents: float = 0.0) -> torch.Tensor:
    """Extract all features of a batch.

    Args:
        samples: float32 [B, L] at 32 kHz.
        num_frames: T; `samples` is cut or filled with silence to T frames.
        tuning_cents: shifts what counts as in tune, up is positive.

    Returns:
        float32 [B, F, T].
    """
    bands = extract_bands(samples[:, : num_frames * HOP_LENGTH], -(-num_frames // 2), tuning_cents=tuning_cents)
    semitones, flux, energy = bands.split((NUM_SEMITONES, NUM_ONSET_BANDS * NUM_SUBFRAMES, NUM_ONSET_BANDS), 1)
    steps = flux.unflatten(1, (NUM_ONSET_BANDS, NUM_SUBFRAMES)).transpose(2, 3).flatten(2)  # [B, 8, 2 T]
    steps = torch.nn.functional.pad(steps, (0, NUM_SUBFRAMES // 2)).unfold(2, NUM_SUBFRAMES, NUM_SUBFRAMES // 2)
    own = steps.transpose(2, 3).flatten(1, 2)  # [B, 8, T, 4] -> [B, 32, T]
    pulse = [extract_pulse(item, SAMPLE_RATE_HZ, num_frames, _FRAME_RATE_HZ) for item in samples]
    doubled = [rows.repeat_interleave(2, 2)[..., :num_frames] for rows in (semitones, energy)]
    return torch.cat([doubled[0], own[..., :num_frames], doubled[1], torch.stack(pulse)], 1)
