"""What the model is given to hear of a context: as it is, or, where it goes round, several times over."""

import math
from dataclasses import dataclass

import torch

from stemgen_core.codec.protocol import DecodedStem, LoopSpan
from stemgen_core.score import Note, crop_notes
from stemgen_core.types import Waveform


@dataclass(frozen=True, slots=True)
class Stretch:
    """A context as the model hears it.

    A clip that fits at least twice into the model's window is heard several times over, and the second time round is
    what is kept: it has heard the first. A longer loop is heard once, with its end before it and its beginning after
    it as far as the window reaches, so that the model hears the music go on at both ends.

    Attributes:
        audio: what is heard.
        num_audio_samples: of the context itself.
        start: where in `audio` the part lies that is kept, audio samples.
        is_loop: whether the stem goes round without a seam.
    """

    audio: Waveform
    num_audio_samples: int
    start: int
    is_loop: bool

    @classmethod
    def plan(cls, context: Waveform, window_frames: int, frame_rate_hz: float, *, is_loop: bool) -> "Stretch":
        """Decide how a context is heard.

        Args:
            context: the clip.
            window_frames: what the model sees at once.
            frame_rate_hz: of the model's frames.
            is_loop: whether the stem is to go round without a seam.
        """
        window_s = window_frames / frame_rate_hz
        length = context.num_audio_samples
        num_repeats = max(1, int(window_s / context.duration_s))
        if num_repeats > 1:
            repeated = Waveform(context.samples.repeat(1, num_repeats), context.sample_rate_hz)
            return cls(repeated, length, length, is_loop)
        if not is_loop:
            return cls(context, length, 0, is_loop)
        lead_frames = max(
            0, math.floor((window_s - context.duration_s) / 2 * frame_rate_hz + 1e-6)
        )  # whole: bars keep their frames
        lead = round(lead_frames / frame_rate_hz * context.sample_rate_hz)
        return cls(Waveform(_around(context.samples, lead), context.sample_rate_hz), length, lead, is_loop)

    @property
    def span(self) -> LoopSpan:
        """Where the kept part lies."""
        return LoopSpan(self.start, self.num_audio_samples)

    @property
    def starts_s(self) -> tuple[float, ...]:
        """Where the context begins in `audio`, each time it is heard; below 0 where only its end is."""
        first = self.start - -(-self.start // self.num_audio_samples) * self.num_audio_samples
        starts = range(first, self.audio.num_audio_samples, self.num_audio_samples)
        return tuple(start / self.audio.sample_rate_hz for start in starts)

    def repeat(self, stem: DecodedStem) -> DecodedStem:
        """Return a stem of the context's length as the context is heard."""
        length = stem.waveform.num_audio_samples
        indices = torch.arange(-self.start, self.audio.num_audio_samples - self.start) % length
        waveform = Waveform(stem.waveform.samples[:, indices], stem.waveform.sample_rate_hz)
        if stem.notes is None:
            return DecodedStem(waveform, None)
        starts_s = self.starts_s
        notes = tuple(
            Note(note.start_s + start_s, note.pitch, note.duration_s, note.velocity)
            for start_s in starts_s
            for note in stem.notes
        )
        if starts_s[0] < 0:
            notes = tuple(crop_notes(notes, 0.0, self.audio.duration_s))
        return DecodedStem(waveform, notes)

    def cut(self, decoded: DecodedStem) -> DecodedStem:
        """Return the part of a stem, made for `audio`, that belongs to the context."""
        if self.audio.num_audio_samples == self.num_audio_samples:
            return decoded
        rate_hz = self.audio.sample_rate_hz
        start, end = self.start, self.start + self.num_audio_samples
        notes = None if decoded.notes is None else tuple(crop_notes(decoded.notes, start / rate_hz, end / rate_hz))
        return DecodedStem(Waveform(decoded.waveform.samples[:, start:end].clone(), rate_hz), notes)


def _around(samples: torch.Tensor, lead: int) -> torch.Tensor:
    """Return a loop with its end before it and its beginning after it, [C, L + 2 lead]; `lead` is at most L."""
    length = samples.shape[1]
    return torch.cat([samples[:, length - lead :], samples, samples[:, :lead]], dim=1)
