"""What a sound is like, as numbers: statistics of its log-mel spectrum, segment by segment.

Conventions: a segment is 2.5 s, segments follow each other at half their length; levels are relative to the segment's
own loudest moment, so that gain says nothing. Sounds below 16 kHz sample rate lack the upper bands.
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np

from stemgen_core.analysis.spectrum import analysis_samples, magnitude_frames
from stemgen_core.types import Waveform

NUM_BANDS = 64
SEGMENT_S = 2.5

_HOP_S = 0.0125
# Of a sound since it began: just before, the attack, and how it goes on (a piano dies away, an organ does not).
_SINCE_ONSET = (-2, 0, 1, 2, 4, 8, 16, 32)  # frames
_PACES_HZ = (0.4, 1.6, 3.2, 6.4, 16.0)  # edges of the bands that changes of level are told apart by: tremolo, strokes
NUM_STATISTICS = 6 + len(_SINCE_ONSET) + len(_PACES_HZ) - 1
NUM_FEATURES = NUM_STATISTICS * NUM_BANDS
# Of the statistics, those that move with the colour of a room or a microphone: mean, 90th percentile, since onsets.
LEVEL_STATISTICS = (0, 4, *range(6, 6 + len(_SINCE_ONSET)))
_WINDOW_S = 0.032
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 11_000.0
_RANGE_DB = 70.0
_LOUD_DB = 40.0  # below the loudest moment: what is counted as sounding
_SCALE_DB = 20.0
_QUIET_DB = 30.0  # a segment this far below the loudest one is a tail
_SILENT_DB = -65.0
_MIN_LOUD_FRAMES = 10
_ONSET_APART = 4  # frames
_ONSET_SHARE = 0.25  # of the segment's largest rise
_MIN_ONSET = 3.0  # rise summed over bands, in units of 20 dB


def validate(features: np.ndarray) -> None:
    """Check features.

    Raises:
        ValueError: if they are not [N, NUM_FEATURES] of finite numbers.
    """
    if features.ndim != 2 or features.shape[1] != NUM_FEATURES:
        raise ValueError(f"features must have shape [N, {NUM_FEATURES}], got {features.shape}")
    if not np.isfinite(features).all():
        raise ValueError("features must be finite")


def segment_features(waveform: Waveform) -> np.ndarray:
    """Return what each sounding segment is like.

    Returns:
        float32 [N, NUM_FEATURES]: per band of the level the mean, the deviation, the mean rise, the mean fall, the 90th
        percentile, the distance from the bands beside it, what it is at eight moments since an onset (mean over
        onsets), and how much of it changes at each of four paces; N is 0 where nothing sounds, and a sound shorter
        than a segment is one.

    Raises:
        AudioFormatError: if there is no sample or a sample is not a finite number.
    """
    levels_db = log_mel(waveform)
    length = min(len(levels_db), round(SEGMENT_S / _HOP_S))
    starts = range(0, len(levels_db) - length + 1, max(1, length // 2))
    tops_db = np.array([_top_db(levels_db[start : start + length]) for start in starts])
    found = []
    for start, top_db in zip(starts, tops_db, strict=True):
        if top_db < max(_SILENT_DB, tops_db.max() - _QUIET_DB):
            continue
        statistics = _statistics(levels_db[start : start + length], top_db)
        if statistics is not None:
            found.append(statistics)
    return np.stack(found) if found else np.zeros((0, NUM_FEATURES), np.float32)


def log_mel(waveform: Waveform) -> np.ndarray:
    """Return levels in bands, dB, float32 [T, 64], 80 frames a second.

    Raises:
        AudioFormatError: if there is no sample or a sample is not a finite number.
    """
    samples, rate_hz = analysis_samples(waveform)
    window_length = 2 * round(rate_hz * _WINDOW_S / 2)
    magnitudes = magnitude_frames(samples, window_length, max(1, round(rate_hz * _HOP_S)))
    power = np.square(magnitudes) @ _mel_bands(magnitudes.shape[1], rate_hz / window_length).T
    return (10 * np.log10(power + 1e-13)).astype(np.float32)


@lru_cache(maxsize=8)
def _mel_bands(num_bins: int, bin_hz: float) -> np.ndarray:
    """Return triangles on the mel scale, each of sum 1 (a band without bins stays empty), float32 [64, bins]."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    edges_hz = 700 * (10 ** (np.linspace(low, high, NUM_BANDS + 2) / 2595) - 1)
    bins_hz = np.arange(num_bins) * bin_hz
    rising = (bins_hz - edges_hz[:-2, None]) / np.diff(edges_hz)[:-1, None]
    falling = (edges_hz[2:, None] - bins_hz) / np.diff(edges_hz)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles / np.maximum(triangles.sum(1, keepdims=True), 1e-6)).astype(np.float32)


def _top_db(levels_db: np.ndarray) -> float:
    return float(np.percentile(levels_db.max(axis=1), 98))


def _statistics(levels_db: np.ndarray, top_db: float) -> np.ndarray | None:
    """Return float32 [NUM_FEATURES], or None where too little sounds."""
    levels = np.clip(levels_db - top_db, -_RANGE_DB, 10) / _SCALE_DB
    loud = levels[levels.max(axis=1) > -_LOUD_DB / _SCALE_DB]
    if len(loud) < _MIN_LOUD_FRAMES:
        return None
    steps = np.diff(levels, axis=0)
    parts = (
        loud.mean(axis=0),
        loud.std(axis=0),
        4 * np.maximum(steps, 0).mean(axis=0),
        4 * np.maximum(-steps, 0).mean(axis=0),
        np.percentile(loud, 90, axis=0),
        np.abs(loud - (np.roll(loud, 1, axis=1) + np.roll(loud, -1, axis=1)) / 2).mean(axis=0),
        *_since_onsets(levels, loud.mean(axis=0)),
        *_changes(levels),
    )
    return np.concatenate(parts).astype(np.float32)


def _since_onsets(levels: np.ndarray, without_onsets: np.ndarray) -> np.ndarray:
    """Return the levels at each moment since an onset, mean over onsets weighted by their rise, [8, 64].

    Args:
        levels: [T, 64].
        without_onsets: [64], what stands for each moment where nothing begins.
    """
    rises = np.maximum(np.diff(levels, axis=0), 0).sum(axis=1)
    rises = np.concatenate([[0.0], rises])  # [T], of each frame over the one before
    threshold = max(_MIN_ONSET, _ONSET_SHARE * float(rises.max()))
    onsets = [
        frame
        for frame in range(-_SINCE_ONSET[0], len(levels) - _SINCE_ONSET[-1])
        if rises[frame] >= threshold
        and rises[frame] == rises[max(0, frame - _ONSET_APART) : frame + _ONSET_APART + 1].max()
    ]
    if not onsets:
        return np.tile(without_onsets, (len(_SINCE_ONSET), 1))
    moments = np.array(onsets)[:, None] + np.array(_SINCE_ONSET)  # [onsets, 8]
    return np.average(levels[moments], axis=0, weights=rises[onsets])


def _changes(levels: np.ndarray) -> np.ndarray:
    """Return how much the level of each band changes at each pace, as the logarithm of a mean amplitude, [4, 64]."""
    spectrum = np.abs(np.fft.rfft(levels - levels.mean(axis=0), axis=0)) * (SEGMENT_S / _HOP_S / len(levels))
    paces_hz = np.fft.rfftfreq(len(levels), _HOP_S)
    places = np.searchsorted(paces_hz, np.array(_PACES_HZ) - 1e-9)
    # A short sound has no slow paces.
    means = [
        spectrum[first:last].mean(axis=0) if last > first else np.zeros(NUM_BANDS) for first, last in pairwise(places)
    ]
    return np.log1p(np.stack(means))
