"""Notes in time: what the score-token family generates and what the corpus is made of."""

from collections.abc import Sequence
from dataclasses import dataclass

MIN_CROPPED_S = 1e-3  # what is shorter is left over from rounding: a note that ends where the window begins


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One note or drum stroke.

    Attributes:
        start_s: onset, seconds from the start of the audio.
        pitch: MIDI key 0..127; for drums the General MIDI drum key.
        duration_s: > 0; for drums it has no audible meaning.
        velocity: MIDI velocity 1..127.
    """

    start_s: float
    pitch: int
    duration_s: float
    velocity: int

    @property
    def end_s(self) -> float:
        """Release, seconds from the start of the audio."""
        return self.start_s + self.duration_s


def crop_notes(notes: Sequence[Note], start_s: float, end_s: float) -> list[Note]:
    """Return the notes that sound within a window, cut to it and timed from its start.

    A note that began before the window starts at 0 in the result, as its sound does. Less than a millisecond of a note
    is no note.

    Args:
        notes: in any order.
        start_s: start of the window, seconds.
        end_s: end of the window, seconds.
    """
    cropped = []
    for note in notes:
        onset_s, release_s = max(note.start_s, start_s), min(note.end_s, end_s)
        if release_s - onset_s >= MIN_CROPPED_S:
            cropped.append(Note(onset_s - start_s, note.pitch, release_s - onset_s, note.velocity))
    return sorted(cropped)


def notes_of_loop(notes: Sequence[Note], start_s: float, period_s: float) -> tuple[Note, ...]:
    """Return the notes that begin within a loop, timed from its start; none is longer than the loop.

    Args:
        notes: in any order.
        start_s: where the loop begins, seconds.
        period_s: its length.
    """
    return tuple(
        Note(note.start_s - start_s, note.pitch, min(note.duration_s, period_s), note.velocity)
        for note in sorted(notes)
        if start_s <= note.start_s < start_s + period_s
    )


def rounds(notes: Sequence[Note], period_s: float, num_rounds: int) -> list[Note]:
    """Return a loop's notes several times round; what rings over the end of one stops where its pitch comes again.

    Args:
        notes: that begin within the loop, in any order.
        period_s: length of the loop, seconds.
        num_rounds: how often.
    """
    firsts: dict[int, float] = {}
    for note in sorted(notes, reverse=True):
        firsts[note.pitch] = note.start_s
    return sorted(
        Note(
            note.start_s + number * period_s,
            note.pitch,
            min(note.duration_s, firsts[note.pitch] + period_s - note.start_s),
            note.velocity,
        )
        for number in range(num_rounds)
        for note in notes
    )
