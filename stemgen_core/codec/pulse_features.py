"""Where the beat is: the pulse of the mix, tracked by `stemgen_core.analysis` and told to the model frame by frame.

A transformer can find the pulse by itself, but needs many examples for it; a beat tracker knows it at once. What the
tracker gets wrong in training (half, double, lost) the model learns not to trust blindly (decision 0014).
"""

import numpy as np
import torch

from stemgen_core.analysis.onset import onset_envelope
from stemgen_core.analysis.tempo import estimate_tempo
from stemgen_core.types import Waveform

SUBDIVISIONS = (1, 2, 3, 4)  # of a beat
# Per subdivision: sine and cosine of the phase, whether a line falls into the frame, and where in it; then the
# confidence and the tempo.
NUM_PULSE_FEATURES = 4 * len(SUBDIVISIONS) + 2
REFERENCE_BPM = 110.0


def extract_pulse(samples: torch.Tensor, sample_rate_hz: int, num_frames: int, frame_rate_hz: float) -> torch.Tensor:
    """Extract the pulse.

    Args:
        samples: float32 [L].
        sample_rate_hz: audio samples per second.
        num_frames: T.
        frame_rate_hz: frames per second.

    Returns:
        float32 [18, T]; all 0 where there is no pulse to follow.
    """
    features = np.zeros((NUM_PULSE_FEATURES, num_frames), np.float32)
    tempo = estimate_tempo(onset_envelope(Waveform(samples[None], sample_rate_hz)))
    if tempo.bpm is None or len(tempo.beats_s) < 2:
        return torch.from_numpy(features)
    lines_s = np.arange(num_frames + 1) / frame_rate_hz  # where frames begin, and the end of the last
    beats = beat_position(lines_s, tempo.beats_s, 60 / tempo.bpm)
    for row, subdivision in zip(range(0, 4 * len(SUBDIVISIONS), 4), SUBDIVISIONS, strict=True):
        position = beats * subdivision  # [T + 1]
        angle = 2 * np.pi * (position[:-1] + position[1:]) / 2
        next_line = np.ceil(position[:-1])
        is_inside = next_line < position[1:]
        offset = (next_line - position[:-1]) / np.maximum(position[1:] - position[:-1], 1e-6)
        features[row : row + 4] = np.sin(angle), np.cos(angle), is_inside, np.where(is_inside, offset, 0)
    features[-2] = tempo.confidence
    features[-1] = np.log2(tempo.bpm / REFERENCE_BPM)
    return torch.from_numpy(features)


def beat_position(times_s: np.ndarray, beats_s: np.ndarray, period_s: float) -> np.ndarray:
    """Count beats, with fractions: 0 at the first beat, going on at the tempo before the first and after the last.

    Args:
        times_s: float64 [N], seconds.
        beats_s: float64 [M], seconds, ascending, M >= 1.
        period_s: of a beat, seconds.

    Returns:
        float64 [N], ascending with time.
    """
    position = np.interp(times_s, beats_s, np.arange(len(beats_s)))
    before, after = times_s < beats_s[0], times_s > beats_s[-1]
    position[before] = (times_s[before] - beats_s[0]) / period_s
    position[after] = len(beats_s) - 1 + (times_s[after] - beats_s[-1]) / period_s
    return position
