"""The mix of a piece, as its strips say: gain, pan, mute, nudge. Solo is for listening and changes no file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from app.exporting.piece import Part
from sessions.tree import Mixer
from stemgen_core.types import Waveform

SILENT_DB = -60.0  # the bottom of the player's faders
CEILING_DB = -1.0  # where a mix that would clip is turned down to; lossy codecs overshoot a little


@dataclass(frozen=True, slots=True)
class Mixdown:
    """A mix, stereo.

    Attributes:
        waveform: within full scale.
        gain_db: what all of it was turned by so that nothing clips; 0 unless it would have.
    """

    waveform: Waveform
    gain_db: float


def mix_parts(parts: Sequence[Part], num_audio_samples: int) -> Mixdown:
    """Sum parts through their strips.

    Args:
        parts: of one rate.
        num_audio_samples: length of the mix.
    """
    total = torch.zeros(2, num_audio_samples, dtype=torch.float64)
    for part in parts:
        if not part.mixer.is_muted:
            total += through_strip(placed(part, num_audio_samples).samples.double(), part.mixer)
    peak = float(total.abs().max()) if total.numel() else 0.0
    gain_db = CEILING_DB - 20 * math.log10(peak) if peak > 1 else 0.0
    mixed = (total * 10 ** (gain_db / 20)).float()
    return Mixdown(Waveform(mixed, parts[0].waveform.sample_rate_hz), gain_db)


def placed(part: Part, num_audio_samples: int) -> Waveform:
    """Return a part at its place in time: nudged, and cut or filled with silence to a length."""
    samples = part.waveform.samples
    shift = round(part.mixer.nudge_ms / 1000 * part.waveform.sample_rate_hz)
    shifted = torch.nn.functional.pad(samples, (shift, 0)) if shift >= 0 else samples[:, -shift:]
    fitted = torch.nn.functional.pad(shifted, (0, max(0, num_audio_samples - shifted.shape[1])))
    return Waveform(fitted[:, :num_audio_samples].contiguous(), part.waveform.sample_rate_hz)


def through_strip(samples: torch.Tensor, mixer: Mixer) -> torch.Tensor:
    """Return audio as it leaves a strip that is not muted.

    Args:
        samples: float [1 or 2, L].
        mixer: gain and pan.

    Returns:
        float [2, L].
    """
    return torch.tensor(strip_matrix(mixer), dtype=samples.dtype) @ samples.expand(2, -1)  # [2, 2] x [2, L]


def strip_matrix(mixer: Mixer) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return how much of each channel goes into each: what Web Audio's stereo panner does to two channels.

    The middle keeps its level; a sound that is moved takes its other side along, so that nothing of it is lost.

    Returns:
        Rows are the left and the right channel that leave, columns those that enter.

    Source: Web Audio API (W3C), the panning algorithm of StereoPannerNode for stereo input.
    """
    gain = fader_gain(mixer)
    turn = abs(mixer.pan) * math.pi / 2
    kept, moved = gain * math.cos(turn), gain * math.sin(turn)
    if mixer.pan > 0:
        return (kept, 0.0), (moved, gain)
    return (gain, moved), (0.0, kept)


def fader_gain(mixer: Mixer) -> float:
    """Return what a strip's fader multiplies by; nothing at its bottom."""
    return 0.0 if mixer.gain_db <= SILENT_DB else 10 ** (mixer.gain_db / 20)
