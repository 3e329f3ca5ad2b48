"""Waveforms from magnitudes alone: a first guess by following peaks, then a few rounds of Griffin-Lim.

On a CPU memory is what takes time here, not arithmetic: the transforms of 10 s are 1.5 ms of work, fresh memory for
their result takes longer. So everything runs over a few frames at once, which stay in the cache
(docs/decisions/0110-quicker-phases.md).
"""

import math
from collections.abc import Iterator

import torch

_MOMENTUM = 0.9
_FRAMES_AT_ONCE = 128
_SMALLEST_POWER = 1e-18  # of a spectrum whose phase counts


def overlap_window(window_length: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the window of analysis and synthesis, float32 [window_length]."""
    return torch.hann_window(window_length, device=device)


def to_waveform(magnitude: torch.Tensor, *, hop_length: int, num_rounds: int) -> torch.Tensor:
    """Return audio whose short-time spectrum has about these magnitudes.

    Args:
        magnitude: float32 [B, W / 2 + 1, N], of frames centred on multiples of the hop, the first on sample 0; quickest
            where a frame's bins lie side by side in memory.
        hop_length: audio samples between frames, at most W / 4.
        num_rounds: of fast Griffin-Lim; 0 keeps the first guess.

    Returns:
        float32 [B, (N - 1) * hop_length].

    Source: Beauregard et al. 2015, "Single pass spectrogram inversion"; Perraudin et al. 2013, "A fast Griffin-Lim
    algorithm".
    """
    frames = magnitude.transpose(1, 2).contiguous()  # [B, N, F]: all that follows runs along a frame
    phase = _follow_peaks(frames, hop_length)
    overlap = _OverlapAdd(frames.shape[1], frames.shape[2], hop_length, magnitude.device)
    return torch.stack([_refined(overlap, *one, num_rounds) for one in zip(frames, phase, strict=True)])


def _refined(overlap: "_OverlapAdd", magnitude: torch.Tensor, phase: torch.Tensor, num_rounds: int) -> torch.Tensor:
    """Go from a first guess to audio.

    Args:
        overlap: of these frames.
        magnitude: float32 [N, F].
        phase: float32 [N, F] radians.
        num_rounds: of fast Griffin-Lim.

    Returns:
        float32 [(N - 1) * hop_length].
    """
    spectrum = torch.empty_like(magnitude, dtype=torch.complex64)
    for rows in _few_at_once(len(magnitude)):
        torch.polar(magnitude[rows], phase[rows], out=spectrum[rows])
    samples = overlap.synthesise(spectrum)
    previous = torch.empty_like(spectrum if num_rounds > 1 else spectrum[:0])
    for number in range(num_rounds):
        for rows in _few_at_once(len(magnitude)):
            ahead = found = overlap.analyse(samples, rows)  # [n, F]
            if number:
                # found + momentum * (found - previous), but for its size, which does not count
                ahead = torch.sub(found, previous[rows], alpha=_MOMENTUM / (1 + _MOMENTUM))
            if number + 1 < num_rounds:
                previous[rows] = found
            torch.mul(ahead, _over_size(magnitude[rows], ahead), out=spectrum[rows])
        samples = overlap.synthesise(spectrum)
    return overlap.cut(samples)


def _over_size(magnitude: torch.Tensor, spectrum: torch.Tensor) -> torch.Tensor:
    """Return magnitude / |spectrum|, real; abs() of complex numbers takes three times as long."""
    real, imaginary = torch.view_as_real(spectrum).unbind(-1)
    power = real.square().addcmul_(imaginary, imaginary)
    return power.clamp_(min=_SMALLEST_POWER).rsqrt_().mul_(magnitude)


def _few_at_once(num_frames: int) -> Iterator[slice]:
    """Yield slices that together are all frames."""
    for start in range(0, num_frames, _FRAMES_AT_ONCE):
        yield slice(start, min(start + _FRAMES_AT_ONCE, num_frames))


class _OverlapAdd:
    """Between the spectra of overlapping frames and audio with half a window more at each end.

    Args:
        num_frames: N.
        num_bins: F = W / 2 + 1.
        hop_length: audio samples between frames.
        device: where to compute.
    """

    def __init__(self, num_frames: int, num_bins: int, hop_length: int, device: torch.device) -> None:
        self.num_frames, self.hop_length = num_frames, hop_length
        self.window = overlap_window(2 * (num_bins - 1), device)
        self.num_hops = -(-len(self.window) // hop_length)  # that a window touches
        weight = self._empty()
        self._add(weight, slice(0, num_frames), self.window.square().expand(num_frames, -1))
        weight = weight.flatten()
        # Where there is audio, what the sum of windows has to be divided by; nothing before and after it.
        self.weight = torch.zeros_like(weight)
        self.cut(self.weight)[:] = 1 / self.cut(weight)

    def cut(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the part of `synthesise`'s audio between the middles of the first and the last frame."""
        start = len(self.window) // 2
        return samples[start : start + (self.num_frames - 1) * self.hop_length]

    def synthesise(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Return the audio nearest to complex64 [N, F], float32 [(N + num_hops - 1) * hop_length], 0 outside `cut`."""
        hops = self._empty()
        for rows in _few_at_once(self.num_frames):
            self._add(hops, rows, torch.fft.irfft(spectrum[rows]).mul_(self.window))
        return hops.flatten().mul_(self.weight)

    def analyse(self, samples: torch.Tensor, rows: slice) -> torch.Tensor:
        """Return some frames of what `synthesise` returned, complex64 [n, F]."""
        frames = samples.unfold(0, len(self.window), self.hop_length)[rows]  # [n, W]
        return torch.fft.rfft(frames * self.window)

    def _empty(self) -> torch.Tensor:
        num_hops = self.num_frames + self.num_hops - 1
        return torch.zeros(num_hops, self.hop_length, device=self.window.device)

    def _add(self, hops: torch.Tensor, rows: slice, frames: torch.Tensor) -> None:
        """Add frames [n, W] where they belong in [hops, hop_length]: the first hop of each, then the second, ..."""
        for number, part in enumerate(frames.split(self.hop_length, 1)):
            hops[rows.start + number : rows.stop + number, : part.shape[1]] += part


def follow_peaks(magnitude: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Guess phases: each peak is a sine that goes on from where it was, and its neighbours follow it.

    Args:
        magnitude: float32 [B, F, N].
        hop_length: audio samples between frames.

    Returns:
        float32 [B, F, N] radians.
    """
    return _follow_peaks(magnitude.transpose(1, 2).contiguous(), hop_length).transpose(1, 2)


def _follow_peaks(frames: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Return the phases of frames, float32 [B, N, F] both."""
    num_bins = frames.shape[2]
    turns_per_bin = hop_length / (2 * (num_bins - 1))
    # All bins of a peak agree at the middle of the window; a transform counts from its start, half a window before.
    half_turns = 0.5 * (torch.arange(num_bins, device=frames.device) % 2)
    phase = torch.empty_like(frames)
    current = torch.zeros_like(frames[:, 0])  # [B, F], turns
    for rows in _few_at_once(frames.shape[1]):
        peak, position = _nearest_peaks(frames[:, rows])
        advance = position.mul_(turns_per_bin)  # [B, n, F]
        advance -= advance.round()  # else sums grow so large that their fractions are lost
        some = phase[:, rows]
        for one_peak, one_advance, one in zip(peak.unbind(1), advance.unbind(1), some.unbind(1), strict=True):
            current = torch.gather(one_advance.add_(current), 1, one_peak, out=one)
        current = current - current.round()
        some.add_(half_turns).mul_(2 * math.pi)
    return phase


def _nearest_peaks(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the bins that others follow.

    Args:
        frames: float32 [B, N, F], at least 0.

    Returns:
        int64 [B, N, F], per bin the nearest peak, the lower of two; and float32 [B, N, F], per peak the bin at which it
        really lies, by a parabola through it and its neighbours, at most half a bin away. Silent bins are peaks.
    """
    num_bins = frames.shape[2]
    slope = torch.nn.functional.pad(frames, (1, 1)).diff()  # [B, N, F + 1]
    before, after = slope[..., :-1], slope[..., 1:]
    is_peak = (before >= 0) & (after <= 0)
    # int32 as the running maximum of int64 takes four times as long; far away from all bins where there is no peak
    bins = torch.arange(num_bins, dtype=torch.int32, device=frames.device)
    last = (is_peak * (bins + 4 * num_bins)).cummax(2).values - 4 * num_bins
    following = 5 * num_bins - (is_peak * (5 * num_bins - bins)).flip(2).cummax(2).values.flip(2)
    peak = torch.where(last + following >= 2 * bins, last, following)
    offset = (before + after) / (before - after).clamp_(min=1e-12)
    return peak.long(), offset.mul_(0.5).add_(bins)
