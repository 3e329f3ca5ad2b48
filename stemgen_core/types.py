"""Values passed between core modules and across the core's boundary."""

from dataclasses import dataclass
from typing import Literal

import torch

Hearing = Literal["codes", "bands"]  # what an audio model reads of the mix: its codec's codes, or bands


@dataclass(frozen=True, slots=True)
class CodecSpec:
    """What the language model must know about the codec of the target.

    Attributes:
        name: family and version of the token layout; a model refuses codes of another name.
        sample_rate_hz: audio samples per second of what one hop counts in.
        hop_length: audio samples per frame.
        num_codebooks: K, coarse to fine.
        codebook_size: V, entries per codebook.
    """

    name: str
    sample_rate_hz: int
    hop_length: int
    num_codebooks: int
    codebook_size: int

    @property
    def frame_rate_hz(self) -> float:
        """Frames per second."""
        return self.sample_rate_hz / self.hop_length

    @property
    def mask_token_id(self) -> int:
        """Token that stands for "not generated yet"; one past the last code."""
        return self.codebook_size


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """How sound is kept.

    Attributes:
        sample_rate_hz: audio samples per second.
        num_channels: C, 1 or 2.
    """

    sample_rate_hz: int = 32_000
    num_channels: int = 1

    def __str__(self) -> str:
        """Return it in words."""
        return f"{'mono' if self.num_channels == 1 else 'stereo'} at {self.sample_rate_hz} Hz"


@dataclass(frozen=True, slots=True)
class Waveform:
    """Float audio.

    Attributes:
        samples: float32 [C, L], full scale is +-1.0.
        sample_rate_hz: audio samples per second.
    """

    samples: torch.Tensor
    sample_rate_hz: int

    @property
    def num_channels(self) -> int:
        """C."""
        return int(self.samples.shape[0])

    @property
    def num_audio_samples(self) -> int:
        """L, audio samples per channel."""
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.num_audio_samples / self.sample_rate_hz
