"""Waveforms from magnitudes alone: a first guess by following peaks, then a few rounds of Griffin-Lim."""

import math

import torch

_MOMENTUM = 0.9


def overlap_window(window_length: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the window of analysis and synthesis, float32 [window_length]."""
    return torch.hann_window(window_length, device=device)


def to_waveform(magnitude: torch.Tensor, *, hop_length: int, num_rounds: int) -> torch.Tensor:
    """Return audio whose short-time spectrum has about these magnitudes.

    Args:
        magnitude: float32 [B, W / 2 + 1, N], of frames centred on multiples of the hop, the first on sample 0.
        hop_length: audio samples between frames, at most W / 4.
        num_rounds: of fast Griffin-Lim; 0 keeps the first guess.

    Returns:
        float32 [B, (N - 1) * hop_length].

    Source: Beauregard et al. 2015, "Single pass spectrogram inversion"; Perraudin et al. 2013, "A fast Griffin-Lim
    algorithm".
    """
    window_length = 2 * (magnitude.shape[1] - 1)
    window = overlap_window(window_length, magnitude.device)
    spectrum = torch.polar(magnitude, follow_peaks(magnitude, hop_length))
    previous = torch.zeros_like(spectrum)
    for _ in range(num_rounds):
        samples = torch.istft(spectrum, window_length, hop_length, window=window)
        found = torch.stft(samples, window_length, hop_length, window=window, pad_mode="constant", return_complex=True)
        ahead = found + _MOMENTUM * (found - previous)
        previous = found
        spectrum = magnitude * ahead / ahead.abs().clamp(min=1e-9)
    return torch.istft(spectrum, window_length, hop_length, window=window)


def follow_peaks(magnitude: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Guess phases: each peak is a sine that goes on from where it was, and its neighbours follow it.

    Args:
        magnitude: float32 [B, F, N].
        hop_length: audio samples between frames.

    Returns:
        float32 [B, F, N] radians.
    """
    frames = magnitude.transpose(1, 2).contiguous()  # [B, N, F]: all that follows runs along a frame
    num_bins = frames.shape[2]
    window_length = 2 * (num_bins - 1)
    peak, offset = _nearest_peaks(frames)
    advance = 2 * math.pi * hop_length / window_length * (peak + offset.gather(2, peak))  # [B, N, F]
    phase = torch.empty_like(frames)
    current = torch.zeros_like(frames[:, 0])
    for index in range(frames.shape[1]):
        current = (current.gather(1, peak[:, index]) + advance[:, index]).remainder_(2 * math.pi)
        phase[:, index] = current
    # All bins of a peak agree at the middle of the window; a transform counts from its start, half a window before.
    phase += math.pi * torch.arange(num_bins, device=magnitude.device)
    return phase.transpose(1, 2)


def _nearest_peaks(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return per bin the nearest peak, int64 [B, N, F], and per peak how far beside its bin it lies, -0.5..0.5."""
    num_bins = frames.shape[2]
    padded = torch.nn.functional.pad(frames, (1, 1))
    below, above = padded[..., :-2], padded[..., 2:]
    is_peak = (frames >= below) & (frames > above)
    curvature = below - 2 * frames + above
    offset = (0.5 * (below - above) / curvature.clamp(max=-1e-12)).clamp_(-0.5, 0.5) * is_peak
    bins = torch.arange(num_bins, device=frames.device)
    last = torch.where(is_peak, bins, -num_bins).cummax(2).values
    following = torch.where(is_peak, bins, 2 * num_bins).flip(2).cummin(2).values.flip(2)
    nearest = torch.where(bins - last <= following - bins, last, following)
    return torch.where((nearest < 0) | (nearest >= num_bins), bins, nearest), offset
