"""Score tokens drawn as rows, against the notes themselves."""

import pytest
import torch

from stemgen_core.codec.score_roll import NUM_DRUM_SOUNDS, NUM_ROWS, score_roll, transpose_roll
from stemgen_core.codec.score_tokens import LOWEST_PITCH, NUM_PITCHES, encode_notes
from stemgen_core.instruments import find_instrument
from stemgen_core.score import Note

PIANO, DRUMS = find_instrument("piano"), find_instrument("drums")
CHORD = [Note(0.4, 60, 0.2, 100), Note(0.4, 64, 0.2, 100), Note(1.21, 67, 0.08, 40)]


def piano_roll(notes: list[Note]) -> torch.Tensor:
    return score_roll(encode_notes(notes, PIANO, 50)[None])


def test_notes_begin_once_and_sound_until_they_end() -> None:
    roll = piano_roll(CHORD)[0]

    begins, sounds = roll[:NUM_PITCHES], roll[NUM_PITCHES : 2 * NUM_PITCHES]
    assert begins.nonzero().tolist() == [[60 - LOWEST_PITCH, 10], [64 - LOWEST_PITCH, 10], [67 - LOWEST_PITCH, 30]]
    assert sounds[60 - LOWEST_PITCH].nonzero()[:, 0].tolist() == [10, 11, 12, 13, 14]
    assert sounds[67 - LOWEST_PITCH].nonzero()[:, 0].tolist() == [30, 31]


def test_an_onset_says_how_loud_and_how_late_in_the_frame_it_is() -> None:
    is_onset, loudness, lateness = piano_roll(CHORD)[0, -3:]

    assert is_onset.nonzero()[:, 0].tolist() == [10, 30]
    assert loudness[[10, 30]].tolist() == [6 / 8, 2 / 8]
    assert lateness[[10, 30]].tolist() == [0, 2 / 8]  # 10 ms of 40


def test_each_drum_sound_has_a_row_and_a_strength() -> None:
    strokes = [Note(0.0, 36, 0.1, 118), Note(0.4, 38, 0.1, 44), Note(0.4, 42, 0.1, 96)]

    drums = score_roll(encode_notes(strokes, DRUMS, 20)[None])[0, 2 * NUM_PITCHES : -3]

    assert drums.shape == (NUM_DRUM_SOUNDS, 20)
    assert {(row, frame): float(drums[row, frame]) for row, frame in drums.nonzero().tolist()} == {
        (0, 0): 1.0,  # kick, the hardest
        (1, 10): 0.25,  # snare, the softest
        (4, 10): 0.75,  # closed hi-hat, after kick, snare, rim and clap
    }


@pytest.mark.parametrize("semitones", [-5, 0, 7])
def test_a_roll_in_another_key_is_the_roll_of_the_notes_in_that_key(semitones: int) -> None:
    moved = [Note(note.start_s, note.pitch + semitones, note.duration_s, note.velocity) for note in CHORD]

    assert torch.equal(transpose_roll(piano_roll(CHORD), semitones), piano_roll(moved))


def test_what_leaves_the_keyboard_is_lost() -> None:
    roll = transpose_roll(piano_roll([Note(0.0, 108, 0.2, 90)]), 2)

    assert roll[:, : 2 * NUM_PITCHES].sum() == 0
    assert roll.shape[1] == NUM_ROWS


def test_codes_of_another_layout_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 6 levels, got 4"):
        score_roll(torch.zeros(1, 4, 5, dtype=torch.int64))
