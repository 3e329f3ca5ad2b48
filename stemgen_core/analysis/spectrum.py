"""Mono samples and spectrograms that the other measures share.

Conventions: one channel of float32 at 16 to 44 kHz, frames in rows, a frame's time is the middle of its window and
frame 0 is centred on the first sample.
"""

import numpy as np
import scipy.signal

from stemgen_core.errors import AudioFormatError
from stemgen_core.types import Waveform

ANALYSIS_RATE_HZ = 22_050  # everything measured here lies below 11 kHz
_CANCELLED_SHARE = 0.01


def analysis_samples(waveform: Waveform) -> tuple[np.ndarray, float]:
    """Return one channel, thinned to about `ANALYSIS_RATE_HZ`, and its exact rate.

    Channels are averaged; where they cancel each other (a stereo effect), their difference is taken instead.

    Returns:
        float32 [L], and its sample rate in Hz, which is the waveform's divided by a whole number.

    Raises:
        AudioFormatError: if there is no sample or a sample is not a finite number.
    """
    samples = waveform.samples.detach().cpu().numpy().astype(np.float32, copy=False)  # [C, L]
    if samples.ndim != 2 or samples.size == 0:
        raise AudioFormatError(f"There is no audio to measure (shape {tuple(samples.shape)}).")
    if not np.isfinite(samples).all():
        raise AudioFormatError("The audio has samples that are not numbers (NaN or infinite).")
    mono = samples.mean(axis=0)
    if len(samples) > 1 and np.square(mono).sum() < _CANCELLED_SHARE * np.square(samples).mean(axis=0).sum():
        mono = (samples[0] - samples[1]) / 2
    factor = max(1, round(waveform.sample_rate_hz / ANALYSIS_RATE_HZ))
    if factor > 1:
        mono = scipy.signal.resample_poly(mono, 1, factor).astype(np.float32)
    return mono, waveform.sample_rate_hz / factor


def fast_window_length(num_audio_samples: float) -> int:
    """Return the next length of the form (8..16) x 2^n, which Fourier transforms are quick at."""
    power = 2 ** max(1, int(np.log2(max(1.0, num_audio_samples))) - 3)
    return power * int(np.ceil(num_audio_samples / power))


def magnitude_frames(samples: np.ndarray, window_length: int, hop_length: int) -> np.ndarray:
    """Return magnitudes of Hann-windowed frames; a full-scale sine peaks near 0.5.

    Args:
        samples: float32 [L].
        window_length: audio samples per window.
        hop_length: audio samples between frames.

    Returns:
        float32 [T, window_length // 2 + 1], T = 1 + L // hop_length.
    """
    half = window_length // 2
    padded = np.pad(samples, (half, window_length))
    num_frames = 1 + len(samples) // hop_length
    frames = np.lib.stride_tricks.sliding_window_view(padded, window_length)[::hop_length][:num_frames]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_length) / window_length)).astype(np.float32)
    return np.abs(np.fft.rfft(frames * window, axis=1)) * np.float32(1 / window.sum())
