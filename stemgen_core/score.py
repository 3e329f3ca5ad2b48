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
