"""Notes as a MIDI file, read back by another reader."""

import random
from pathlib import Path

import mido
import pytest

from stemgen_core.score import Note
from stemgen_core.sound.midi import write_midi
from stemgen_core.sound.programs import SOUNDS, Sound

PIANO = SOUNDS["piano"][0]


def read_notes(path: Path) -> list[Note]:
    """Return the notes as a player would hear them; one that never ends would be missing."""
    notes, sounding, now_s = [], {}, 0.0
    for message in mido.MidiFile(path):
        now_s += message.time
        if message.type == "note_on" and message.velocity > 0:
            assert message.note not in sounding
            sounding[message.note] = (now_s, message.velocity)
        elif message.type in ("note_on", "note_off"):
            start_s, velocity = sounding.pop(message.note)
            notes.append(Note(start_s, message.note, now_s - start_s, velocity))
    assert not sounding
    return sorted(notes)


def random_notes(seed: int) -> list[Note]:
    """Return notes of which no two of a pitch overlap, some back to back."""
    rng, notes = random.Random(seed), []
    for pitch in rng.sample(range(128), 12):
        time_s = rng.uniform(0, 1)
        for _ in range(8):
            duration_s = rng.uniform(0.02, 1)
            notes.append(Note(time_s, pitch, duration_s, rng.randrange(1, 128)))
            time_s += duration_s + rng.choice([0.0, rng.uniform(0.02, 0.5)])
    rng.shuffle(notes)
    return notes


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("tempo_bpm", [47.3, 120.0, 201.0])
def test_notes_come_back_at_their_times_whatever_the_tempo(tempo_bpm: float, seed: int, tmp_path: Path) -> None:
    notes = random_notes(seed)

    write_midi(tmp_path / "a.mid", notes, PIANO, tempo_bpm=tempo_bpm)

    read = read_notes(tmp_path / "a.mid")
    assert sorted((note.pitch, note.velocity) for note in read) == sorted((note.pitch, note.velocity) for note in notes)
    for ours, theirs in zip(
        sorted(read, key=lambda n: (n.pitch, n.start_s)), sorted(notes, key=lambda n: (n.pitch, n.start_s)), strict=True
    ):
        assert ours.start_s == pytest.approx(theirs.start_s, abs=0.002)
        assert ours.end_s == pytest.approx(theirs.end_s, abs=0.002)


@pytest.mark.parametrize("duration_s", [1e-9, 1e-4, 3e-4])
def test_a_note_shorter_than_a_tick_still_ends(duration_s: float, tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [Note(0.5, 60, duration_s, 90), Note(1.0, 60, 0.5, 80)], PIANO)

    assert [note.velocity for note in read_notes(tmp_path / "a.mid")] == [90, 80]


@pytest.mark.parametrize(
    ("sound", "channel"), [(PIANO, 0), (SOUNDS["bass"][1], 0), (SOUNDS["drums"][3], 9)], ids=["piano", "bass", "drums"]
)
def test_the_file_names_the_sound_and_drums_have_their_channel(sound: Sound, channel: int, tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [Note(0.0, 36, 0.1, 90)], sound, tempo_bpm=100.0)

    file = mido.MidiFile(tmp_path / "a.mid")
    messages = list(file.tracks[0])
    assert file.type == 0
    assert {message.channel for message in messages if not message.is_meta} == {channel}
    assert [message.program for message in messages if message.type == "program_change"] == [sound.program]
    assert [message.name for message in messages if message.type == "track_name"] == [sound.label]
    assert [message.tempo for message in messages if message.type == "set_tempo"] == [600_000]


def test_no_notes_are_an_empty_file(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [], PIANO)

    assert read_notes(tmp_path / "a.mid") == []


@pytest.mark.parametrize("tempo_bpm", [0.0, -120.0])
def test_a_tempo_that_is_not_positive_is_refused(tempo_bpm: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tempo_bpm must be positive"):
        write_midi(tmp_path / "a.mid", [], PIANO, tempo_bpm=tempo_bpm)
