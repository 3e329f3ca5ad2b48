"""Small synthetic sounds for the tests of analysis and evaluation."""

from collections.abc import Sequence

import numpy as np
import torch

from stemgen_core.types import Waveform

RATE_HZ = 22_050


def waveform(samples: np.ndarray, rate_hz: int = RATE_HZ) -> Waveform:
    return Waveform(torch.from_numpy(np.atleast_2d(samples).astype(np.float32)), rate_hz)


def plucks(notes: Sequence[tuple[float, int]], duration_s: float = 10.0, gain: float = 0.2) -> np.ndarray:
    """Return decaying tones of four partials: `notes` are (start in s, MIDI pitch)."""
    sound = np.zeros(round(duration_s * RATE_HZ))
    time_s = np.arange(round(0.6 * RATE_HZ)) / RATE_HZ
    for start_s, pitch in notes:
        hz = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * hz * n * time_s) / n for n in (1, 2, 3, 4))
        tone *= gain * np.exp(-4 * time_s) * np.minimum(1, time_s / 0.002) * np.clip((0.6 - time_s) / 0.02, 0, 1)
        first = round(start_s * RATE_HZ)
        if 0 <= first < len(sound):
            part = tone[: len(sound) - first]
            sound[first : first + len(part)] += part
    return sound


def hits(times_s: Sequence[float], duration_s: float = 10.0, seed: int = 0) -> np.ndarray:
    """Return short bursts of noise: drums without pitch."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(duration_s * RATE_HZ))
    decay = np.exp(-np.arange(round(0.12 * RATE_HZ)) / RATE_HZ * 40)
    for start_s in times_s:
        first = round(start_s * RATE_HZ)
        if 0 <= first < len(sound):
            burst = 0.3 * decay * rng.standard_normal(len(decay))
            part = burst[: len(sound) - first]
            sound[first : first + len(part)] += part
    return sound


def beat_times(bpm: float, duration_s: float = 10.0, first_s: float = 0.1) -> list[float]:
    return list(np.arange(first_s, duration_s - 0.1, 60 / bpm))


def random_piece(seed: int, duration_s: float = 10.0) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the chords of a small piece, a bass line to them, and their tempo."""
    rng = np.random.default_rng(seed)
    bpm, tonic = float(rng.uniform(80, 150)), int(rng.integers(12))
    chords, bass = [], []
    degrees = rng.permutation([0, 5, 7, 9])
    for index, time_s in enumerate(beat_times(bpm, duration_s, float(rng.uniform(0.1, 0.5)))):
        root = tonic + int(degrees[index // 4 % 4])
        third = 3 if degrees[index // 4 % 4] == 9 else 4
        if rng.random() < 0.8 or index % 4 == 0:
            chords += [(time_s, 60 + root % 12 + interval) for interval in (0, third, 7)]
        bass.append((time_s, 36 + root % 12))
        if rng.random() < 0.4:
            bass.append((time_s + 30 / bpm, 36 + (root + 7) % 12))
    return plucks(chords, duration_s, 0.1), plucks(bass, duration_s), bpm
