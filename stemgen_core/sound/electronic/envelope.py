"""Loudness over the life of a note."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_SILENT_AFTER = 4.0  # time constants of a release until nothing is left to hear (-35 dB)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Attack, decay, sustain, release.

    Attributes:
        attack_s: rise to 1, linear.
        decay_s: time constant of the fall towards `sustain`.
        sustain: 0..1.
        release_s: time constant of the fall after the key is let go.
    """

    attack_s: float
    decay_s: float
    sustain: float
    release_s: float

    @property
    def tail_s(self) -> float:
        """How long something is heard after the key is let go, seconds."""
        return self.release_s * _SILENT_AFTER

    def shape(self, held_s: float, num_audio_samples: int, sample_rate_hz: int) -> FloatArray:
        """Return the envelope of a note.

        Args:
            held_s: when the key is let go.
            num_audio_samples: L.
            sample_rate_hz: audio samples per second.

        Returns:
            float32 [L], 0..1, ending in a fade of a few milliseconds.
        """
        seconds = np.arange(num_audio_samples, dtype=np.float32) / np.float32(sample_rate_hz)
        attack_s = max(self.attack_s, 0.001)
        decaying = self.sustain + (1 - self.sustain) * np.exp(-(seconds - attack_s) / max(self.decay_s, 0.001))
        level = np.where(seconds < attack_s, seconds / attack_s, decaying)
        held = min(round(held_s * sample_rate_hz), num_audio_samples)
        if held < num_audio_samples:
            last = level[held - 1] if held else 0.0
            level[held:] = last * np.exp(-(seconds[held:] - seconds[held]) / max(self.release_s, 0.003))
        num_fade = min(num_audio_samples, sample_rate_hz // 250)
        level[num_audio_samples - num_fade :] *= np.linspace(1, 0, num_fade, dtype=np.float32)
        return level.astype(np.float32)
