"""How well one stem fits the context it was made for: in time, in harmony and in level.

How the two agreements and their scales were chosen, and how far they tell true pairs from random ones, is in
docs/decisions/0008-fit-and-listening-measures.md.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
import scipy.ndimage

from stemgen_core.analysis.key import PITCHED_ABOVE, Chroma, chroma
from stemgen_core.analysis.level import measure_level
from stemgen_core.analysis.onset import OnsetEnvelope, onset_envelope, parabola_shift, pick_onsets
from stemgen_core.analysis.spectrum import fast_window_length
from stemgen_core.analysis.tempo import estimate_bpm, tempo_agreement
from stemgen_core.types import Waveform

Verdict = Literal["good", "fair", "poor"]

MAX_OFFSET_S = 0.12
_MIN_ONSETS = 3
_SMOOTHING_S = 0.012
_EDGE_S = 0.08  # the first moment of a clip is a rise from nothing in every sound
_OTHER_LAGS_S = 0.4
_SAME_TIME_S = 0.015
_OFFSET_PREFERENCE_S = 0.08  # of two equal peaks the one nearer to 0 is believed
_MIN_CONTRAST = 0.1  # a best lag that stands out less than this is chance
# What true pairs reach on average (decision 0008): the scale's 1.
_TRUE_ONSET_CONTRAST = 0.3
_TRUE_CHROMA_CONTRAST = 0.6
# How much of a pulse is expected again after so many beats: a stem may play where the context rests.
_PULSE = ((1.0, 0.6), (2.0, 0.5), (4.0, 0.5), (0.5, 0.3))
_CHROMA_SMOOTHING_FRAMES = 2.0


@dataclass(frozen=True, slots=True)
class FitReport:
    """What was measured on a stem and its context; `None` where there was nothing to measure.

    Attributes:
        offset_ms: how much later (+) or earlier (-) the stem's onsets come than the context's, -120..120 ms; None
            where either has too few onsets, or no lag stands out. Sounds with a slow attack measure some 20 ms late.
        onset_agreement: 0..1; random pairs lie near 0, stems that play on the context's beats near 1; None where
            either has too few onsets.
        harmony_agreement: 0..1; how much better the stem's pitches agree with the context as they are than
            transposed: random pairs lie near 0, stems in the context's harmony near 1; None where either has no
            pitch (drums).
        level_db: level of the stem while it sounds relative to the context while it sounds, dB; 0 where either is
            silent.
        is_silent: the stem has no audible sound.
        verdict: the summary shown to people.
        tempo_agreement: 0..1; how much of the stem's own pulse beats at the context's tempo: stems of another tempo
            lie near 0, true ones above 0.5; None where either has no pulse.
    """

    offset_ms: float | None
    onset_agreement: float | None
    harmony_agreement: float | None
    level_db: float
    is_silent: bool
    verdict: Verdict
    tempo_agreement: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "FitReport":
        """Read what `to_json` returned.

        Raises:
            ValueError: if a field is missing or unknown, or the verdict is not one of ours.
        """
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            raise ValueError(f"a fit report has the fields {sorted(names)}, got {sorted(values)}")
        if values["verdict"] not in get_args(Verdict):
            raise ValueError(f"verdict must be one of {get_args(Verdict)}, got {values['verdict']!r}")
        return cls(**values)


def measure_fit(context: Waveform, stem: Waveform) -> FitReport:
    """Measure how a stem fits its context. Lengths may differ; the time both cover is measured.

    Raises:
        AudioFormatError: if either has no sample or a sample that is not a finite number.
        ValueError: if the sample rates differ.
    """
    if context.sample_rate_hz != stem.sample_rate_hz:
        raise ValueError(f"context is at {context.sample_rate_hz} Hz, stem at {stem.sample_rate_hz} Hz")
    context_level, stem_level = measure_level(context), measure_level(stem)
    if context_level.is_silent or stem_level.is_silent:
        return FitReport(None, None, None, 0.0, stem_level.is_silent, "poor" if stem_level.is_silent else "fair")
    context_onsets, stem_onsets = onset_envelope(context), onset_envelope(stem)
    offset_ms, onset_agreement = compare_onsets(context_onsets, stem_onsets)
    harmony_agreement = compare_harmony(chroma(context), chroma(stem))
    level_db = stem_level.active_rms_dbfs - context_level.active_rms_dbfs
    return FitReport(
        offset_ms=offset_ms,
        onset_agreement=onset_agreement,
        harmony_agreement=harmony_agreement,
        level_db=level_db,
        is_silent=False,
        verdict=_judge(offset_ms, onset_agreement, harmony_agreement, level_db),
        tempo_agreement=tempo_agreement(context_onsets, stem_onsets),
    )


def compare_onsets(context: OnsetEnvelope, stem: OnsetEnvelope) -> tuple[float | None, float | None]:
    """Return how late the stem plays (ms) and how well its onsets meet the context's pulse (0..1).

    The context's onsets are first repeated at the distance of its beats, so that a stem that fills its rests in time
    agrees too. Agreement is the correlation at lag 0 less its mean over the other lags.

    Raises:
        ValueError: if the frame rates differ.
    """
    if context.frame_rate_hz != stem.frame_rate_hz:
        raise ValueError(f"frame rates differ: {context.frame_rate_hz} and {stem.frame_rate_hz} Hz")
    if min(len(pick_onsets(context)), len(pick_onsets(stem))) < _MIN_ONSETS:
        return None, None
    rate_hz = context.frame_rate_hz
    expected = _expected_pulse(_ready(context), rate_hz, estimate_bpm(context)[0])
    correlation = _correlate(expected, _ready(stem), round(_OTHER_LAGS_S * rate_hz))
    zero = len(correlation) // 2
    near = round(_SAME_TIME_S * rate_hz)
    chance = float(correlation.mean())
    agreement = (float(correlation[zero - near : zero + near + 1].max()) - chance) / _TRUE_ONSET_CONTRAST
    widest = round(MAX_OFFSET_S * rate_hz)
    lags = np.arange(-widest, widest + 1)
    around_zero = correlation[zero - widest : zero + widest + 1]
    preferred = (around_zero - chance) * np.exp(-0.5 * np.square(lags / (_OFFSET_PREFERENCE_S * rate_hz)))
    best = int(preferred[1:-1].argmax()) + 1
    offset_ms = None
    if around_zero[best] - chance >= _MIN_CONTRAST:
        best = _climb(around_zero, best)
        shift = float(parabola_shift(around_zero, np.array([best]))[0])
        offset_ms = float(1000 * (lags[best] + shift) / rate_hz)
    return offset_ms, float(np.clip(agreement, 0, 1))


def compare_harmony(context: Chroma, stem: Chroma) -> float | None:
    """Return how well a stem's pitch classes agree with its context's, 0..1; None where either has no pitch."""
    contrast = chroma_contrast(context, stem)
    return None if contrast is None else float(np.clip(contrast / _TRUE_CHROMA_CONTRAST, 0, 1))


def chroma_contrast(context: Chroma, stem: Chroma) -> float | None:
    """Return the correlation of pitch classes at transposition 0 less its mean over the other 11.

    Correlations are taken moment by moment and weighted by how much sounds in both, so that following the chords
    counts and not just sharing a scale.

    Returns:
        -12/11..12/11, random pairs near 0; None where either is unpitched or they never sound together.
    """
    if min(context.pitchedness, stem.pitchedness) < PITCHED_ABOVE:
        return None
    num_frames = min(len(context.energy), len(stem.energy))
    first, second = (
        scipy.ndimage.gaussian_filter1d(one.energy[:num_frames], _CHROMA_SMOOTHING_FRAMES, axis=0, mode="constant")
        for one in (context, stem)
    )
    weight = np.sqrt(np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1))
    if weight.sum() <= 0:
        return None
    first, second = (_standardise(one) for one in (first, second))
    by_transposition = [
        float(np.sum(weight * (np.roll(first, step, axis=1) * second).sum(axis=1)) / weight.sum()) for step in range(12)
    ]
    return by_transposition[0] - float(np.mean(by_transposition[1:]))


def _standardise(classes: np.ndarray) -> np.ndarray:
    """Return each row less its mean and at length 1, so that products of rows are Pearson correlations."""
    centred = classes - classes.mean(axis=1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)


def _ready(envelope: OnsetEnvelope) -> np.ndarray:
    """Return the envelope with weak onsets raised, without the clip's edge, slightly blurred."""
    strength = np.sqrt(envelope.strength)
    strength[: round(_EDGE_S * envelope.frame_rate_hz)] = 0
    return scipy.ndimage.gaussian_filter1d(strength, _SMOOTHING_S * envelope.frame_rate_hz)


def _expected_pulse(strength: np.ndarray, rate_hz: float, bpm: float | None) -> np.ndarray:
    """Return the envelope averaged with its own repetitions at multiples of the beat."""
    if bpm is None:
        return strength
    frames = np.arange(len(strength))
    total, weights = strength.copy(), np.ones(len(strength))
    for beats, weight in _PULSE:
        for distance in (beats, -beats):
            at = frames + distance * 60 / bpm * rate_hz
            is_inside = (at >= 0) & (at <= len(strength) - 1)
            total += np.where(is_inside, weight * np.interp(at, frames, strength), 0)
            weights += weight * is_inside
    return total / weights


def _correlate(first: np.ndarray, second: np.ndarray, max_lag: int) -> np.ndarray:
    """Return the normalised cross-correlation for lags -max_lag..max_lag; positive = `second` comes later."""
    length = min(len(first), len(second))
    first, second = (one[:length] - one[:length].mean() for one in (first, second))
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    size = fast_window_length(length + max_lag + 1)
    product = np.conj(np.fft.rfft(first, size)) * np.fft.rfft(second, size)
    correlation = np.fft.irfft(product, size)
    return np.concatenate([correlation[-max_lag:], correlation[: max_lag + 1]]) / max(scale, 1e-9)


def _climb(values: np.ndarray, index: int) -> int:
    """Return the local maximum that lies uphill of `index`; the preference for 0 had pulled it off the top."""
    while 0 < index < len(values) - 1 and max(values[index - 1], values[index + 1]) > values[index]:
        index += 1 if values[index + 1] > values[index - 1] else -1
    return index


def _judge(
    offset_ms: float | None, onset_agreement: float | None, harmony_agreement: float | None, level_db: float
) -> Verdict:
    """Return the worst of what was measured; nothing measured is no praise."""
    agreements = [value for value in (onset_agreement, harmony_agreement) if value is not None]
    lateness = abs(offset_ms) if offset_ms is not None else 0.0
    if lateness > 60 or min(agreements, default=1.0) < 0.2 or level_db < -30:
        return "poor"
    if not agreements or lateness > 30 or min(agreements) < 0.5 or not -20 < level_db < 20:
        return "fair"
    return "good"
