"""Does a stem play in time with its context?

Conventions: beats and onsets are float64 [N], seconds, ascending. Two beats meet within 70 ms. Beats are tracked in
context and stem alike, from the first second on: mir_eval's habit of dropping the first 5 s would halve a short clip.
Every score is better when higher, except `late_ms`.
"""

import numpy as np

from stemgen_core.analysis.fit import compare_onsets
from stemgen_core.analysis.onset import OnsetEnvelope, pick_onsets
from stemgen_core.analysis.tempo import estimate_bpm, tempo_agreement, track_beats
from stemgen_core.evaluation.reference import load_mir_eval

BEAT_WINDOW_S = 0.07
GRID_WINDOW_S = 0.025
TEMPO_TOLERANCE = 0.04
_MIN_ONSETS = 4
_TEMPO_RATIOS = (1.0, 2.0, 0.5, 3.0, 1 / 3, 1.5, 2 / 3)


def validate(times_s: np.ndarray) -> None:
    """Check beats or onsets.

    Raises:
        ValueError: if they are not one row of finite, ascending times >= 0.
    """
    if times_s.ndim != 1:
        raise ValueError(f"times must have one dimension, got shape {times_s.shape}")
    if not np.isfinite(times_s).all():
        raise ValueError("times must be finite")
    if len(times_s) and (times_s[0] < 0 or (np.diff(times_s) < 0).any()):
        raise ValueError("times must be >= 0 and ascending")


def beat_f1(reference_s: np.ndarray, estimated_s: np.ndarray) -> float:
    """Return mir_eval's F-measure of two beat sequences, 0..1; 0 where either is empty.

    Raises:
        ValueError: if either is malformed.
        MissingDependencyError: if mir_eval is not installed.
    """
    validate(reference_s)
    validate(estimated_s)
    if min(len(reference_s), len(estimated_s)) == 0:
        return 0.0
    return float(load_mir_eval().beat.f_measure(reference_s, estimated_s, f_measure_threshold=BEAT_WINDOW_S))


def same_tempo(reference_bpm: float, estimated_bpm: float) -> float:
    """Return 1 where two tempos are the same or one counts every second or third beat of the other, else 0.

    Raises:
        ValueError: if either is not positive.
    """
    if not min(reference_bpm, estimated_bpm) > 0:
        raise ValueError(f"tempos must be > 0, got {reference_bpm} and {estimated_bpm}")
    ratio = estimated_bpm / reference_bpm
    return float(any(abs(ratio / wanted - 1) <= TEMPO_TOLERANCE for wanted in _TEMPO_RATIOS))


def grid_agreement(onsets_s: np.ndarray, beats_s: np.ndarray) -> float | None:
    """Return how many onsets lie on the sixteenths, or else the triplets, of known beats, beyond chance.

    Args:
        onsets_s: of the stem.
        beats_s: every beat of the piece that the audio covers.

    Returns:
        <= 1; 0 = as many as would by chance, 1 = all of them within 25 ms; None with fewer than 4 onsets between
        the first and last beat.

    Raises:
        ValueError: if either is malformed.
    """
    validate(onsets_s)
    validate(beats_s)
    if len(beats_s) < 2:
        return None
    inside_s = onsets_s[(onsets_s >= beats_s[0]) & (onsets_s <= beats_s[-1])]
    if len(inside_s) < _MIN_ONSETS:
        return None
    beat_position = np.interp(inside_s, beats_s, np.arange(len(beats_s)))
    beat_s = float(np.median(np.diff(beats_s)))
    scores = []
    for division in (4, 3):
        distance_s = np.abs(beat_position * division - np.round(beat_position * division)) / division * beat_s
        chance = min(0.99, 2 * GRID_WINDOW_S * division / beat_s)
        scores.append((float((distance_s <= GRID_WINDOW_S).mean()) - chance) / (1 - chance))
    return max(scores)


def evaluate(
    context: OnsetEnvelope, stem: OnsetEnvelope, known_beats_s: np.ndarray | None = None
) -> dict[str, float | None]:
    """Return every score of this module.

    Args:
        context: what was listened to.
        stem: what was played to it.
        known_beats_s: the piece's own beats where they are known; they replace those tracked in the context.

    Returns:
        `beat_f1` (0..1), `same_tempo` (0 or 1), `tempo_agreement` (0..1), `onset_agreement` (0..1), `late_ms`
        (0..120, absolute), `grid_agreement` (<= 1); None where there was too little to measure.
    """
    context_bpm, stem_bpm = estimate_bpm(context)[0], estimate_bpm(stem)[0]
    tempo_bpm = context_bpm
    if known_beats_s is not None and len(known_beats_s) > 1:
        tempo_bpm = 60 / float(np.median(np.diff(known_beats_s)))
    onsets_s = pick_onsets(stem)
    offset_ms, agreement = compare_onsets(context, stem)
    f1 = is_same = None
    if len(onsets_s) >= _MIN_ONSETS and stem_bpm is not None:
        is_same = None if tempo_bpm is None else same_tempo(tempo_bpm, stem_bpm)
        reference_s = known_beats_s
        if reference_s is None and context_bpm is not None:
            reference_s = track_beats(context, context_bpm)
        f1 = None if reference_s is None else beat_f1(reference_s, track_beats(stem, stem_bpm))
    return {
        "beat_f1": f1,
        "same_tempo": is_same,
        "tempo_agreement": tempo_agreement(context, stem),
        "onset_agreement": agreement,
        "late_ms": None if offset_ms is None else abs(offset_ms),
        "grid_agreement": None if known_beats_s is None else grid_agreement(onsets_s, known_beats_s),
    }
