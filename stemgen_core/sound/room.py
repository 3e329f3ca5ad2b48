"""A small room around dry samples, so that a stem doesn't stand outside the mix."""

from functools import cache

import numpy as np
from scipy import signal

from stemgen_core.sound.level import FloatArray

_SEED = 20_08  # any; fixed, because the room must be the same for everyone
_PREDELAY_S = 0.008
_LOWPASS_HZ = 5_000.0


@cache
def _impulse_response(sample_rate_hz: int, decay_s: float) -> FloatArray:
    """Return float32 [2, L]: decaying noise, darker than white, unit energy per channel."""
    num_audio_samples = round(decay_s * sample_rate_hz)
    noise = np.random.RandomState(_SEED).standard_normal((2, num_audio_samples))
    envelope = 10 ** (-3 * np.arange(num_audio_samples) / num_audio_samples)  # -60 dB at the end
    cutoff = min(0.9, _LOWPASS_HZ / (sample_rate_hz / 2))
    tail = signal.sosfilt(signal.butter(1, cutoff, output="sos"), noise * envelope)
    tail /= np.sqrt(np.square(tail).sum(axis=1, keepdims=True))
    predelay = np.zeros((2, round(_PREDELAY_S * sample_rate_hz)))
    return np.concatenate([predelay, tail], axis=1).astype(np.float32)


def add_room(samples: FloatArray, sample_rate_hz: int, *, wet_db: float = -16.0, decay_s: float = 0.7) -> FloatArray:
    """Return the samples with a room behind them.

    Args:
        samples: float32 [2, L].
        sample_rate_hz: audio samples per second.
        wet_db: level of the room against the dry sound.
        decay_s: time to fall by 60 dB.

    Returns:
        float32 [2, L]; what rings on past the end is cut.
    """
    if samples.shape[1] == 0:
        return samples
    response = _impulse_response(sample_rate_hz, decay_s)
    wet = signal.oaconvolve(samples.mean(axis=0, keepdims=True), response, axes=1)[:, : samples.shape[1]]
    return (samples + 10 ** (wet_db / 20) * wet).astype(np.float32)
