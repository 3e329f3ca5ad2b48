"""Where sounds begin: an envelope of onset strength and its peaks.

Conventions: frames come at about 200 Hz; an onset's time is that of the steepest rise of its log spectrum, to
within 5 ms for clean attacks; slow ones are placed where they become audible.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.ndimage
import scipy.signal

from stemgen_core.analysis.spectrum import analysis_samples, fast_window_length, magnitude_frames
from stemgen_core.types import Waveform

_FRAME_RATE_HZ = 200
_WINDOW_S = 0.036
_NUM_BANDS = 40
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 10_000.0
_RISE_S = 0.015  # a rise is measured against the spectrum this long before
# A log spectrum rises as soon as a window touches a sound, before its middle gets there: so much on clean attacks.
_EARLY_S = 0.009
_FLOOR_DB = -60.0  # below the loudest band: what lies deeper is neither heard nor counted
_LOCAL_MEAN_S = 0.25
_MIN_SPACING_S = 0.05


@dataclass(frozen=True, slots=True)
class OnsetEnvelope:
    """Onset strength over time.

    Attributes:
        strength: float32 [T], >= 0; about the share of bands that rise, weighted by how far (bels).
        frame_rate_hz: frames per second.
        first_frame_s: the moment that frame 0 stands for, seconds.
    """

    strength: np.ndarray
    frame_rate_hz: float
    first_frame_s: float = 0.0


@lru_cache(maxsize=8)
def _band_edges(num_bins: int, bin_hz: float) -> tuple[int, ...]:
    """Return the first bin of each band and the end of the last; evenly spaced in ERB rate, at least a bin wide."""
    low, high = (21.4 * np.log10(1 + 0.00437 * hz) for hz in (_LOWEST_HZ, min(_HIGHEST_HZ, bin_hz * (num_bins - 1))))
    edges_hz = (10 ** (np.linspace(low, high, _NUM_BANDS + 1) / 21.4) - 1) / 0.00437
    bins = np.unique(np.clip(np.round(edges_hz / bin_hz).astype(int), 1, num_bins - 1))
    return tuple(bins.tolist())


def onset_envelope(waveform: Waveform) -> OnsetEnvelope:
    """Return how strongly sounds begin at each moment.

    Rises of the log spectrum in bands, against the loudest of each band's neighbours a moment before, so that
    vibrato and glides don't count (superflux); the slow part of the sum is taken off.

    Raises:
        AudioFormatError: if there is no sample or a sample is not a finite number.
    """
    samples, rate_hz = analysis_samples(waveform)
    hop_length = max(1, round(rate_hz / _FRAME_RATE_HZ))
    frame_rate_hz = rate_hz / hop_length
    window_length = fast_window_length(rate_hz * _WINDOW_S)
    magnitudes = magnitude_frames(samples, window_length, hop_length)
    edges = _band_edges(magnitudes.shape[1], rate_hz / window_length)
    bands = np.sqrt(np.add.reduceat(np.square(magnitudes[:, : edges[-1]]), edges[:-1], axis=1))  # [T, bands]
    loudest = float(bands.max())
    if loudest < 1e-5:
        return OnsetEnvelope(np.zeros(len(bands), np.float32), frame_rate_hz, _EARLY_S)
    floor = loudest * 10 ** (_FLOOR_DB / 20)
    bels = np.log10(bands + floor)
    lag = max(1, round(_RISE_S * frame_rate_hz))
    before = scipy.ndimage.maximum_filter1d(bels, 3, axis=1)
    before = np.concatenate([np.full_like(bels[:lag], np.log10(floor)), before[:-lag]])
    rise = np.maximum(bels - before, 0).mean(axis=1)
    # The rise spans `lag` frames that end here: its middle is half a lag earlier.
    rise = np.concatenate([rise[lag // 2 :], np.zeros(lag // 2, rise.dtype)])
    slow = scipy.ndimage.uniform_filter1d(rise, round(_LOCAL_MEAN_S * frame_rate_hz))
    return OnsetEnvelope(np.maximum(rise - slow, 0).astype(np.float32), frame_rate_hz, _EARLY_S)


def pick_onsets(envelope: OnsetEnvelope, *, threshold: float = 0.12) -> np.ndarray:
    """Return the times of the envelope's peaks.

    Args:
        envelope: of one sound.
        threshold: least height, as a share of a loud peak (the 98th percentile of those found).

    Returns:
        float64 [N], seconds, ascending, at least 50 ms apart; parabolas place them between frames.
    """
    strength = envelope.strength
    spacing = max(1, round(_MIN_SPACING_S * envelope.frame_rate_hz))
    smooth = scipy.ndimage.gaussian_filter1d(strength, 1.0)
    peaks, _ = scipy.signal.find_peaks(smooth, distance=spacing)
    peaks = peaks[smooth[peaks] > 0.01]  # a hundredth of a bel over all bands: less is noise
    if len(peaks) == 0:
        return np.zeros(0)
    peaks = peaks[smooth[peaks] >= threshold * np.percentile(smooth[peaks], 98)]
    return envelope.first_frame_s + (peaks + parabola_shift(smooth, peaks)) / envelope.frame_rate_hz


def parabola_shift(values: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Return how far (-0.5..0.5) the true maximum lies from each peak's index."""
    inner = np.clip(peaks, 1, len(values) - 2)
    left, middle, right = values[inner - 1], values[inner], values[inner + 1]
    curvature = left - 2 * middle + right
    shift = np.where(curvature < -1e-12, 0.5 * (left - right) / np.where(curvature == 0, 1, curvature), 0.0)
    return np.clip(np.where(inner == peaks, shift, 0.0), -0.5, 0.5)
