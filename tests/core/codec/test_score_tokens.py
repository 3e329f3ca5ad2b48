"""Notes as codes and back: what is kept, what is mended, and that no grid of codes breaks the reader."""

import itertools
from collections import defaultdict
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stemgen_core.codec.score_tokens import (
    CHORD_SPREAD_S,
    DRUM_SOUNDS,
    EXPRESSION_LEVEL,
    FIRST_HOLD,
    FIRST_ONSET,
    FIRST_STROKE,
    LOWEST_PITCH,
    NUM_PITCHES,
    NUM_VOICES,
    REST,
    SCORE_SPEC,
    STRENGTH_VELOCITIES,
    decode_notes,
    encode_notes,
    levels_used,
)
from stemgen_core.instruments import INSTRUMENTS, find_instrument
from stemgen_core.score import Note
from tests.core.tiny_models import seeded

BASS, PIANO, DRUMS = find_instrument("bass"), find_instrument("piano"), find_instrument("drums")
FRAME_S = 1 / 25
NUM_FRAMES = 250
PITCHES = st.integers(LOWEST_PITCH, LOWEST_PITCH + NUM_PITCHES - 1)
VELOCITIES = st.integers(1, 127)
DRUM_KEYS = [key for sounds in DRUM_SOUNDS for keys in sounds for key in keys]
C4_ONSET, C4_HOLD = FIRST_ONSET + 60 - LOWEST_PITCH, FIRST_HOLD + 60 - LOWEST_PITCH


@st.composite
def lines(draw: st.DrawFn) -> list[Note]:
    """One note at a time, no pitch twice in a row, each at least two frames long."""
    notes, time_s = [], draw(st.floats(0, 1))
    for _ in range(draw(st.integers(1, 20))):
        duration_s = draw(st.floats(2 * FRAME_S, 1.0))
        pitch = draw(PITCHES.filter(lambda p: not notes or p != notes[-1].pitch))
        if time_s + duration_s > NUM_FRAMES * FRAME_S:
            break
        notes.append(Note(time_s, pitch, duration_s, draw(VELOCITIES)))
        time_s += duration_s + draw(st.floats(0, 0.5))
    return notes


@st.composite
def chords(draw: st.DrawFn) -> list[Note]:
    """Chords of up to five different pitches, slightly spread, released together before the next begins."""
    notes, time_s = [], draw(st.floats(0, 1))
    for _ in range(draw(st.integers(1, 8))):
        duration_s, velocity = draw(st.floats(4 * FRAME_S, 1.0)), draw(VELOCITIES)
        for pitch in draw(st.lists(PITCHES, min_size=1, max_size=NUM_VOICES, unique=True)):
            spread_s = draw(st.floats(0, CHORD_SPREAD_S * 0.99))
            notes.append(Note(time_s + spread_s, pitch, duration_s - spread_s, velocity))
        time_s += duration_s + draw(st.floats(2 * FRAME_S, 0.5))
    return sorted(notes)


@st.composite
def beats(draw: st.DrawFn) -> list[Note]:
    """Strokes of known drums, at most one stroke of a level at a time, frames apart."""
    strokes, time_s = [], draw(st.floats(0, 1))
    for _ in range(draw(st.integers(1, 20))):
        for sounds in draw(st.lists(st.sampled_from(DRUM_SOUNDS), min_size=1, max_size=5, unique=True)):
            keys = draw(st.sampled_from(sounds))
            strokes.append(Note(time_s, draw(st.sampled_from(keys)), 0.1, draw(VELOCITIES)))
        time_s += draw(st.floats(2 * FRAME_S, 0.4))
    return sorted(strokes)


def main_key(key: int) -> int:
    return next(keys[0] for sounds in DRUM_SOUNDS for keys in sounds if key in keys)


@settings(max_examples=80, deadline=None)
@given(lines())
def test_a_line_comes_back_with_its_pitches_times_and_strengths(notes: list[Note]) -> None:
    decoded = decode_notes(encode_notes(notes, BASS, NUM_FRAMES), BASS)

    assert [note.pitch for note in decoded] == [note.pitch for note in notes]
    for ours, theirs in zip(decoded, notes, strict=True):
        assert abs(ours.start_s - theirs.start_s) <= 0.005 / 2 + 1e-4  # half of a 5 ms step
        assert abs(ours.end_s - theirs.end_s) <= FRAME_S / 2 + 1e-4 or ours.end_s < theirs.end_s <= ours.end_s + FRAME_S
        assert abs(ours.velocity - theirs.velocity) <= 8  # half a bin of sixteen


@settings(max_examples=80, deadline=None)
@given(chords())
def test_chords_come_back_whole(notes: list[Note]) -> None:
    decoded = decode_notes(encode_notes(notes, PIANO, 400), PIANO)

    assert sorted(note.pitch for note in decoded) == sorted(note.pitch for note in notes)
    by_pitch = defaultdict(list)
    for note in decoded:
        by_pitch[note.pitch].append(note)
    for theirs in notes:
        ours = min(by_pitch[theirs.pitch], key=lambda note: abs(note.start_s - theirs.start_s))
        assert -0.003 <= theirs.start_s - ours.start_s <= CHORD_SPREAD_S + 0.003
        assert abs(ours.velocity - theirs.velocity) <= 8


@settings(max_examples=80, deadline=None)
@given(beats())
def test_strokes_come_back_with_their_sound_and_strength(notes: list[Note]) -> None:
    decoded = decode_notes(encode_notes(notes, DRUMS, 300), DRUMS)

    assert len(decoded) == len(notes)
    for theirs in notes:
        ours = [note for note in decoded if note.pitch == main_key(theirs.pitch)]
        nearest = min(ours, key=lambda note: abs(note.start_s - theirs.start_s))
        assert abs(nearest.start_s - theirs.start_s) <= 0.005 / 2 + 1e-4
        expected = min(STRENGTH_VELOCITIES, key=lambda velocity: abs(velocity - theirs.velocity))
        assert nearest.velocity == expected


@settings(max_examples=60, deadline=None)
@given(chords())
def test_what_was_read_is_written_again_unchanged(notes: list[Note]) -> None:
    codes = encode_notes(notes, PIANO, 400)

    again = encode_notes(decode_notes(codes, PIANO), PIANO, 400)

    assert torch.equal(again, codes)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("instrument", [BASS, PIANO, DRUMS], ids=lambda instrument: instrument.name)
def test_any_codes_are_read_without_two_notes_of_a_pitch_at_once(instrument: object, seed: int) -> None:
    playing = DRUMS if instrument is DRUMS else PIANO
    rng = seeded(seed)
    codes = torch.randint(SCORE_SPEC.codebook_size + 1, (6, 120), generator=rng)
    if seed % 2:  # few pitches: repeats, doublings and orphans everywhere
        few = torch.tensor([REST, C4_ONSET, C4_HOLD, C4_ONSET + 1, C4_HOLD + 1])
        codes[:NUM_VOICES] = few[torch.randint(5, (NUM_VOICES, 120), generator=rng)]

    notes = decode_notes(codes, playing)

    assert notes == sorted(notes)
    for note in notes:
        assert 0 <= note.start_s < 120 * FRAME_S
        assert note.duration_s > 0
        assert 1 <= note.velocity <= 127
        assert 0 <= note.pitch <= 127
    if playing is PIANO:
        by_pitch: dict[int, list[Note]] = defaultdict(list)
        for note in notes:
            by_pitch[note.pitch].append(note)
        for sounding in by_pitch.values():
            assert all(former.end_s <= later.start_s + 1e-9 for former, later in itertools.pairwise(sounding))


def grid(*rows: Sequence[int]) -> torch.Tensor:
    codes = torch.zeros(6, max(map(len, rows)), dtype=torch.int64)
    for level, row in enumerate(rows):
        codes[level, : len(row)] = torch.tensor(row)
    return codes


def test_a_short_run_of_holds_without_an_onset_is_no_note() -> None:
    assert decode_notes(grid([REST, C4_HOLD, C4_HOLD, REST]), PIANO) == []


def test_a_long_run_of_holds_without_an_onset_is_a_note_in_time() -> None:
    notes = decode_notes(grid([REST, C4_HOLD, C4_HOLD, C4_HOLD, REST]), PIANO)

    assert [(note.pitch, note.start_s, round(note.end_s, 6)) for note in notes] == [(60, 0.04, 0.16)]


def test_a_hold_in_the_first_frame_is_a_note_that_began_before() -> None:
    assert [note.start_s for note in decode_notes(grid([C4_HOLD, REST, REST]), PIANO)] == [0.0]


def test_an_onset_repeated_in_the_next_frame_is_one_note() -> None:
    notes = decode_notes(grid([C4_ONSET, C4_ONSET, C4_HOLD, REST]), PIANO)

    assert [(note.pitch, round(note.end_s, 6)) for note in notes] == [(60, 0.12)]


def test_an_onset_after_a_hold_is_a_new_note_of_the_same_pitch() -> None:
    notes = decode_notes(grid([C4_ONSET, C4_HOLD, C4_ONSET, C4_HOLD]), PIANO)

    assert [round(note.start_s, 6) for note in notes] == [0.0, 0.08]


def test_a_hold_of_another_pitch_ends_the_note() -> None:
    notes = decode_notes(grid([C4_ONSET, C4_HOLD, C4_HOLD + 2, C4_HOLD]), PIANO)

    assert [(note.pitch, round(note.end_s, 6)) for note in notes] == [(60, 0.08)]


def test_a_pitch_struck_in_two_voices_is_the_longer_note() -> None:
    notes = decode_notes(grid([C4_ONSET, C4_HOLD], [C4_ONSET, C4_HOLD, C4_HOLD, C4_HOLD]), PIANO)

    assert [(note.pitch, round(note.end_s, 6)) for note in notes] == [(60, 0.16)]


def test_a_pitch_struck_again_in_another_voice_cuts_the_first() -> None:
    notes = decode_notes(grid([C4_ONSET, *[C4_HOLD] * 9], [REST] * 5 + [C4_ONSET, C4_HOLD]), PIANO)

    assert [(round(note.start_s, 6), round(note.end_s, 6)) for note in notes] == [(0.0, 0.2), (0.2, 0.28)]


def test_an_onset_without_expression_is_of_middling_strength_and_in_time() -> None:
    notes = decode_notes(grid([REST, C4_ONSET, C4_HOLD]), PIANO)

    assert [(note.start_s, note.velocity) for note in notes] == [(0.04, 80)]


def test_of_six_notes_the_quietest_goes() -> None:
    notes = [Note(0.0, 60 + 3 * index, 0.5, 90 - 5 * (index == 2)) for index in range(6)]

    decoded = decode_notes(encode_notes(notes, PIANO, 25), PIANO)

    assert [note.pitch for note in decoded] == [60, 63, 69, 72, 75]


def test_voices_are_filled_from_the_lowest_note_up() -> None:
    codes = encode_notes([Note(0.0, pitch, 0.5, 90) for pitch in (67, 60, 64)], PIANO, 25)

    assert (codes[:NUM_VOICES, 0] - FIRST_ONSET + LOWEST_PITCH).tolist()[:3] == [60, 64, 67]
    assert codes[3:NUM_VOICES].sum() == 0


def test_a_held_note_sounds_on_under_a_new_one() -> None:
    notes = [Note(0.0, 48, 2.0, 90), Note(1.0, 72, 0.5, 90)]

    decoded = decode_notes(encode_notes(notes, PIANO, 60), PIANO)

    assert [(note.pitch, round(note.duration_s, 1)) for note in decoded] == [(48, 2.0), (72, 0.5)]


def test_a_chord_that_a_frame_line_divides_stays_one() -> None:
    codes = encode_notes([Note(0.035, 60, 0.5, 90), Note(0.045, 64, 0.5, 90)], PIANO, 25)

    assert (codes[:2, 0] != REST).all()


@pytest.mark.parametrize("frame", range(0, 240, 7))
def test_a_note_on_a_frame_line_opens_that_frame(frame: int) -> None:
    codes = encode_notes([Note(frame * FRAME_S, 60, 0.2, 90)], PIANO, 250)

    assert codes[0].nonzero()[0, 0] == frame


@pytest.mark.parametrize("name", ["bass", "reed", "synth_lead"])
def test_instruments_of_one_voice_use_one(name: str) -> None:
    instrument = find_instrument(name)

    codes = encode_notes([Note(0.0, 50, 0.5, 90), Note(0.0, 57, 0.5, 100)], instrument, 25)

    assert levels_used(instrument) == (0, EXPRESSION_LEVEL)
    assert [note.pitch for note in decode_notes(codes, instrument)] == [57]
    assert codes[1:NUM_VOICES].sum() == 0


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_levels_that_an_instrument_does_not_use_are_rest(instrument: object) -> None:
    playing = next(each for each in INSTRUMENTS if each is instrument)
    notes = [Note(0.1 * index, 36 + index, 0.3, 90) for index in range(40)]

    codes = encode_notes(notes, playing, 120)

    used = levels_used(playing)
    assert all((level in used) or codes[level].sum() == 0 for level in range(6))
    assert used[-1] == EXPRESSION_LEVEL


def test_what_the_grid_cannot_hold_is_dropped() -> None:
    notes = [Note(0.0, 20, 0.5, 90), Note(0.4, 109, 0.5, 90), Note(99.0, 60, 0.5, 90)]

    assert encode_notes(notes, PIANO, 25).sum() == 0
    assert encode_notes([Note(0.0, 27, 0.1, 90)], DRUMS, 25).sum() == 0


def test_a_note_that_outlasts_the_grid_is_held_to_its_end() -> None:
    codes = encode_notes([Note(0.2, 60, 99.0, 90)], PIANO, 25)

    assert (codes[0, 6:] == C4_HOLD).all()


def test_every_drum_key_has_one_place_and_fits_its_level() -> None:
    assert len(DRUM_KEYS) == len(set(DRUM_KEYS))
    assert all(FIRST_STROKE + 4 * len(sounds) <= SCORE_SPEC.codebook_size for sounds in DRUM_SOUNDS)


def test_codes_of_another_layout_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 6 levels, got 4"):
        decode_notes(torch.zeros(4, 10, dtype=torch.int64), PIANO)
