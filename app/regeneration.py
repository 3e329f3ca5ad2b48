"""Making a take again from its row, and saying whether it is the same.

A row holds the model's id, all settings and the seed, and its place in the tree says what the model listened to. So a
take can be made again at any time; on the machine that made it, to the sample.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch

from app.model_shelf import Generator
from app.sounds import SoundShelf
from sessions.blobs import BlobState
from sessions.errors import AudioNotFoundError, InvalidActionError
from sessions.tree import Node, Turn, Variation
from stemgen_core.errors import StemGenError
from stemgen_core.generator import GenerationRequest
from stemgen_core.types import Waveform


class Sameness(StrEnum):
    """How a take made again compares with its row."""

    IDENTICAL = "identical"
    """The file has the same bytes."""
    RESTORED = "restored"
    """The same bytes as the row says, whose file was missing or damaged: it is there again."""
    DIFFERENT = "different"
    """Something else came out."""
    IMPOSSIBLE = "impossible"
    """It could not be made at all."""


@dataclass(frozen=True, slots=True)
class Regeneration:
    """What came of making a take again.

    Attributes:
        sameness: the outcome.
        why: what differs or is in the way; empty when all is well.
        max_difference: largest difference of a sample, 0..2; None if there was nothing to compare.
    """

    sameness: Sameness
    why: str = ""
    max_difference: float | None = None


def regenerate(
    turn: Turn,
    variation: Variation,
    lineage: tuple[Node, ...],
    *,
    generator: Generator,
    sounds: SoundShelf,
    build_request: Callable[[Turn, Variation], GenerationRequest],
) -> Regeneration:
    """Make a finished variation again and compare.

    Args:
        turn: what was asked for.
        variation: one of its takes, done.
        lineage: from the root to the node that it was made on.
        generator: the model.
        sounds: where the take lies, and what it was made on.
        build_request: reads a row as a request to the model.

    Raises:
        InvalidActionError: if the variation is not done.
    """
    audio = variation.audio
    if audio is None:
        raise InvalidActionError("Only a finished variation can be made again and compared.")
    if turn.model_id != generator.model_id:
        return Regeneration(
            Sameness.IMPOSSIBLE, f"it was made by the model {turn.model_id}, and {generator.model_id} is loaded"
        )
    state_before = sounds.blobs.state(audio.sha256)
    try:
        before = sounds.files.read(sounds.blobs.path(audio.sha256)) if state_before is BlobState.PRESENT else None
        stem = generator.generate(sounds.mix_at(lineage), build_request(turn, variation)).stem
    except (StemGenError, AudioNotFoundError) as error:
        return Regeneration(Sameness.IMPOSSIBLE, str(error))
    if sounds.keep(stem).sha256 == audio.sha256:
        is_back = state_before is not BlobState.PRESENT
        return Regeneration(
            Sameness.RESTORED if is_back else Sameness.IDENTICAL,
            f"its file was {state_before.value}" if is_back else "",
            None if before is None else 0.0,
        )
    if before is None:
        return Regeneration(Sameness.DIFFERENT, f"its file is {state_before.value}, and another sound came out")
    difference = _max_difference(before, stem)
    why = "another length" if difference is None else f"samples differ by up to {difference:.2g}"
    return Regeneration(Sameness.DIFFERENT, why, difference)


def _max_difference(one: Waveform, other: Waveform) -> float | None:
    if one.samples.shape != other.samples.shape:
        return None
    return float(torch.max(torch.abs(one.samples - other.samples)))
