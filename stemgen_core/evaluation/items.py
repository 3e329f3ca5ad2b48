"""What one line of an evaluation is made of.

Conventions: all times are in the time of the item's audio, seconds; all audio of one evaluation has one sample rate.
"""

from dataclasses import dataclass, replace

from stemgen_core.corpus.piece import Piece
from stemgen_core.evaluation.harmony import Chord
from stemgen_core.score import Note
from stemgen_core.types import Waveform


@dataclass(frozen=True, slots=True)
class PieceFacts:
    """What is known of a composed piece.

    Attributes:
        beats_s: every beat, ascending.
        chords: in order.
    """

    beats_s: tuple[float, ...]
    chords: tuple[Chord, ...]


@dataclass(frozen=True, slots=True)
class EvaluationItem:
    """One context and the stems that were, or might have been, added to it.

    Attributes:
        piece: identifies the piece; items of one piece are never paired at random.
        instrument: a name of `stemgen_core.instruments`.
        context: what was listened to.
        true_stem: what belongs to the context.
        generated_stem: what the model made for it; None to judge the scores alone.
        facts: None where the piece is a recording.
        true_notes: of the true stem; None where unknown.
        generated_notes: of the generated stem; None where the model writes no notes.
        seed: that the stem was, or would be, generated with.
    """

    piece: str
    instrument: str
    context: Waveform
    true_stem: Waveform
    generated_stem: Waveform | None = None
    facts: PieceFacts | None = None
    true_notes: tuple[Note, ...] | None = None
    generated_notes: tuple[Note, ...] | None = None
    seed: int = 0


def facts_of_window(piece: Piece, start_s: float, end_s: float) -> PieceFacts:
    """Return the beats and chords of a window of a piece, timed from its start.

    Raises:
        ValueError: if the window is empty.
    """
    if not end_s > start_s:
        raise ValueError(f"a window must end after it starts, got {start_s} to {end_s} s")
    beats_s = tuple(time_s - start_s for time_s in piece.beat_times_s if start_s <= time_s < end_s)
    chords = tuple(
        replace(chord, start_s=max(chord.start_s, start_s) - start_s, end_s=min(chord.end_s, end_s) - start_s)
        for chord in piece.chords
        if chord.end_s > start_s and chord.start_s < end_s
    )
    return PieceFacts(beats_s, chords)
