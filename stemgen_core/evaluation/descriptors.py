"""What music is like, in the descriptors that listeners have words for, and how far two populations of it differ.

Conventions: a population is a set of waveforms of about one length. Each descriptor is a histogram per waveform
(float64, it sums to 1); a population's is their mean. Two populations differ by the Kullback-Leibler divergence (nats)
of the second from the first, after 1/2 a waveform spread over all bins; `mirdd` is the mean over descriptors.
Divergences depend on how many waveforms there are: compare those of equal numbers only.

Source: StemGen (arXiv:2312.08723), the music information retrieval descriptor distance (MIRDD): divergences between
populations of mixes, averaged over descriptors. Differs: its extractors were never published; ours, and their choice of
what can be heard without a transcription, are described in docs/decisions/0041-populations.md.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from stemgen_core.analysis.key import PITCHED_ABOVE, Chroma, estimate_key
from stemgen_core.analysis.onset import pick_onsets
from stemgen_core.analysis.tempo import estimate_bpm, track_beats
from stemgen_core.evaluation.chords import NUM_TRIADS, triads_over_time
from stemgen_core.evaluation.hearing import Heard, hear
from stemgen_core.evaluation.timbre import log_mel
from stemgen_core.types import Waveform

NAMES = (
    "tempo", "key", "onset_rate", "onset_spacing", "pitch_classes", "num_pitch_classes", "chroma_entropy", "triads",
    "chord_changes", "minor_major", "brightness", "spread", "dynamics",
)  # fmt: skip
_PSEUDO_COUNT = 0.5

# Edges of the bins between which a number falls; values beyond lie in the first or last bin.
_TEMPO_EDGES = np.geomspace(60, 180, 9)
_ONSET_RATE_EDGES = np.linspace(1, 12, 9)  # onsets a second
_SPACING_EDGES = np.array([0.2, 0.29, 0.42, 0.58, 0.7, 0.85, 1.25, 1.75])  # beats: sixteenths, triplets, ...
_NUM_CLASSES_EDGES = np.arange(3.5, 11, 1)
_ENTROPY_EDGES = np.linspace(2.4, 3.5, 9)  # bits; all twelve alike have 3.58
_CHANGES_EDGES = np.array([0.05, 0.15, 0.3, 0.5, 0.75, 1.0])  # a second
_BRIGHTNESS_EDGES = np.linspace(12, 36, 9)  # centroid, mel bands of 64
_SPREAD_EDGES = np.linspace(8, 18, 9)  # deviation, mel bands
_DYNAMICS_EDGES = np.linspace(2, 14, 9)  # deviation of the level, dB

_CLASS_COUNTS_FROM = 0.04  # of the total; sixths of a fair share of twelve would be noise


def validate(histograms: np.ndarray) -> None:
    """Check the histograms of one descriptor over a population.

    Raises:
        ValueError: if they are not one row or more of shares that sum to 1 (or to 0, where nothing was measured).
    """
    if histograms.ndim != 2 or histograms.size == 0:
        raise ValueError(f"histograms must be one row or more, got shape {histograms.shape}")
    if not np.isfinite(histograms).all() or (histograms < 0).any():
        raise ValueError("histograms must be finite and >= 0")
    sums = histograms.sum(axis=1)
    if not (np.isclose(sums, 1) | np.isclose(sums, 0)).all():
        raise ValueError("each histogram must sum to 1, or to 0 where nothing was measured")


def divergence(reference: np.ndarray, estimated: np.ndarray) -> float:
    """Return how far the second population lies from the first in one descriptor, nats, >= 0.

    Args:
        reference: float64 [N, bins].
        estimated: float64 [M, bins].

    Raises:
        ValueError: if histograms are malformed or have different bins.
    """
    validate(reference)
    validate(estimated)
    if reference.shape[1] != estimated.shape[1]:
        raise ValueError(f"histograms must have the same bins, got {reference.shape[1]} and {estimated.shape[1]}")
    first, second = (each.sum(axis=0) + _PSEUDO_COUNT / each.shape[1] for each in (reference, estimated))
    first, second = first / first.sum(), second / second.sum()
    return float(max(0.0, np.sum(first * np.log(first / second))))


def evaluate(
    reference: Sequence[Mapping[str, np.ndarray]], estimated: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, float]:
    """Return every score of this module: a divergence per descriptor (nats), and their mean, `mirdd`.

    Args:
        reference: `describe` of each waveform of the true population.
        estimated: of the other.

    Raises:
        ValueError: if a population is empty or malformed.
    """
    if not reference or not estimated:
        raise ValueError(f"populations must not be empty, got {len(reference)} and {len(estimated)} waveforms")
    scores = {
        name: divergence(np.stack([one[name] for one in reference]), np.stack([one[name] for one in estimated]))
        for name in NAMES
    }
    return scores | {"mirdd": float(np.mean(list(scores.values())))}


def describe(waveform: Waveform, heard: Heard | None = None) -> dict[str, np.ndarray]:
    """Return the histogram of every descriptor of one waveform; zeros where there was nothing to measure.

    Args:
        waveform: of 2 s or more, or little can be measured.
        heard: its analysis, where it was done already.

    Raises:
        AudioFormatError: if there is no sample or a sample is not a finite number.
    """
    heard = heard or hear(waveform)
    return {**_rhythm(heard, waveform.duration_s), **_harmony(heard.pitches), **_sound(waveform)}


def _bin(values: float | np.ndarray | None, edges: np.ndarray) -> np.ndarray:
    """Return the share of values between edges, float64 [len(edges) + 1]; zeros for nothing."""
    if values is None or np.size(values) == 0:
        return np.zeros(len(edges) + 1)
    counts = np.bincount(np.searchsorted(edges, np.atleast_1d(values)), minlength=len(edges) + 1)
    return counts / counts.sum()


def _shares(values: np.ndarray) -> np.ndarray:
    total = values.sum()
    return values / total if total > 0 else np.zeros(len(values))


def _rhythm(heard: Heard, duration_s: float) -> dict[str, np.ndarray]:
    bpm, onsets_s = estimate_bpm(heard.onsets)[0], pick_onsets(heard.onsets)
    spacing = None
    if bpm is not None and len(onsets_s) > 1:
        beats_s = track_beats(heard.onsets, bpm)
        beat_s = float(np.median(np.diff(beats_s))) if len(beats_s) > 2 else 60 / bpm
        spacing = np.diff(onsets_s) / beat_s
    return {
        "tempo": _bin(bpm, _TEMPO_EDGES),
        "onset_rate": _bin(len(onsets_s) / duration_s, _ONSET_RATE_EDGES),
        "onset_spacing": _bin(spacing, _SPACING_EDGES),
    }


def _harmony(pitches: Chroma) -> dict[str, np.ndarray]:
    key = np.zeros(24)
    estimated = estimate_key(pitches)
    if pitches.pitchedness < PITCHED_ABOVE or estimated is None:
        return {
            "key": key,
            "pitch_classes": np.zeros(12),
            "num_pitch_classes": _bin(None, _NUM_CLASSES_EDGES),
            "chroma_entropy": _bin(None, _ENTROPY_EDGES),
            "triads": np.zeros(NUM_TRIADS),
            "chord_changes": _bin(None, _CHANGES_EDGES),
            "minor_major": np.zeros(2),
        }
    key[estimated.tonic + 12 * estimated.is_minor] = 1
    classes = _shares(pitches.energy.sum(axis=0).astype(np.float64))
    triads = triads_over_time(pitches)
    sounding = triads[triads >= 0]
    # Relative to the tonic: what is played in a key, not which key.
    turned = (sounding % 12 - estimated.tonic) % 12 + 12 * (sounding // 12)
    num_minor = int((sounding >= 12).sum())
    changes = np.count_nonzero(np.diff(sounding)) / max(len(triads), 1)
    return {
        "key": key,
        "pitch_classes": np.roll(classes, -estimated.tonic),
        "num_pitch_classes": _bin(float((classes >= _CLASS_COUNTS_FROM).sum()), _NUM_CLASSES_EDGES),
        "chroma_entropy": _bin(float(-np.sum(classes * np.log2(np.maximum(classes, 1e-12)))), _ENTROPY_EDGES),
        "triads": _shares(np.bincount(turned, minlength=NUM_TRIADS).astype(np.float64)),
        "chord_changes": _bin(changes if len(sounding) else None, _CHANGES_EDGES),
        "minor_major": _shares(np.array([len(sounding) - num_minor, num_minor], np.float64)),
    }


def _sound(waveform: Waveform) -> dict[str, np.ndarray]:
    levels_db = log_mel(waveform)
    power = 10 ** (levels_db / 10)
    loudness_db = 10 * np.log10(power.sum(axis=1) + 1e-10)
    is_loud = loudness_db > max(float(loudness_db.max()) - 40, -70)
    if not is_loud.any():
        edges = {"brightness": _BRIGHTNESS_EDGES, "spread": _SPREAD_EDGES, "dynamics": _DYNAMICS_EDGES}
        return {name: _bin(None, each) for name, each in edges.items()}
    amplitude = np.sqrt(power[is_loud])
    bands = np.arange(power.shape[1])
    weights = amplitude / amplitude.sum(axis=1, keepdims=True)
    centre = weights @ bands
    spread = np.sqrt(np.maximum(weights @ np.square(bands) - np.square(centre), 0))
    return {
        "brightness": _bin(float(np.median(centre)), _BRIGHTNESS_EDGES),
        "spread": _bin(float(np.median(spread)), _SPREAD_EDGES),
        "dynamics": _bin(float(loudness_db[is_loud].std()), _DYNAMICS_EDGES),
    }
