"""Making part of a stem again: what is kept, what is hidden from the model, and how old and new are joined.

A masked model does this natively: it sees the stem on both sides of the gap and fills it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from stemgen_core.errors import InvalidRequestError
from stemgen_core.score import Note
from stemgen_core.types import CodecSpec, Waveform

CROSSFADE_S = 0.02
MIN_REVISED_S = 0.1


@dataclass(frozen=True, slots=True)
class Revision:
    """A stem, and which part of it to make anew.

    Attributes:
        stem: the stem as it is, of the context's rate and number of audio samples.
        notes: what it plays, where the family has notes.
        start_s: where the new part begins, seconds.
        end_s: where it ends; at least a tenth of a second later.
        sound_seed: the seed that the stem was made with: the new part is played by the same sound.
    """

    stem: Waveform
    notes: tuple[Note, ...] | None
    start_s: float
    end_s: float
    sound_seed: int

    def check(self, context: Waveform) -> None:
        """Refuse what can't be joined.

        Raises:
            InvalidRequestError: if the stem has another rate or length than the context, or the part is too short or
                lies outside it.
        """
        if (self.stem.sample_rate_hz, self.stem.num_audio_samples) != (
            context.sample_rate_hz,
            context.num_audio_samples,
        ):
            raise InvalidRequestError(
                f"The stem to revise ({self.stem.duration_s:.2f} s at {self.stem.sample_rate_hz} Hz) must have the"
                f" length and rate of its context ({context.duration_s:.2f} s at {context.sample_rate_hz} Hz)."
            )
        # A millisecond of grace: bars that people see are rounded.
        is_inside = self.start_s >= -1e-3 and self.end_s <= context.duration_s + 1e-3
        if not is_inside or self.end_s - self.start_s < MIN_REVISED_S:
            raise InvalidRequestError(
                f"Choose at least {MIN_REVISED_S:g} s within the {context.duration_s:.2f} s of the stem,"
                f" not {self.start_s:.2f} to {self.end_s:.2f} s."
            )

    def hidden_frames(self, spec: CodecSpec, num_frames: int, starts_s: Sequence[float]) -> torch.Tensor:
        """Return which frames are made anew, bool [T].

        Args:
            spec: of the target codec.
            num_frames: T.
            starts_s: where the context begins, each time it is heard; the part is made anew in all of them.
        """
        is_hidden = torch.zeros(num_frames, dtype=torch.bool)
        for start_s in starts_s:
            first = math.floor((self.start_s + start_s) * spec.frame_rate_hz + 1e-6)
            last = math.ceil((self.end_s + start_s) * spec.frame_rate_hz - 1e-6)
            is_hidden[max(first, 0) : max(last, 0)] = True
        return is_hidden

    def join_notes(self, made: Sequence[Note]) -> tuple[Note, ...]:
        """Return the kept notes outside the part, and those of `made` that begin inside, cut at its borders."""
        kept = []
        for note in self.notes or ():
            if note.start_s < self.start_s:
                kept.append(_cut(note, self.start_s))
            elif note.start_s >= self.end_s:
                kept.append(note)
        new = [_cut(note, self.end_s) for note in made if self.start_s <= note.start_s < self.end_s]
        return tuple(sorted(kept + new))

    def join_audio(self, made: Waveform, *, is_loop: bool = False) -> Waveform:
        """Return the kept stem with `made` in its place between the borders; crossfades lie within the part.

        Args:
            made: the stem made anew.
            is_loop: whether the ends of the stem are borders, too: what lies on the other side of them is its own
                other end.
        """
        rate_hz = self.stem.sample_rate_hz
        num_channels = max(self.stem.num_channels, made.num_channels)
        old, new = (wave.samples.expand(num_channels, -1) for wave in (self.stem, made))
        start, end = (min(max(round(s * rate_hz), 0), old.shape[1]) for s in (self.start_s, self.end_s))
        length = min(round(CROSSFADE_S * rate_hz), (end - start) // 2)
        weight = torch.zeros(old.shape[1])
        weight[start:end] = 1.0
        is_whole = start == 0 and end == old.shape[1]
        if start > 0 or (is_loop and not is_whole):
            weight[start : start + length] = torch.linspace(0, 1, length)
        if end < old.shape[1] or (is_loop and not is_whole):
            weight[end - length : end] = torch.linspace(1, 0, length)
        return Waveform(torch.where(weight > 0, old + (new - old) * weight, old), rate_hz)


def _cut(note: Note, end_s: float) -> Note:
    """Return a note that ends by `end_s` at the latest."""
    return Note(note.start_s, note.pitch, min(note.duration_s, end_s - note.start_s), note.velocity)
