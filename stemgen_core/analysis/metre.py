"""Metre and first downbeat of audio, from what changes at its beats.

Conventions: a beat's profile is what sounds in the span from it to the next beat: onset strength low and overall in
quarters of the span, and pitch classes. A bar repeats, so profiles a bar apart are alike; a bar's first beat is where
low drums and new harmony tend to come. Neither is sure, so both estimates carry a confidence.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from stemgen_core.analysis.key import Chroma
from stemgen_core.analysis.onset import OnsetEnvelope

METRES = (4, 3)  # beats per bar that are told apart; 2 counts as 4, 6 as 3
_PARTS = 4  # of a beat that a profile looks at
_MIN_BEATS = 8
_LOOP_TOLERANCE_BEATS = 0.2
# How much a whole number of bars speaks for a metre and for a bar at the start: most short clips are cut so.
_LOOP_WEIGHT = 0.12
_START_WEIGHT = 1.5
_SURE_LIKENESS, _SURE_LEAD = 0.3, 2.0  # leads over the second best that leave little doubt


@dataclass(frozen=True, slots=True)
class MetreEstimate:
    """How beats make bars.

    Attributes:
        beats_per_bar: 4 or 3.
        confidence: 0..1 of that.
        first_downbeat_s: the first beat that begins a bar, seconds.
        downbeat_confidence: 0..1 of that.
    """

    beats_per_bar: int
    confidence: float
    first_downbeat_s: float
    downbeat_confidence: float


def estimate_metre(
    beats_s: np.ndarray, duration_s: float, envelope: OnsetEnvelope, low: OnsetEnvelope, pitches: Chroma
) -> MetreEstimate | None:
    """Find beats per bar and the first downbeat.

    Args:
        beats_s: float64 [N], ascending, seconds.
        duration_s: length of the audio; where it is a whole number of bars it is taken for a loop.
        envelope: onsets of all of it.
        low: onsets of what lies low (kick, bass).
        pitches: its pitch classes.

    Returns:
        None with fewer than 8 beats.
    """
    if len(beats_s) < _MIN_BEATS:
        return None
    profiles = _profiles(beats_s, envelope, low, pitches)
    likeness = {
        metre: _likeness(profiles, metre) + _LOOP_WEIGHT * _is_loop(beats_s, duration_s, metre) for metre in METRES
    }
    best = max(METRES, key=lambda metre: likeness[metre])
    other = max(value for metre, value in likeness.items() if metre != best)
    accents = _accents(beats_s, low, pitches)
    by_phase = np.array([accents[phase::best].mean() for phase in range(best)])
    if _is_loop(beats_s, duration_s, best):
        by_phase[_phase_at_start(beats_s, best)] += _START_WEIGHT
    phase = int(by_phase.argmax())
    lead = by_phase[phase] - np.delete(by_phase, phase).max()
    return MetreEstimate(
        beats_per_bar=best,
        confidence=float(np.clip((likeness[best] - other) / _SURE_LIKENESS, 0, 1)),
        first_downbeat_s=float(beats_s[phase]),
        downbeat_confidence=float(np.clip(lead / _SURE_LEAD, 0, 1)),
    )


def _is_loop(beats_s: np.ndarray, duration_s: float, metre: int) -> bool:
    beats = duration_s / float(np.median(np.diff(beats_s)))
    return abs(beats / metre - round(beats / metre)) * metre <= _LOOP_TOLERANCE_BEATS


def _phase_at_start(beats_s: np.ndarray, metre: int) -> int:
    """Return which beat of the first bar lies nearest to where a bar that begins at 0 s has its first."""
    bar_s = metre * float(np.median(np.diff(beats_s)))
    distance = np.abs((beats_s[:metre] + bar_s / 2) % bar_s - bar_s / 2)
    return int(distance.argmin())


def _profiles(beats_s: np.ndarray, envelope: OnsetEnvelope, low: OnsetEnvelope, pitches: Chroma) -> np.ndarray:
    """Return float [N-1, features], each group of features at the same weight."""
    groups = [_onset_parts(beats_s, one) for one in (envelope, low)] + [_pitch_means(beats_s, pitches)]
    return np.concatenate([group / max(float(np.linalg.norm(group, axis=1).mean()), 1e-9) for group in groups], axis=1)


def _onset_parts(beats_s: np.ndarray, envelope: OnsetEnvelope) -> np.ndarray:
    """Return float [N-1, 4]: how strongly sounds begin around each quarter of a beat."""
    period_s = float(np.median(np.diff(beats_s)))
    edges_s = beats_s[:-1, None] + np.diff(beats_s)[:, None] * (np.arange(_PARTS + 1) / _PARTS)[None] - period_s / 8
    frames = np.clip(np.round((edges_s - envelope.first_frame_s) * envelope.frame_rate_hz), 0, len(envelope.strength))
    total = np.concatenate([[0.0], np.cumsum(np.sqrt(envelope.strength))])
    return np.diff(total[frames.astype(int)], axis=1)


def _pitch_means(beats_s: np.ndarray, pitches: Chroma) -> np.ndarray:
    """Return float [N-1, 12]: mean pitch classes of each beat."""
    edges = np.clip(np.round(beats_s * pitches.frame_rate_hz), 0, len(pitches.energy) - 1).astype(int)
    return np.stack([pitches.energy[a : max(b, a + 1)].mean(0) for a, b in itertools.pairwise(edges)])


def _likeness(profiles: np.ndarray, lag: int) -> float:
    """Return how much more alike beats one bar apart are than beats on average, -1..1."""
    centred = profiles - profiles.mean(axis=0)
    power = float(np.square(centred).sum(axis=1).mean())
    if power < 1e-9:
        return 0.0
    pairs = [(centred[lag:] * centred[:-lag]).sum(axis=1)]
    if len(centred) > 2 * lag:
        pairs.append((centred[2 * lag :] * centred[: -2 * lag]).sum(axis=1))
    return float(np.mean([pair.mean() for pair in pairs])) / power


def _accents(beats_s: np.ndarray, low: OnsetEnvelope, pitches: Chroma) -> np.ndarray:
    """Return float [N-1]: how much each beat sounds like the first of a bar; 0 on average."""
    kicks = _onset_parts(beats_s, low)[:, 0]
    means = _pitch_means(beats_s, pitches)
    length = np.maximum(np.linalg.norm(means, axis=1), 1e-9)
    changes = 1 - (means[1:] * means[:-1]).sum(axis=1) / (length[1:] * length[:-1])
    changes = np.concatenate([[changes.mean()], changes])  # what came before the first beat is not known
    return _standard(kicks) + 1.5 * _standard(changes) * min(1.0, pitches.pitchedness / 0.15)


def _standard(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean()
    return centred / max(float(centred.std()), 1e-6) if centred.std() > 1e-6 else centred
