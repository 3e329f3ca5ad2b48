"""What a studio does to a stem: light effects, and ducking under the kick."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from stemgen_core.corpus.offline_synth import missing_for_rendering
from stemgen_core.sound.level import FloatArray

_DRIVEN = ("guitar", "bass", "synth_lead", "organ", "drums")
_SWIRLING = ("guitar", "piano", "synth_pad", "ensemble", "organ", "synth_effects")
_ECHOING = ("synth_lead", "mallets", "guitar", "reed", "percussive")
_DUSTY_GENRES = ("lofi", "hip_hop")
_DUCKING_CHANCE = {"house": 0.6, "techno": 0.5, "synthwave": 0.25, "drum_and_bass": 0.2, "disco": 0.15, "pop": 0.1}
_DUCK_BLOCK = 32


def draw_effects(instrument: str, genre: str, tempo_bpm: float | None, rng: random.Random) -> list[Any]:
    """Draw light effects for a stem; none in about a third of the cases.

    Args:
        instrument: a name of `stemgen_core.instruments`.
        genre: a name of `genre.GENRES`.
        tempo_bpm: echoes keep to it; None leaves them out.
        rng: all chance comes from it.

    Raises:
        MissingDependencyError: if pedalboard is not there.
    """
    try:
        import pedalboard
    except ImportError as error:
        raise missing_for_rendering("pedalboard", error) from error
    effects: list[Any] = []
    if rng.random() < 0.35:
        effects.append(pedalboard.LowShelfFilter(rng.uniform(90, 300), rng.uniform(-5, 4)))
        effects.append(pedalboard.HighShelfFilter(rng.uniform(2500, 7000), rng.uniform(-6, 4)))
    if instrument in _DRIVEN and rng.random() < 0.15:
        effects.append(pedalboard.Distortion(rng.uniform(3, 12)))
    if instrument in _SWIRLING and rng.random() < 0.15:
        effects.append(
            pedalboard.Chorus(rng.uniform(0.4, 1.5), rng.uniform(0.1, 0.35), 7.0, 0.0, rng.uniform(0.2, 0.5))
        )
    if genre in _DUSTY_GENRES and rng.random() < 0.4:
        effects.append(pedalboard.LowpassFilter(rng.uniform(3500, 9000)))
        if rng.random() < 0.4:
            effects.append(pedalboard.Bitcrush(rng.uniform(9, 12)))
    if rng.random() < 0.2:
        effects.append(pedalboard.Compressor(rng.uniform(-30, -18), rng.uniform(2, 4), rng.uniform(2, 15), 120))
    if tempo_bpm and instrument in _ECHOING and rng.random() < 0.15:
        echo_s = 60 / tempo_bpm * rng.choice((0.5, 0.75, 1.0))
        effects.append(pedalboard.Delay(echo_s, rng.uniform(0.1, 0.35), rng.uniform(0.08, 0.22)))
    if rng.random() < 0.35:
        wet = rng.uniform(0.04, 0.22)
        effects.append(pedalboard.Reverb(rng.uniform(0.1, 0.7), rng.uniform(0.3, 0.8), wet, 1 - wet, 1.0))
    return effects


def draw_ducking_db(genre: str, rng: random.Random) -> float:
    """Return by how much stems of a piece duck under its kick, dB; mostly 0."""
    return rng.uniform(3, 10) if rng.random() < _DUCKING_CHANCE.get(genre, 0.0) else 0.0


def duck(samples: FloatArray, sample_rate_hz: int, kicks_s: Sequence[float], depth_db: float) -> FloatArray:
    """Return the samples turned down at each kick and back up over the quarter second after it.

    Args:
        samples: float32 [C, L] or [L].
        sample_rate_hz: audio samples per second.
        kicks_s: onsets, seconds, ascending.
        depth_db: by how much at the kick, >= 0.

    Returns:
        float32, the same shape.
    """
    if not kicks_s or depth_db <= 0:
        return samples
    times_s = np.arange(-(-samples.shape[-1] // _DUCK_BLOCK) + 1) * (_DUCK_BLOCK / sample_rate_hz)
    onsets = np.asarray(kicks_s)
    last = np.searchsorted(onsets, times_s, side="right") - 1
    since_s = np.where(last >= 0, times_s - onsets[np.maximum(last, 0)], 10.0)
    gains = 10 ** (-depth_db / 20 * np.exp(-np.square(since_s / 0.13)))
    fine = np.interp(np.arange(samples.shape[-1]), np.arange(times_s.size) * _DUCK_BLOCK, gains)
    return samples * fine.astype(np.float32)
