"""How loud a stem is and should be.

Level here is *active* RMS: of the parts where something sounds, so that rests don't make a stem look quiet.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

SILENCE_DB = -120.0
PEAK_CEILING = 10 ** (-1.0 / 20)  # -1 dBFS
_FRAME_S = 0.05
_ACTIVE_RANGE_DB = 30.0
_SILENCE_FLOOR_DB = -70.0

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
