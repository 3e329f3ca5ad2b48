"""From levels of bands to the magnitudes of a spectrum, frame by frame."""

import torch
from torch import nn

KERNEL = 7
DEEP_SCALE = 0.1


class ConvNextBlock(nn.Module):
    """A depthwise convolution over time and a small network per frame, added to what came in.

    Args:
        width: channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 3 * width)
        self.narrow = nn.Linear(3 * width, width)
        self.scale = nn.Parameter(torch.full((width,), DEEP_SCALE))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return float32 [B, D, T] of the same shape."""
        mixed = self.norm(self.mix(values).transpose(1, 2))  # [B, T, D]
        mixed = self.narrow(nn.functional.gelu(self.widen(mixed)))
        return values + (self.scale * mixed).transpose(1, 2)


class BandDecoder(nn.Module):
    """Magnitudes of spectra from bands.

    Args:
        num_bands: F.
        width: D, channels inside.
        num_blocks: at the rate of the codes; half as many follow at twice that rate.
        num_bins: of each spectrum.
    """

    def __init__(self, num_bands: int, width: int, num_blocks: int, num_bins: int) -> None:
        super().__init__()
        self.enter = nn.Conv1d(num_bands, width, KERNEL, padding=KERNEL // 2)
        self.blocks = nn.Sequential(*(ConvNextBlock(width) for _ in range(num_blocks)))
        self.upsample = nn.Conv1d(width, 2 * width, 3, padding=1)
        self.late_blocks = nn.Sequential(*(ConvNextBlock(width) for _ in range(max(1, num_blocks // 2))))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, num_bins)

    def forward(self, bands: torch.Tensor) -> torch.Tensor:
        """Predict spectra.

        Args:
            bands: float32 [B, F, T], about -1..1.

        Returns:
            float32 [B, bins, 2 T], natural logarithms of magnitudes.
        """
        values = self.blocks(self.enter(bands))  # [B, D, T]
        batch, width, num_frames = values.shape
        doubled = self.upsample(values).reshape(batch, width, 2, num_frames).transpose(2, 3)  # [B, D, T, 2]
        values = self.late_blocks(doubled.reshape(batch, width, 2 * num_frames))
        return self.leave(self.norm(values.transpose(1, 2))).transpose(1, 2)
