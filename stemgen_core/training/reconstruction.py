"""How far decoded audio is from the original: the loss that trains the audio-token codec."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

LOWEST_HZ = 30.0
MAGNITUDE_FLOOR = 1e-5  # keeps the logarithm finite, about -100 dB


@dataclass(frozen=True, slots=True)
class ReconstructionWeights:
    """Weights of the parts of the loss, each >= 0.

    Attributes:
        waveform: mean absolute difference of audio samples.
        magnitude: L1 of STFT magnitudes, relative to the original's mean, averaged over window sizes.
        log_mel: L1 of natural-log mel bands, averaged over window sizes.
    """

    waveform: float = 0.1
    magnitude: float = 1.0
    log_mel: float = 1.0


class ReconstructionLoss(nn.Module):
    """Multi-resolution spectral loss plus a little waveform loss.

    Args:
        sample_rate_hz: audio samples per second.
        weights: of the three parts.
        window_lengths: STFT windows in audio samples; each hops by a quarter of itself.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        weights: ReconstructionWeights,
        window_lengths: tuple[int, ...] = (2048, 1024, 512, 256),
    ) -> None:
        super().__init__()
        self.weights = weights
        self.window_lengths = window_lengths
        for length in window_lengths:
            num_bands = max(8, length // 32)
            self.register_buffer(f"window_{length}", torch.hann_window(length), persistent=False)
            self.register_buffer(f"bands_{length}", mel_filters(sample_rate_hz, length, num_bands), persistent=False)

    def forward(self, decoded: torch.Tensor, original: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compare two batches.

        Args:
            decoded: float32 [B, C, L], L at least half the longest window. Of two channels half their sum and half
                their difference are compared, too: what is heard as width is little of the sound of a side.
            original: float32 [B, C, L].

        Returns:
            scalars `waveform`, `magnitude`, `log_mel` and their weighted sum `total`.

        Raises:
            ValueError: if the shapes differ.
        """
        if decoded.shape != original.shape:
            raise ValueError(f"decoded {tuple(decoded.shape)} and original {tuple(original.shape)} differ")
        decoded, original = _with_width(decoded), _with_width(original)
        magnitude, log_mel = decoded.new_zeros(()), decoded.new_zeros(())
        for bands, ours, theirs in self._magnitudes(decoded, original):
            magnitude = magnitude + (ours - theirs).abs().mean() / (theirs.mean() + MAGNITUDE_FLOOR)
            log_ours, log_theirs = ((bands @ value + MAGNITUDE_FLOOR).log() for value in (ours, theirs))  # [B, M, S]
            log_mel = log_mel + (log_ours - log_theirs).abs().mean()
        parts = {
            "waveform": (decoded - original).abs().mean(),
            "magnitude": magnitude / len(self.window_lengths),
            "log_mel": log_mel / len(self.window_lengths),
        }
        total = sum((getattr(self.weights, name) * part for name, part in parts.items()), decoded.new_zeros(()))
        return {**parts, "total": total}

    def _magnitudes(
        self, decoded: torch.Tensor, original: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        both = torch.cat([decoded, original]).flatten(0, 1)  # 2 x [B, C, L] -> [2 B C, L]
        for length in self.window_lengths:
            window = self.get_buffer(f"window_{length}")
            spectrum = torch.stft(both, length, length // 4, window=window, return_complex=True)  # [2B, F, S]
            # A bare abs() has no gradient at silence.
            magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-10).sqrt()
            ours, theirs = magnitude.chunk(2)  # [B, F, S] each
            yield self.get_buffer(f"bands_{length}"), ours, theirs


def _with_width(audio: torch.Tensor) -> torch.Tensor:
    """Return [B, 4, L] of two channels, with half their sum and half their difference; one stays as it is."""
    if audio.shape[1] == 1:
        return audio
    left, right = audio.unbind(1)
    return torch.stack([left, right, (left + right) / 2, (left - right) / 2], 1)


def mel_filters(sample_rate_hz: int, window_length: int, num_bands: int) -> torch.Tensor:
    """Return triangular filters, evenly spaced in mel, that each sum to 1.

    Bands narrower than a bin become the bin next to their centre, so that none is empty.

    Returns:
        float32 [num_bands, window_length // 2 + 1].
    """
    bins_hz = torch.linspace(0, sample_rate_hz / 2, window_length // 2 + 1)  # [F]
    ends = _hz_to_mel(torch.tensor([LOWEST_HZ, sample_rate_hz / 2]))
    edges_hz = _mel_to_hz(torch.linspace(float(ends[0]), float(ends[1]), num_bands + 2))  # [num_bands + 2]
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)  # [num_bands, F]
    filters = torch.minimum(rising, falling).clamp(min=0)
    nearest = functional.one_hot((bins_hz - centre).abs().argmin(-1), len(bins_hz)).float()  # [num_bands, F]
    filters = torch.where(filters.sum(-1, keepdim=True) > 0, filters, nearest)
    return filters / filters.sum(-1, keepdim=True)


def _hz_to_mel(frequency_hz: torch.Tensor) -> torch.Tensor:
    return 2595.0 * torch.log10(1.0 + frequency_hz / 700.0)


def _mel_to_hz(mel: torch.Tensor) -> torch.Tensor:
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
