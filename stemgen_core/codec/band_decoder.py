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
    """Magnitudes of spectra from bands: a linear map of a few frames, which is solved for, and what a network adds.

    Args:
        num_bands: F.
        width: D, channels inside.
        num_blocks: at the rate of the codes; half as many follow at twice that rate.
        num_bins: of each spectrum.
    """

    def __init__(self, num_bands: int, width: int, num_blocks: int, num_bins: int) -> None:
        super().__init__()
        self.direct = nn.Linear(KERNEL * num_bands, 2 * num_bins)
        self.enter = nn.Conv1d(num_bands, width, KERNEL, padding=KERNEL // 2)
        self.blocks = nn.Sequential(*(ConvNextBlock(width) for _ in range(num_blocks)))
        self.upsample = nn.Conv1d(width, 2 * width, 3, padding=1)
        self.late_blocks = nn.Sequential(*(ConvNextBlock(width) for _ in range(max(1, num_blocks // 2))))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, num_bins)
        nn.init.zeros_(self.leave.weight)  # so that training goes on from the linear map
        nn.init.zeros_(self.leave.bias)

    def forward(self, bands: torch.Tensor) -> torch.Tensor:
        """Predict spectra.

        Args:
            bands: float32 [B, F, T], from -1 for silence to about 1.

        Returns:
            float32 [B, bins, 2 T], logarithms of magnitudes (`band_codec.to_logarithms`).
        """
        values = self.blocks(self.enter(bands))  # [B, D, T]
        batch, width, num_frames = values.shape
        doubled = self.upsample(values).reshape(batch, width, 2, num_frames).transpose(2, 3)  # [B, D, T, 2]
        values = self.late_blocks(doubled.reshape(batch, width, 2 * num_frames))
        direct = self.direct(nearby_frames(bands)).reshape(batch, 2 * num_frames, -1)  # [B, 2 T, bins]
        return direct.add_(self.leave(self.norm(values.transpose(1, 2)))).transpose(1, 2)


def nearby_frames(bands: torch.Tensor) -> torch.Tensor:
    """Return what the linear map of each frame reads: the frame with those around it, 0 for silence.

    Args:
        bands: float32 [B, F, T], from -1 for silence to about 1.

    Returns:
        float32 [B, T, F * KERNEL].
    """
    around = nn.functional.pad(bands + 1, (KERNEL // 2, KERNEL // 2)).unfold(2, KERNEL, 1)  # [B, F, T, KERNEL]
    return around.transpose(1, 2).flatten(2)


class LinearFit:
    """The least squares of a decoder's linear map, summed up batch by batch.

    Args:
        decoder: whose map is solved for.
        ridge: squared weights count as much as so many frames.
    """

    def __init__(self, decoder: BandDecoder, ridge: float = 30.0) -> None:
        self._direct = decoder.direct
        size = self._direct.in_features + 1
        device = self._direct.weight.device
        self._gram = ridge * torch.eye(size, dtype=torch.float64, device=device)
        self._products = torch.zeros(size, self._direct.out_features, dtype=torch.float64, device=device)

    def add(self, bands: torch.Tensor, spectra: torch.Tensor) -> None:
        """Take in a batch.

        Args:
            bands: float32 [B, F, T], as the decoder gets them.
            spectra: float32 [B, bins, 2 T], what it should say.
        """
        seen = nn.functional.pad(nearby_frames(bands), (0, 1), value=1.0).flatten(0, 1)  # [B * T, F * KERNEL + 1]
        wanted = spectra.transpose(1, 2).reshape(len(seen), -1)  # [B * T, 2 bins]
        self._gram += (seen.T @ seen).double()
        self._products += (seen.T @ wanted).double()

    @torch.no_grad()
    def solve(self) -> None:
        """Give the decoder the map with the least squared error."""
        solution = torch.linalg.solve(self._gram, self._products).float()
        self._direct.weight.copy_(solution[:-1].T)
        self._direct.bias.copy_(solution[-1])
