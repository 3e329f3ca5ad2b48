"""How loud a stem is and should be.

Level here is *active* RMS: of the parts where something sounds, so that rests don't make a stem look quiet.
"""

import numpy as np
import numpy.typing as npt
from scipy import signal

FloatArray = npt.NDArray[np.float32]

SILENCE_DB = -120.0
PEAK_CEILING = 10 ** (-1.0 / 20)  # -1 dBFS
_FRAME_S = 0.05
_ACTIVE_RANGE_DB = 30.0
_SILENCE_FLOOR_DB = -70.0
_OVERSAMPLING = 4
_REFERENCE_CONTEXT_DB = -20.5  # half-way between a lone stem and a full mix of the levels below (decision 0106)
_LOWEST_STEM_DB, _HIGHEST_STEM_DB = -42.0, -12.0
_MOST_YIELD = 10 ** (-3.0 / 20)

# Active RMS in dBFS of each category in a balanced mix of five stems whose sum stays below full scale.
CATEGORY_LEVEL_DB: dict[str, float] = {
    "piano": -25.0,
    "mallets": -27.0,
    "organ": -28.0,
    "guitar": -25.0,
    "bass": -22.0,
    "strings": -27.0,
    "ensemble": -29.0,
    "brass": -26.0,
    "reed": -25.0,
    "pipe": -27.0,
    "synth_lead": -26.0,
    "synth_pad": -29.0,
    "synth_effects": -30.0,
    "ethnic": -26.0,
    "percussive": -26.0,
    "sound_effects": -30.0,
    "drums": -21.0,
    "vocals": -23.0,
}


def active_rms_db(samples: FloatArray, sample_rate_hz: int) -> float:
    """Return the RMS level of the frames within 30 dB of the loudest one.

    Args:
        samples: float32 [L] or [C, L], full scale is +-1.0; channels are averaged in power.
        sample_rate_hz: audio samples per second.

    Returns:
        dBFS, or `SILENCE_DB` if nothing sounds.
    """
    power = np.square(np.atleast_2d(samples), dtype=np.float64).mean(axis=0)
    frame = max(1, round(_FRAME_S * sample_rate_hz))
    if power.size < frame:
        frames = power.mean(keepdims=True) if power.size else np.zeros(1)
    else:
        frames = power[: power.size // frame * frame].reshape(-1, frame).mean(axis=1)
    levels_db = 10 * np.log10(np.maximum(frames, 1e-12))
    loudest_db = levels_db.max()
    if loudest_db < _SILENCE_FLOOR_DB:
        return SILENCE_DB
    active = frames[levels_db > max(loudest_db - _ACTIVE_RANGE_DB, _SILENCE_FLOOR_DB)]
    return float(10 * np.log10(active.mean()))


def scale_to_level(samples: FloatArray, sample_rate_hz: int, level_db: float) -> FloatArray:
    """Return the samples at an active RMS level, lowered where a peak would pass -1 dBFS.

    Args:
        samples: float32 [L] or [C, L].
        sample_rate_hz: audio samples per second.
        level_db: dBFS.

    Returns:
        float32, the same shape; silence stays silence.
    """
    current_db = active_rms_db(samples, sample_rate_hz)
    if current_db == SILENCE_DB:
        return samples
    gain = 10 ** ((level_db - current_db) / 20)
    peak = float(np.abs(samples).max()) * gain
    return (samples * (gain * min(1.0, PEAK_CEILING / peak))).astype(np.float32)


def true_peak(samples: FloatArray) -> float:
    """Return the highest magnitude that the waveform reaches between samples too, by fourfold oversampling.

    Args:
        samples: float32 [L] or [C, L].
    """
    if samples.size == 0:
        return 0.0
    sample_peak = float(np.abs(samples).max())
    if sample_peak == 0.0 or np.atleast_2d(samples).shape[1] < 2:
        return sample_peak
    oversampled = signal.resample_poly(np.atleast_2d(samples), _OVERSAMPLING, 1, axis=1)
    return max(sample_peak, float(np.abs(oversampled).max()))


def fit_stem_level(stem: FloatArray, context: FloatArray, sample_rate_hz: int, instrument: str) -> FloatArray:
    """Return the stem at the level its category has beside such a context.

    A bass stands out of a mix further than a pad does: the distances are those of `CATEGORY_LEVEL_DB`, measured from
    the level of a usual context. Where stem and context together would pass full scale the stem gives way by up to
    3 dB; a context that is itself at full scale needs `headroom_gain` on the mix.

    Args:
        stem: float32 [C, L].
        context: float32 [C', L'], what the stem joins; C' is C or 1, or C is 1.
        sample_rate_hz: of both.
        instrument: a key of `CATEGORY_LEVEL_DB`.

    Returns:
        float32 [C, L], true peak at most -1 dBFS; silence stays silence.

    Raises:
        ValueError: if `instrument` has no level.
    """
    if instrument not in CATEGORY_LEVEL_DB:
        raise ValueError(f"instrument must be one of {sorted(CATEGORY_LEVEL_DB)}, got {instrument!r}")
    context_db = active_rms_db(context, sample_rate_hz)
    distance_db = CATEGORY_LEVEL_DB[instrument] - _REFERENCE_CONTEXT_DB
    target_db = CATEGORY_LEVEL_DB[instrument] if context_db == SILENCE_DB else context_db + distance_db
    fitted = scale_to_level(stem, sample_rate_hz, min(max(target_db, _LOWEST_STEM_DB), _HIGHEST_STEM_DB))
    peak = true_peak(fitted)
    if peak > PEAK_CEILING:
        fitted = (fitted * (PEAK_CEILING / peak)).astype(np.float32)
    return (fitted * max(_MOST_YIELD, _gain_beside(fitted, context))).astype(np.float32)


def _gain_beside(stem: FloatArray, context: FloatArray) -> float:
    """Return the gain, 0..1, with which the stem keeps the sum below -1 dBFS; 0 if the context is above."""
    length = min(stem.shape[1], context.shape[1])
    added, below = np.broadcast_arrays(stem[:, :length], context[:, :length])
    size = np.abs(added)
    sounding = size > 1e-6
    room = PEAK_CEILING - below[sounding] * np.sign(added[sounding])
    return float(np.clip((room / size[sounding]).min(initial=1.0), 0.0, 1.0))


def headroom_gain(parts: list[FloatArray]) -> float:
    """Return the gain, at most 1, that keeps the sum of the parts at or below -1 dBFS.

    Args:
        parts: float32 [C, L] each; shorter ones end early, mono ones sound on both sides.
    """
    num_channels = max(part.shape[0] for part in parts)
    total = np.zeros((num_channels, max(part.shape[1] for part in parts)), np.float32)
    for part in parts:
        total[:, : part.shape[1]] += part
    peak = float(np.abs(total).max(initial=0.0))
    return min(1.0, PEAK_CEILING / peak) if peak > 0 else 1.0
