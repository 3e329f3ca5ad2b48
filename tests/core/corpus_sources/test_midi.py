"""MIDI as a source: what is read, what is varied, what is kept apart."""

import random
from itertools import pairwise
from pathlib import Path

import mido
import pytest

from stemgen_core.corpus.arrangement import compose_piece
from stemgen_core.corpus.report import chord_at
from stemgen_core.corpus.sources.chord_estimate import estimate_chords, estimate_key
from stemgen_core.corpus.sources.midi_folder import MidiFolder, licences_in, piece_of_song
from stemgen_core.corpus.sources.midi_reading import read_midi
from stemgen_core.errors import InvalidRequestError
from stemgen_core.score import Note
from tests.core.corpus_sources.made_up import BAND, OTHER_BAND, write_song


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        band = [(channel, program, [p + number % 2 for p in pitches]) for channel, program, pitches in BAND]
        write_song(tmp_path / f"song{number}.mid", [*band, (3, 48, [60 + number * k % 7 for k in range(5)])])
    return tmp_path


def test_a_tempo_map_places_notes_and_beats(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=100)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    track.append(mido.Message("note_on", note=60, velocity=80))
    track.append(mido.MetaMessage("set_tempo", tempo=1_000_000, time=200))
    track.append(mido.Message("note_off", note=60, time=100))
    track.append(mido.Message("note_on", note=62, velocity=80))
    file.tracks.append(track)  # the last note is never released
    track.append(mido.Message("note_on", channel=9, note=36, velocity=99, time=100))
    track.append(mido.Message("note_off", channel=9, note=36, time=50))
    file.save(tmp_path / "a.mid")

    song = read_midi(tmp_path / "a.mid")

    piano, drums = song.parts
    assert piano.notes[0] == Note(0.0, 60, 2.0, 80)
    assert piano.notes[1].start_s == pytest.approx(2.0)
    assert (drums.is_drums, drums.notes[0].start_s) == (True, pytest.approx(3.0))
    assert song.beats_s[:4] == pytest.approx((0.0, 0.5, 1.0, 2.0))
    assert song.downbeats_s[:2] == pytest.approx((0.0, 3.0))


def test_six_eight_counts_dotted_quarters(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=96)
    track = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=6, denominator=8)])
    track += [mido.Message("note_on", note=60, velocity=80), mido.Message("note_off", note=60, time=96 * 12)]
    file.tracks.append(track)
    file.save(tmp_path / "a.mid")

    song = read_midi(tmp_path / "a.mid")

    assert song.beats_per_bar == 2
    assert song.beats_s[:3] == pytest.approx((0.0, 0.75, 1.5))
    assert song.downbeats_s[:2] == pytest.approx((0.0, 1.5))


@pytest.mark.parametrize("content", [b"", b"no music", b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x00\x60MTrk"])
def test_broken_files_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.mid").write_bytes(content)

    with pytest.raises(InvalidRequestError, match=r"bad\.mid"):
        read_midi(tmp_path / "bad.mid")


def test_a_folder_counts_copies_even_transposed_ones_and_what_is_of_no_use(tmp_path: Path) -> None:
    write_song(tmp_path / "one.mid", BAND)
    write_song(tmp_path / "below" / "same.MID", BAND)
    write_song(tmp_path / "higher.mid", BAND, transpose=3, tempo_bpm=90)
    write_song(tmp_path / "other.mid", OTHER_BAND)
    write_song(tmp_path / "alone.mid", BAND[:1])
    (tmp_path / "bad.mid").write_bytes(b"?")
    (tmp_path / "LICENSE.txt").write_text("CC BY 4.0\n\nby somebody\n")

    facts = MidiFolder(tmp_path).describe()

    assert (facts["num_songs"], facts["num_copies"], facts["num_unusable"]) == (2, 2, 2)
    assert facts["licences"] == {"LICENSE.txt": "CC BY 4.0 by somebody"}


def test_no_song_is_in_both_splits_and_the_same_seed_gives_the_same_piece(folder: Path) -> None:
    source = MidiFolder(folder)

    titles = {
        split: {source.draw(seed, split, 8.0).piece.title for seed in range(40)} for split in ("train", "heldout")
    }

    assert titles["train"]
    assert titles["heldout"]
    assert not titles["train"] & titles["heldout"]
    assert source.draw(3, "train", 8.0) == MidiFolder(folder).draw(3, "train", 8.0)


def test_pieces_fit_their_length_and_know_their_beats_and_an_estimate_of_their_chords(folder: Path) -> None:
    source = MidiFolder(folder)
    for seed in range(20):
        piece = source.draw(seed, "train", 10.0).piece
        assert piece.duration_s == pytest.approx(10.0)
        assert 2 <= len(piece.stems) <= 9
        assert len({stem.name for stem in piece.stems}) == len(piece.stems)
        for stem in piece.stems:
            assert all(0 <= n.start_s < n.end_s <= 10.0 + 1e-6 and 0 <= n.pitch <= 127 for n in stem.notes)
        beat_s = [b - a for a, b in pairwise(piece.beat_times_s)]
        assert piece.tempo_bpm is not None
        assert beat_s == pytest.approx([60 / piece.tempo_bpm] * len(beat_s), rel=1e-3)
        assert piece.chords[-1].end_s == pytest.approx(10.0)


def test_variants_differ_in_key_and_tempo_and_drums_stay(folder: Path) -> None:
    song = read_midi(folder / "song0.mid")

    pieces = [piece_of_song(song, "x", seed, 8.0, random.Random(seed), genre="g") for seed in range(30)]

    assert len({piece.key_pitch_class for piece in pieces}) > 4
    assert max(p.tempo_bpm or 0 for p in pieces) > 1.15 * min(p.tempo_bpm or 0 for p in pieces)
    drum_keys = {n.pitch for p in pieces for s in p.stems if s.instrument == "drums" for n in s.notes}
    assert drum_keys == {36, 38, 42}


def test_unvaried_windows_keep_pitches_and_programs(folder: Path) -> None:
    song = read_midi(folder / "song0.mid")

    piece = piece_of_song(song, "x", 1, 8.0, random.Random(1), genre="g", is_varied=False)

    stems = {stem.instrument: stem for stem in piece.stems}
    assert set(stems) == {"piano", "bass", "drums", "ensemble"}
    assert {note.pitch for note in stems["piano"].notes} <= {60, 64, 67, 72}
    assert stems["bass"].program == 33


def test_a_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="There is no folder"):
        MidiFolder(tmp_path / "absent")
    with pytest.raises(InvalidRequestError, match=r"nothing to learn from.*0 MIDI files"):
        MidiFolder(tmp_path)


def test_estimated_chords_are_those_that_were_composed() -> None:
    hits = total = 0
    for seed in range(12):
        piece = compose_piece(seed, 16.0)
        notes = [note for stem in piece.stems if stem.instrument != "drums" for note in stem.notes]
        estimate = estimate_chords(notes, piece.beat_times_s, 16.0)
        for tenth in range(10, 160):
            true, guess = chord_at(piece.chords, tenth / 10), chord_at(estimate, tenth / 10)
            if true is not None and guess is not None:
                total += 1
                hits += true.root == guess.root

    assert total > 1000
    assert hits / total > 0.9


def test_without_notes_there_are_no_chords_and_no_key() -> None:
    assert estimate_chords([], (0.0, 1.0), 2.0) == ()
    assert estimate_chords([Note(0.0, 60, 1.0, 90)], (), 2.0) == ()
    assert estimate_key([]) is None


def test_the_key_of_a_scale_that_leans_on_its_tonic_is_found() -> None:
    pitches = [60, 62, 64, 65, 67, 69, 71, 72, 67, 60, 60]

    assert estimate_key([Note(i / 2, p, 0.5, 90) for i, p in enumerate(pitches)]) == (0, "major")
    assert estimate_key([Note(i / 2, p - 3, 0.5, 90) for i, p in enumerate(pitches)]) == (9, "major")


def test_rights_that_are_told_beside_a_folder_are_recorded_line_by_line(tmp_path: Path) -> None:
    folder = tmp_path / "rock"
    folder.mkdir()
    (tmp_path / "README.md").write_text("# MIDI\n\n| rock/ | BSD |\n| rockabilly/ | CC0 |\n", encoding="utf-8")
    (tmp_path / "notes.md").write_text("rock", encoding="utf-8")

    assert licences_in(folder) == {"../README.md": "| rock/ | BSD |"}
    (folder / "COPYING").write_text("GPL", encoding="utf-8")
    assert licences_in(folder) == {"COPYING": "GPL"}
    assert licences_in(tmp_path / "rockabilly") == {"../README.md": "| rockabilly/ | CC0 |"}
