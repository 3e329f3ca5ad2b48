"""Pitch classes over time, and the key they make.

Conventions: pitch class 0 is C; chroma frames come every 0.1 s; tuning is read from the audio itself, so that a
recording a quarter tone off A440 still has sharp pitch classes.
"""

from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from stemgen_core.analysis.spectrum import analysis_samples, fast_window_length, magnitude_frames
from stemgen_core.types import Waveform

PITCH_CLASS_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

PITCHED_ABOVE = 0.15  # `Chroma.pitchedness`: four of five rendered drum stems lie below, 97 of 100 mixes above

_WINDOW_S = 0.372
_HOP_S = 0.1
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 2_200.0
_FLOOR_DB = -50.0
_SURROUNDINGS_HZ = 60.0  # a partial must stand out of the median of this neighbourhood
_STAND_OUT = 4.0

# Temperley's revision of the Krumhansl-Kessler profiles (as published in "What's key for key?", 1999).
_MAJOR_PROFILE = np.array([5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0])
_MINOR_PROFILE = np.array([5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0])


@dataclass(frozen=True, slots=True)
class Chroma:
    """Pitch classes over time.

    Attributes:
        energy: float32 [T, 12], >= 0; compressed magnitude per pitch class relative to the loudest partial.
        pitchedness: 0..1; share of the spectrum's energy that lies in partials that last. Drums lie below
            `PITCHED_ABOVE`, notes above.
        frame_rate_hz: frames per second; frame 0 is centred on 0 s.
        lowest_hz: the lowest strong partial of a frame, the median over frames, Hz; 0 where there is none.
    """

    energy: np.ndarray
    pitchedness: float
    frame_rate_hz: float
    lowest_hz: float


def chroma(waveform: Waveform) -> Chroma:
    """Return the strength of each pitch class over time.

    Only partials count: local maxima of a long-window spectrum that stand out of their surroundings, each placed by
    its interpolated frequency. Noise, and most of what drums do, leaves no trace.

    Raises:
        AudioFormatError: if there is no sample or a sample is not a finite number.
    """
    samples, rate_hz = analysis_samples(waveform)
    hop_length = round(rate_hz * _HOP_S)
    window_length = fast_window_length(rate_hz * _WINDOW_S)
    magnitudes = magnitude_frames(samples, window_length, hop_length)
    bin_hz = rate_hz / window_length
    highest = min(int(_HIGHEST_HZ / bin_hz), magnitudes.shape[1] - 2)
    magnitudes = magnitudes[:, : highest + 2]
    frame, column, pitch, height = _partials(magnitudes, bin_hz)
    total = float(np.square(magnitudes).sum())
    if len(frame) == 0:
        return Chroma(np.zeros((len(magnitudes), 12), np.float32), 0.0, rate_hz / hop_length, 0.0)
    pitchedness = _lasting_energy(magnitudes.shape, frame, column, height) / total
    tuning = np.angle(np.sum(height * np.exp(2j * np.pi * pitch))) / (2 * np.pi)  # semitones, -0.5..0.5
    tuned = pitch - tuning
    weight = np.sqrt(height) * np.exp(-0.5 * np.square((tuned - np.round(tuned)) / 0.25))
    classes = np.round(tuned).astype(int) % 12
    energy = np.bincount(frame * 12 + classes, weight, len(magnitudes) * 12).reshape(-1, 12)
    lowest_hz = _lowest_strong_hz(frame, pitch, height)
    return Chroma(energy.astype(np.float32), min(1.0, pitchedness), rate_hz / hop_length, lowest_hz)


def _partials(magnitudes: np.ndarray, bin_hz: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return frame, bin, MIDI pitch (fractional) and magnitude of each partial."""
    lowest = max(2, int(_LOWEST_HZ / bin_hz))
    # The median is taken on every fourth bin: it is the noise around a partial, which varies slowly.
    around = scipy.ndimage.median_filter(magnitudes[:, ::4], size=(1, max(3, round(2 * _SURROUNDINGS_HZ / bin_hz / 4))))
    around = np.repeat(around, 4, axis=1)[:, : magnitudes.shape[1]]
    floor = max(float(magnitudes.max()) * 10 ** (_FLOOR_DB / 20), 1e-6)
    middle = magnitudes[:, 1:-1]
    is_partial = (middle > magnitudes[:, :-2]) & (middle >= magnitudes[:, 2:]) & (middle > floor)
    is_partial &= middle > _STAND_OUT * around[:, 1:-1]
    is_partial[:, : lowest - 1] = False
    frame, column = np.nonzero(is_partial)
    column = column + 1
    left, peak, right = (np.log(magnitudes[frame, column + step] + 1e-9) for step in (-1, 0, 1))
    curvature = left - 2 * peak + right
    shift = np.clip(0.5 * (left - right) / np.minimum(curvature, -1e-9), -0.5, 0.5)
    pitch = 69 + 12 * np.log2((column + shift) * bin_hz / 440)
    return frame, column, pitch, magnitudes[frame, column]


def chroma_at(pitch_classes: Chroma, start_s: float, end_s: float) -> np.ndarray:
    """Return the strength of each pitch class within a span of time, float32 [12]."""
    first, last = (round(time_s * pitch_classes.frame_rate_hz) for time_s in (start_s, end_s))
    return pitch_classes.energy[max(0, first) : max(0, last)].sum(axis=0)


def _lowest_strong_hz(frame: np.ndarray, pitch: np.ndarray, height: np.ndarray) -> float:
    """Return the median over frames of the lowest partial that is within 20 dB of its frame's strongest."""
    strongest = np.zeros(int(frame[-1]) + 1)
    np.maximum.at(strongest, frame, height)
    is_strong = (height > 0.1 * strongest[frame]) & (strongest[frame] > 0.1 * strongest.max())
    lowest = np.full(len(strongest), np.inf)
    np.minimum.at(lowest, frame[is_strong], pitch[is_strong])
    return float(440 * 2 ** ((np.median(lowest[np.isfinite(lowest)]) - 69) / 12))


def _lasting_energy(shape: tuple[int, ...], frame: np.ndarray, column: np.ndarray, height: np.ndarray) -> float:
    """Return the energy of partials that are also there, at the same frequency, three frames before or after."""
    is_there = np.zeros((shape[0] + 6, shape[1] + 2), bool)
    for step in range(3):  # the bin itself and its neighbours
        is_there[frame + 3, column + step] = True
    lasts = is_there[frame, column + 1] | is_there[frame + 6, column + 1]
    return float(2.5 * np.square(height[lasts]).sum())  # a Hann window spreads a partial's energy over 3 bins


@dataclass(frozen=True, slots=True)
class KeyEstimate:
    """The key of some audio.

    Attributes:
        tonic: pitch class 0..11, 0 = C.
        is_minor: minor, else major.
        confidence: 0..1; how much better this key fits than the best one that is not its relative or parallel.
    """

    tonic: int
    is_minor: bool
    confidence: float

    @property
    def label(self) -> str:
        """What people read, such as "A minor"."""
        return f"{PITCH_CLASS_NAMES[self.tonic]} {'minor' if self.is_minor else 'major'}"


def estimate_key(pitch_classes: Chroma) -> KeyEstimate | None:
    """Return the key whose profile the pitch classes match best, or None where there is no pitch."""
    total = pitch_classes.energy.sum(axis=0)
    if pitch_classes.pitchedness < PITCHED_ABOVE or total.sum() <= 0:
        return None
    scores = np.array(
        [
            [np.corrcoef(np.roll(profile, tonic), total)[0, 1] for tonic in range(12)]
            for profile in (_MAJOR_PROFILE, _MINOR_PROFILE)
        ]
    )  # [2, 12]
    if not np.isfinite(scores).all():  # every pitch class equally strong
        return None
    mode, tonic = (int(index) for index in np.unravel_index(scores.argmax(), scores.shape))
    rivals = scores.copy()
    rivals[mode, tonic] = rivals[1 - mode, tonic] = -1
    rivals[1 - mode, (tonic + (3 if mode else -3)) % 12] = -1  # the relative key has the same notes
    confidence = max(0.0, float(scores[mode, tonic])) * min(1.0, float(scores[mode, tonic] - rivals.max()) / 0.2)
    return KeyEstimate(tonic, bool(mode), confidence)
