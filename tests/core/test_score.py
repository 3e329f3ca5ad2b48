"""Notes in time, the instruments, and the small values."""

import random

import pytest
import torch

from stemgen_core.errors import InvalidRequestError
from stemgen_core.instruments import INSTRUMENTS, find_instrument, instrument_of_program
from stemgen_core.score import Note, crop_notes
from stemgen_core.types import CodecSpec, Waveform


def random_notes(seed: int) -> list[Note]:
    rng = random.Random(seed)
    return [
        Note(rng.uniform(0, 10), rng.randrange(128), rng.uniform(0.01, 3), rng.randrange(1, 128)) for _ in range(60)
    ]


@pytest.mark.parametrize("seed", range(12))
def test_cropped_notes_lie_in_the_window_and_sound_as_long_there(seed: int) -> None:
    notes = random_notes(seed)

    cropped = crop_notes(notes, 2.0, 5.0)

    assert cropped == sorted(cropped)
    assert all(note.start_s >= 0 and note.end_s <= 3.0 + 1e-9 for note in cropped)
    sounding_s = sum(max(0.0, min(note.end_s, 5.0) - max(note.start_s, 2.0)) for note in notes)
    assert sum(note.duration_s for note in cropped) == pytest.approx(sounding_s, abs=0.01)


@pytest.mark.parametrize("seed", range(12))
def test_a_window_around_everything_changes_nothing(seed: int) -> None:
    notes = random_notes(seed)

    for ours, theirs in zip(crop_notes(notes, 0.0, 99.0), sorted(notes), strict=True):
        assert ours.start_s == theirs.start_s
        assert ours.duration_s == pytest.approx(theirs.duration_s)


def test_a_note_that_began_before_starts_with_the_window() -> None:
    assert crop_notes([Note(1.0, 60, 2.0, 90)], 2.0, 9.0) == [Note(0.0, 60, 1.0, 90)]


@pytest.mark.parametrize("start_s", [0.1 * step for step in range(1, 40)])
def test_a_note_that_ends_where_the_window_begins_leaves_nothing_behind(start_s: float) -> None:
    duration_s = 2.0 - start_s / 3
    note = Note(start_s, 60, duration_s, 90)  # its end is off by a rounding error, up or down

    assert crop_notes([note], start_s + duration_s - 1e-15, 99.0) == []
    assert crop_notes([note], note.end_s, 99.0) == []
    assert crop_notes([note], 0.0, note.start_s + 1e-12) == []


def test_there_are_18_instruments_in_the_order_that_models_were_trained_in() -> None:
    assert [instrument.index for instrument in INSTRUMENTS] == list(range(18))
    assert [instrument.name for instrument in INSTRUMENTS][:5] == ["piano", "mallets", "organ", "guitar", "bass"]
    assert [instrument.name for instrument in INSTRUMENTS][16:] == ["drums", "vocals"]
    assert [instrument.is_drums for instrument in INSTRUMENTS].count(True) == 1
    assert len({instrument.label for instrument in INSTRUMENTS}) == 18


@pytest.mark.parametrize("program", range(128))
def test_every_general_midi_program_has_the_family_that_lists_it(program: int) -> None:
    assert program in instrument_of_program(program).programs


@pytest.mark.parametrize("program", [-1, 128])
def test_programs_beyond_midi_are_refused(program: int) -> None:
    with pytest.raises(ValueError, match=rf"program must be 0\.\.127, got {program}"):
        instrument_of_program(program)


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_instruments_are_found_by_name(instrument: object) -> None:
    assert find_instrument(getattr(instrument, "name", "")) is instrument


@pytest.mark.parametrize("name", ["Piano", "kazoo", ""])
def test_an_unknown_instrument_is_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(InvalidRequestError, match=rf"no instrument called '{name}'\. Choose one of: piano, mallets"):
        find_instrument(name)


def test_a_spec_knows_its_frame_rate_and_mask_token() -> None:
    spec = CodecSpec("encodec", 32_000, 640, 4, 2048)

    assert (spec.frame_rate_hz, spec.mask_token_id) == (50.0, 2048)


def test_a_waveform_knows_its_shape_and_duration() -> None:
    waveform = Waveform(torch.zeros(2, 22_050), 44_100)

    assert (waveform.num_channels, waveform.num_audio_samples, waveform.duration_s) == (2, 22_050, 0.5)
