"""Level of audio: how loud it is while it sounds, and whether it is silent or clipped."""

from dataclasses import dataclass

import numpy as np

from stemgen_core.errors import AudioFormatError
from stemgen_core.types import Waveform

SILENCE_DBFS = -60.0  # a block below this is a pause; a stem that never rises above it is silent
_BLOCK_S = 0.05
_ACTIVE_RANGE_DB = 30.0  # blocks this far below the loudest one are decay, not playing
_CLIPPED_AT = 0.999
_MIN_CLIPPED_RUN = 3  # fewer full-scale samples in a row can be an honest peak


@dataclass(frozen=True, slots=True)
class LevelReport:
    """Levels of one waveform, all channels together.

    Attributes:
        active_rms_dbfs: RMS of the blocks in which it plays, dB re full scale; -120 where there are none.
        peak_dbfs: largest absolute sample, dB re full scale; -120 at least.
        silent_share: 0..1; share of 50 ms blocks below `SILENCE_DBFS`.
        clipped_share: 0..1; share of samples in flat runs at full scale.
        is_silent: no block is above `SILENCE_DBFS`.
    """

    active_rms_dbfs: float
    peak_dbfs: float
    silent_share: float
    clipped_share: float
    is_silent: bool


def measure_level(waveform: Waveform) -> LevelReport:
    """Measure levels.

    Raises:
        AudioFormatError: if there is no sample or a sample is not a finite number.
    """
    samples = waveform.samples.detach().cpu().numpy()  # [C, L]
    if samples.ndim != 2 or samples.size == 0:
        raise AudioFormatError(f"There is no audio to measure (shape {tuple(samples.shape)}).")
    if not np.isfinite(samples).all():
        raise AudioFormatError("The audio has samples that are not numbers (NaN or infinite).")
    power = np.square(samples, dtype=np.float32).mean(axis=0)  # [L]
    length = min(len(power), max(1, round(_BLOCK_S * waveform.sample_rate_hz)))
    starts = np.arange(0, len(power), length)
    block_power = np.add.reduceat(power, starts) / np.diff(np.append(starts, len(power)))
    is_active = block_power > max(10 ** (SILENCE_DBFS / 10), block_power.max() * 10 ** (-_ACTIVE_RANGE_DB / 10))
    return LevelReport(
        active_rms_dbfs=_decibels(float(block_power[is_active].mean())) if is_active.any() else -120.0,
        peak_dbfs=_decibels(float(np.square(samples).max())),
        silent_share=float((block_power <= 10 ** (SILENCE_DBFS / 10)).mean()),
        clipped_share=_clipped_share(samples),
        is_silent=not bool(is_active.any()),
    )


def _decibels(power: float) -> float:
    return max(-120.0, 10 * float(np.log10(max(power, 1e-12))))


def _clipped_share(samples: np.ndarray) -> float:
    """Return the share of samples that lie in runs of at least `_MIN_CLIPPED_RUN` at full scale."""
    is_full = np.pad(np.abs(samples) >= _CLIPPED_AT, ((0, 0), (1, 1)))
    if not is_full.any():
        return 0.0
    steps = np.diff(is_full.astype(np.int8), axis=1)
    lengths = np.nonzero(steps == -1)[1] - np.nonzero(steps == 1)[1]
    return float(lengths[lengths >= _MIN_CLIPPED_RUN].sum() / samples.size)
