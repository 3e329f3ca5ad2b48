"""Folders of real stems, in the layouts of the public collections."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from stemgen_core.corpus.offline_synth import SAMPLE_RATE_HZ
from stemgen_core.corpus.sources.stem_folder import StemFolder
from stemgen_core.corpus.sources.stem_layouts import find_songs, instrument_of_name
from stemgen_core.errors import AudioFormatError, InvalidRequestError
from tests.core.corpus_sources.made_up import write_moises, write_musdb, write_slakh, write_tone


@pytest.mark.parametrize(
    ("name", "instrument"),
    [
        ("Drums", "drums"),
        ("02_Kick", "drums"),
        ("Lead Vox", "vocals"),
        ("E-Guitar 2", "guitar"),
        ("sub bass", "bass"),
        ("Hammond Organ", "organ"),
        ("synth_lead", "synth_lead"),
        ("Strings", "strings"),
        ("violin_1", "strings"),
        ("String Section", "ensemble"),
        ("Alto Sax", "reed"),
        ("other", None),
        ("FX", None),
        ("bassoon", "reed"),
    ],
)
def test_names_tell_the_category(name: str, instrument: str | None) -> None:
    assert instrument_of_name(name) == instrument


def test_musdb_gives_three_stems_and_its_test_part_is_held_out(tmp_path: Path) -> None:
    write_musdb(tmp_path / "train", "A - One", "B - Two")
    write_musdb(tmp_path / "test", "C - Three")

    source = StemFolder(tmp_path)
    songs, _ = find_songs(tmp_path)

    assert {song.layout for song in songs} == {"musdb"}
    assert [stem.instrument for stem in songs[0].stems] == ["bass", "drums", "vocals"]
    assert source.describe()["num_unknown_stems"] == 3 - 1  # C is a copy of A's tones
    for seed in range(5):
        sourced = source.draw(seed, "train", 4.0)
        assert sourced.audio is not None
        assert sourced.audio.shape == (3, 4 * SAMPLE_RATE_HZ)
        assert sourced.piece.title.startswith("train/")
        assert not sourced.piece.has_harmony
        assert not sourced.piece.has_notes


def test_slakh_gives_programs_and_the_notes_of_its_midi(tmp_path: Path) -> None:
    write_slakh(tmp_path / "train", "Track00001")
    write_slakh(tmp_path / "test", "Track01876")
    shutil.rmtree(tmp_path / "test" / "Track01876" / "MIDI")
    write_tone(tmp_path / "test" / "Track01876" / "stems" / "S00.flac", 500.0)

    sourced = StemFolder(tmp_path).draw(1, "train", 4.0)

    stems = {stem.instrument: stem for stem in sourced.piece.stems}
    assert set(stems) == {"piano", "bass", "drums"}
    assert stems["piano"].program == 4
    assert {note.pitch for note in stems["piano"].notes} == {57, 60}
    assert stems["bass"].notes == ()


def test_moises_sums_the_tracks_of_a_stem(tmp_path: Path) -> None:
    write_moises(tmp_path, "8f3a")

    songs, _ = find_songs(tmp_path)
    sourced = StemFolder(tmp_path).draw(0, "train", 2.0)

    assert [stem.instrument for stem in songs[0].stems] == ["guitar", "vocals"]
    assert [len(stem.paths) for stem in songs[0].stems] == [2, 1]
    assert songs[0].num_unknown == 1
    assert sourced.audio is not None
    spectrum = np.abs(np.fft.rfft(sourced.audio[0, :SAMPLE_RATE_HZ]))
    assert set(np.argsort(spectrum)[-2:]) == {200, 300}


def test_plain_folders_leave_mixes_out_and_copies_count_once(tmp_path: Path) -> None:
    for song in ("one", "two"):
        for name, hz in (("drums", 100.0), ("Rhodes piano", 200.0), ("mix", 300.0)):
            write_tone(tmp_path / song / f"{name}.wav", hz + (song == "two"))
    shutil.copytree(tmp_path / "one", tmp_path / "one again")
    (tmp_path / "README.md").write_text("Public domain")

    facts = StemFolder(tmp_path).describe()

    assert (facts["num_songs"], facts["num_copies"], facts["layouts"]) == (2, 1, ["plain"])
    assert facts["licences"] == {"README.md": "Public domain"}


def test_silent_stems_are_left_out_and_a_window_needs_two(tmp_path: Path) -> None:
    for name, level in (("drums", 0.3), ("bass", 0.2), ("piano", 0.0)):
        write_tone(tmp_path / "one" / f"{name}.wav", 150.0, level=level)
    for name, level in (("drums", 0.3), ("bass", 0.0)):
        write_tone(tmp_path / "alone" / "song" / f"{name}.wav", 150.0, level=level)

    sourced = StemFolder(tmp_path / "one").draw(0, "train", 3.0)

    assert {stem.instrument for stem in sourced.piece.stems} == {"drums", "bass"}
    with pytest.raises(AudioFormatError, match="Fewer than two stems"):
        StemFolder(tmp_path / "alone").draw(0, "train", 3.0)


def test_a_short_song_gives_a_short_piece(tmp_path: Path) -> None:
    write_tone(tmp_path / "s" / "drums.wav", 100.0, seconds=2.5)
    write_tone(tmp_path / "s" / "bass.wav", 200.0, seconds=3.0)

    assert StemFolder(tmp_path).draw(0, "train", 24.0).piece.duration_s == pytest.approx(2.5, abs=0.01)


def test_a_folder_without_songs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "song.stem.mp4").write_bytes(b"")
    with pytest.raises(InvalidRequestError, match="MUSDB18-HQ"):
        StemFolder(tmp_path)
