"""What a codec family must offer, so that one model, one sampler and one generator serve all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from stemgen_core.instruments import Instrument
from stemgen_core.score import Note
from stemgen_core.types import CodecSpec, Waveform

RESTS, BEGINS, HOLDS = range(3)  # kinds of codes, where codes are notes
NUM_KINDS = 3

NoteEdit = Callable[[Sequence[Note]], tuple[Note, ...]]


@dataclass(frozen=True, slots=True)
class LevelRule:
    """What a codec knows about a level before anything is sampled.

    Attributes:
        level: index k of the codebook.
        allowed: bool [V], codes that make sense here; None = all.
        settle: fills in codes of this level that follow from the coarser ones; None = nothing follows.
        kinds: int64 [V], what a code does with notes: `RESTS`, `BEGINS` or `HOLDS`; None = its codes don't say.
    """

    level: int
    allowed: torch.Tensor | None = None
    settle: Callable[[torch.Tensor], torch.Tensor] | None = None
    kinds: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class LoopSpan:
    """Where a loop lies in what was heard of it.

    Attributes:
        start: first audio sample.
        num_audio_samples: its length.
    """

    start: int
    num_audio_samples: int


@dataclass(frozen=True, slots=True)
class DecodedStem:
    """A stem as sound, and as notes where the family has notes."""

    waveform: Waveform
    notes: tuple[Note, ...] | None


class TargetCodec(Protocol):
    """Turns the codes that the language model writes into a stem."""

    @property
    def spec(self) -> CodecSpec:
        """The token layout."""
        ...

    def rules(self, instrument: Instrument) -> tuple[LevelRule, ...]:
        """Return the levels that stems of `instrument` use, coarse to fine; all others are code 0."""
        ...

    def encode_stem(self, stem: DecodedStem, instrument: Instrument, num_frames: int) -> torch.Tensor:
        """Write a stem as codes, so that part of it can be made again.

        Args:
            stem: as `decode` returns it.
            instrument: what the stem is.
            num_frames: T.

        Returns:
            int64 [K, T].

        Raises:
            InvalidRequestError: if the family needs notes and the stem has none.
        """
        ...

    def decode(
        self, codes: torch.Tensor, *, instrument: Instrument, seed: int, context: Waveform, genre: str | None = None
    ) -> DecodedStem:
        """Render codes to fit a context.

        Args:
            codes: int64 [K, T], values in [0, V).
            instrument: what the stem is.
            seed: chooses among the sounds of the instrument where the family has several.
            context: the stem gets its rate, its number of audio samples and a level that suits it.
            genre: narrows that choice; None: any.
        """
        ...

    def decode_loop(
        self,
        codes: torch.Tensor,
        *,
        instrument: Instrument,
        seed: int,
        context: Waveform,
        span: LoopSpan,
        genre: str | None = None,
        join: NoteEdit | None = None,
    ) -> DecodedStem:
        """Render the part of codes that is a loop, so that its end runs on into its beginning.

        Args:
            codes: int64 [K, T], for all of `context`.
            instrument: what the stem is.
            seed: as for `decode`.
            context: what was heard: the loop, and what of it lies before and after.
            span: where in it the loop is.
            genre: as for `decode`.
            join: what to make of the loop's notes before they are played, where the family has notes.

        Returns:
            a stem of the loop's length; its last notes may end after its end.
        """
        ...


class ContextCodec(Protocol):
    """Turns the mix that the model listens to into what its embedding reads, frame by frame."""

    @property
    def name(self) -> str:
        """Identifies the layout; a model refuses inputs of another name."""
        ...

    @property
    def num_features(self) -> int | None:
        """F for float features; None where the context is tokens of the target's codec."""
        ...

    @property
    def num_channels(self) -> int:
        """C of the context that is read; the caller mixes down or doubles."""
        ...

    def encode(self, context: Waveform, num_frames: int) -> torch.Tensor:
        """Encode `num_frames` frames from the start of `context`, silence beyond its end.

        Returns:
            float32 [F, T] features, or int64 [K, T] codes.
        """
        ...
