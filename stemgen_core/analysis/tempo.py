"""Tempo and beats of audio, from its onset envelope.

Conventions: tempo in beats per minute within 50..210; beats in seconds from the start. Tempo is where the envelope's
autocorrelation and its spectrum agree best, under a preference for about 110 BPM; beats are placed by dynamic
programming, which weighs onset strength against even spacing (Ellis, "Beat tracking by dynamic programming", 2007).
Strength counts by its square root, or a few loud strokes would outvote all others (decision 0101).
"""

from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from stemgen_core.analysis.onset import OnsetEnvelope, parabola_shift
from stemgen_core.analysis.spectrum import fast_window_length

MIN_BPM, MAX_BPM = 50.0, 210.0
_PREFERRED_BPM = 110.0
_PREFERENCE_OCTAVES = 0.7  # width of the log-normal preference
_TIGHTNESS = 1000.0  # how much uneven beats cost
# A beat repeats after one, two, four and eight periods; what repeats only after many is a bar, not a beat.
_REPEATS = ((1.0, 1.0), (2.0, 0.6), (4.0, 0.6), (8.0, 0.4), (0.5, 0.25))  # periods, weight
# Over the whole length strokes stand at one phase of the beat, of its half and of its quarter.
_HARMONICS = ((1, 0.5), (2, 0.7), (4, 0.7))  # of the beat's frequency, weight
_SPECTRUM_RESOLUTION_HZ = 0.0016  # a quarter of what 1200 tempos are apart at the slow end
_BEAT_FRAME_RATE_HZ = 100
_SAME_TEMPO = np.linspace(0.985, 1.015, 7)
_MIN_PULSE = 0.05  # a stem that repeats less has no pulse of its own
_MIN_ONSET_SUM = 0.02  # an envelope with less has nothing to follow


@dataclass(frozen=True, slots=True)
class TempoEstimate:
    """Tempo and beats.

    Attributes:
        bpm: beats per minute; None where there is no pulse to follow.
        confidence: 0..1; how periodic the onsets are at the beat.
        beats_s: float64 [N], ascending, seconds; empty without tempo.
    """

    bpm: float | None
    confidence: float
    beats_s: np.ndarray


def estimate_tempo(envelope: OnsetEnvelope, *, loop_duration_s: float | None = None) -> TempoEstimate:
    """Find tempo and beats.

    Args:
        envelope: onset strength of at least 2 s, or nothing is found.
        loop_duration_s: where given, the audio is a loop of that length, and tempos that give whole bars of four
            beats are preferred.
    """
    bpm, confidence = estimate_bpm(envelope, loop_duration_s=loop_duration_s)
    if bpm is None:
        return TempoEstimate(None, 0.0, np.zeros(0))
    return TempoEstimate(bpm, confidence, track_beats(envelope, bpm))


def estimate_bpm(envelope: OnsetEnvelope, *, loop_duration_s: float | None = None) -> tuple[float | None, float]:
    """Return tempo and confidence alone; arguments as for `estimate_tempo`."""
    strength = envelope.strength
    if len(strength) < 2 * envelope.frame_rate_hz or strength.sum() < _MIN_ONSET_SUM:
        return None, 0.0
    return _best_period(strength, envelope.frame_rate_hz, loop_duration_s)


def _best_period(strength: np.ndarray, frame_rate_hz: float, loop_duration_s: float | None) -> tuple[float, float]:
    """Return the tempo in BPM, and how strong the autocorrelation is there."""
    smooth = scipy.ndimage.gaussian_filter1d(np.sqrt(strength), 0.01 * frame_rate_hz)
    smooth = smooth - smooth.mean()
    correlation = autocorrelation(smooth)
    bpm = np.exp(np.linspace(np.log(MIN_BPM), np.log(MAX_BPM), 1200))
    lag = 60 / bpm * frame_rate_hz

    def at(factor: float) -> np.ndarray:
        return np.interp(lag * factor, np.arange(len(correlation)), correlation, right=0.0)

    evidence = sum(weight * at(periods) for periods, weight in _REPEATS) + _coherence(smooth, frame_rate_hz, bpm / 60)
    score = np.maximum(evidence, 0) * np.exp(-0.5 * np.square(np.log2(bpm / _PREFERRED_BPM) / _PREFERENCE_OCTAVES))
    if loop_duration_s is not None:
        bars = loop_duration_s * bpm / 240
        score *= 1 + np.exp(-0.5 * np.square((bars - np.maximum(1, np.round(bars))) * 240 / bpm / 0.03))
    best = int(score.argmax())
    shift = float(parabola_shift(score, np.array([best]))[0])
    confidence = float(np.clip(max(at(1)[best], at(2)[best]), 0, 1))
    return float(np.interp(best + shift, np.arange(len(bpm)), bpm)), confidence


def _coherence(values: np.ndarray, frame_rate_hz: float, beat_hz: np.ndarray) -> np.ndarray:
    """Return how strongly an envelope swings with beats of each frequency and their harmonics, >= 0.

    Args:
        values: float [T], mean 0.
        frame_rate_hz: frames per second.
        beat_hz: float64 [N].
    """
    size = fast_window_length(max(len(values), frame_rate_hz / _SPECTRUM_RESOLUTION_HZ))
    loudest = float(np.sqrt(np.square(values).sum() * len(values) / 2))  # of a sinusoid with this energy
    spectrum = np.abs(np.fft.rfft(values, size)) / max(loudest, 1e-12)
    frequencies = np.arange(len(spectrum)) * frame_rate_hz / size
    return np.sum(
        [weight * np.interp(beat_hz * number, frequencies, spectrum) for number, weight in _HARMONICS], axis=0
    )


def autocorrelation(values: np.ndarray) -> np.ndarray:
    """Return the autocorrelation for lags 0..len-1, each divided by its overlap, 1 at lag 0.

    Lags over three quarters of the length, of which too little overlaps, are 0.
    """
    size = fast_window_length(2 * len(values))
    spectrum = np.fft.rfft(values, size)
    correlation = np.fft.irfft(np.square(np.abs(spectrum)), size)[: len(values)]
    correlation = correlation / np.arange(len(values), 0, -1)
    correlation[3 * len(values) // 4 :] = 0
    return correlation / max(float(correlation[0]), 1e-12)


def tempo_agreement(context: OnsetEnvelope, stem: OnsetEnvelope) -> float | None:
    """Return how much of a stem's own pulse beats at the context's tempo, 0..1; None where either has no pulse.

    The evidence for the context's tempo in the stem's autocorrelation, relative to that for the stem's best tempo.
    Doubles and halves count, since they beat together.

    Raises:
        ValueError: if the frame rates differ.
    """
    if context.frame_rate_hz != stem.frame_rate_hz:
        raise ValueError(f"frame rates differ: {context.frame_rate_hz} and {stem.frame_rate_hz} Hz")
    bpm, _ = estimate_bpm(context)
    if bpm is None or len(stem.strength) < 2 * stem.frame_rate_hz or stem.strength.sum() < _MIN_ONSET_SUM:
        return None
    smooth = scipy.ndimage.gaussian_filter1d(np.sqrt(stem.strength), 0.012 * stem.frame_rate_hz)
    correlation = autocorrelation(smooth - smooth.mean())
    best = _pulse_evidence(correlation, stem.frame_rate_hz, np.geomspace(MIN_BPM, MAX_BPM, 600)).max()
    if best < _MIN_PULSE:
        return None
    around = _pulse_evidence(correlation, stem.frame_rate_hz, bpm * _SAME_TEMPO).max()
    return float(np.clip(around / best, 0, 1))


def _pulse_evidence(correlation: np.ndarray, frame_rate_hz: float, bpm: np.ndarray) -> np.ndarray:
    """Return how strongly an autocorrelation repeats after a beat of each tempo, and after 2, 4 and half a beat."""
    lag = 60 / bpm * frame_rate_hz
    frames = np.arange(len(correlation))
    weights = ((1, 1.0), (2, 0.6), (4, 0.4), (0.5, 0.5))
    return np.sum(
        [weight * np.interp(lag * beats, frames, correlation, right=0.0) for beats, weight in weights], axis=0
    )


def track_beats(envelope: OnsetEnvelope, bpm: float) -> np.ndarray:
    """Return the beat times (s) that best join strong onsets with even spacing at a given tempo.

    Raises:
        ValueError: if `bpm` is not positive.
    """
    if not bpm > 0:
        raise ValueError(f"bpm must be > 0, got {bpm}")
    strength, frame_rate_hz, period_s = np.sqrt(envelope.strength), envelope.frame_rate_hz, 60 / bpm
    step = max(1, round(frame_rate_hz / _BEAT_FRAME_RATE_HZ))
    rate_hz = frame_rate_hz / step
    smooth = scipy.ndimage.gaussian_filter1d(strength, 0.012 * frame_rate_hz)[::step]
    onset = smooth / max(float(smooth.std()), 1e-9)
    period = period_s * rate_hz
    offsets = np.arange(-round(2 * period), -max(1, round(period / 2)) + 1)  # the beat before, frames ago
    cost = -_TIGHTNESS * np.square(np.log(-offsets / period))
    score, previous = onset.copy(), np.full(len(onset), -1)
    for frame in range(-int(offsets[-1]), len(onset)):
        first = max(0, -(frame + int(offsets[0])))
        candidates = score[frame + offsets[first] : frame + offsets[-1] + 1] + cost[first:]
        best = int(candidates.argmax())
        if candidates[best] > 0:
            score[frame] += candidates[best]
            previous[frame] = frame + offsets[first] + best
    tail = max(0, len(onset) - round(period) - 1)
    frame = tail + int(score[tail:].argmax())
    beats = []
    while frame >= 0:
        beats.append(frame)
        frame = int(previous[frame])
    times = np.array(beats[::-1], float)
    shifts = parabola_shift(onset, np.array(beats[::-1]))
    return np.maximum(0, envelope.first_frame_s + (times + shifts) / rate_hz)
