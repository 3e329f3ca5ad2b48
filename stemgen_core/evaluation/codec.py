"""How much of a sound a codec keeps.

Conventions: `reference` and `estimate` are float [L] arrays of one length and rate, mono, full scale +-1. Distances are
0 for equal sounds and larger for less alike ones; SI-SDR is larger for more alike ones.
"""

import math

import numpy as np
import numpy.typing as npt
import scipy.signal

Samples = npt.NDArray[np.floating]

WINDOWS = (2048, 1024, 512)
FLOOR_DB = -65.0  # of a full-scale sine; what is softer counts as silence
_MEL_WINDOW, _NUM_MEL = 2048, 128


def validate(reference: Samples, estimate: Samples) -> None:
    """Refuse what can't be compared.

    Raises:
        ValueError: if the arrays are not of one length, empty or not finite.
    """
    if reference.ndim != 1 or reference.shape != estimate.shape or reference.size < WINDOWS[0]:
        raise ValueError(f"need two [L] arrays, L >= {WINDOWS[0]}, got {reference.shape} and {estimate.shape}")
    if not (np.isfinite(reference).all() and np.isfinite(estimate).all()):
        raise ValueError("reference and estimate must be finite")


def log_spectral_distance_db(reference: Samples, estimate: Samples) -> float:
    """Return the root mean square difference of levels in a frame, dB, averaged over frames and window sizes."""
    validate(reference, estimate)
    distances = []
    for length in WINDOWS:
        difference = _levels_db(reference, length) - _levels_db(estimate, length)  # [F, T]
        distances.append(float(np.sqrt(np.square(difference).mean(0)).mean()))
    return float(np.mean(distances))


def mel_distance_db(reference: Samples, estimate: Samples, sample_rate_hz: int) -> float:
    """Return the mean absolute difference of levels of 128 mel bands, dB."""
    validate(reference, estimate)
    filters = _mel_filters(sample_rate_hz)  # [M, F]
    bands = [_to_db(filters @ np.square(_magnitude(samples, _MEL_WINDOW))) for samples in (reference, estimate)]
    return float(np.abs(bands[0] - bands[1]).mean())


def si_sdr_db(reference: Samples, estimate: Samples) -> float:
    """Return the scale-invariant ratio of signal to distortion, dB (Le Roux et al. 2019); it wants equal phases."""
    validate(reference, estimate)
    energy = float(np.dot(reference, reference))
    if energy == 0:
        return 0.0
    target = np.dot(estimate, reference) / energy * reference
    noise = estimate - target
    return float(10 * np.log10((np.dot(target, target) + 1e-12) / (np.dot(noise, noise) + 1e-12)))


def codebook_use(codes: npt.NDArray[np.integer], codebook_size: int) -> tuple[list[float], list[float]]:
    """Return per level which share of the entries is used, and the perplexity of their use.

    Args:
        codes: [K, N].
        codebook_size: V.
    """
    shares, perplexities = [], []
    for level in codes:
        use = np.bincount(level, minlength=codebook_size) / level.size
        used = use[use > 0]
        shares.append(float(used.size / codebook_size))
        perplexities.append(float(np.exp(-(used * np.log(used)).sum())))
    return shares, perplexities


def evaluate(reference: Samples, estimate: Samples, sample_rate_hz: int) -> dict[str, float]:
    """Return all measures of one pair."""
    return {
        "log_spectral_distance_db": log_spectral_distance_db(reference, estimate),
        "mel_distance_db": mel_distance_db(reference, estimate, sample_rate_hz),
        "si_sdr_db": si_sdr_db(reference, estimate),
    }


def _magnitude(samples: Samples, length: int) -> npt.NDArray[np.float64]:
    """Return [F, T], 1 for a full-scale sine."""
    _, _, spectrum = scipy.signal.stft(samples, window="hann", nperseg=length, noverlap=length - length // 4)
    return 2 * np.abs(spectrum)


def _levels_db(samples: Samples, length: int) -> npt.NDArray[np.float64]:
    return _to_db(np.square(_magnitude(samples, length)))


def _to_db(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 10 * np.log10(power + 10 ** (FLOOR_DB / 10))


def _mel_filters(sample_rate_hz: int) -> npt.NDArray[np.float64]:
    bins_hz = np.linspace(0, sample_rate_hz / 2, _MEL_WINDOW // 2 + 1)
    lowest, highest = (2595 * math.log10(1 + hz / 700) for hz in (30.0, sample_rate_hz / 2))
    edges_hz = 700 * (10 ** (np.linspace(lowest, highest, _NUM_MEL + 2) / 2595) - 1)
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    filters = np.minimum((bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)).clip(0)
    # Bands narrower than a bin read the bin next to their centre.
    nearest = np.eye(bins_hz.size)[np.abs(bins_hz - centre).argmin(1)]
    return np.where(filters.sum(1, keepdims=True) > 0, filters, nearest)
