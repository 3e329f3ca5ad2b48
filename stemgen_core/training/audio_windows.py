"""Where training audio comes from: windows drawn at random, the same for the same generator."""

from typing import Protocol

import torch


class AudioWindows(Protocol):
    """A source of audio excerpts."""

    @property
    def sample_rate_hz(self) -> int:
        """Audio samples per second of what `draw` returns."""
        ...

    def draw(self, num_windows: int, window_length: int, *, generator: torch.Generator) -> torch.Tensor:
        """Draw excerpts at random.

        What is drawn depends on the generator's state alone, so that a resumed run sees what an uninterrupted one
        would have seen.

        Args:
            num_windows: B.
            window_length: L, audio samples.
            generator: source of randomness, on the CPU.

        Returns:
            float32 [B, 1, L], full scale is +-1.
        """
        ...
