"""What comes out of the studio adds up, says what it is, and leaves nothing behind."""

import io
import json
import subprocess
import tempfile
import zipfile
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from app.errors import ExportError
from app.exporting import encoding
from app.exporting.desk import ExportDesk, ExportedFile
from app.exporting.encoding import FORMATS
from app.services import Studio
from sessions.errors import NotFoundError
from sessions.tree import Mixer, Node
from stemgen_core.audio import read_audio
from tests.app.exporting.conftest import add_stem
from tests.app.waiting import OWNER


def _bytes(file: ExportedFile) -> bytes:
    with file.content:
        content = file.content.read()
    assert len(content) == file.num_bytes
    return content


def _package(desk: ExportDesk, node: Node, format_name: str = "wav") -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(_bytes(desk.export(OWNER, node.id, "package", format_name))))
    assert archive.testzip() is None
    return {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}


def _audio(content: bytes) -> np.ndarray:
    samples, _ = soundfile.read(io.BytesIO(content), always_2d=True)
    return samples.T  # [L, C] -> [C, L]


def _by_hand(stems: list[np.ndarray], settings: dict) -> np.ndarray:
    """Return the mix as settings.json describes it, computed without any of the studio's code."""
    total = np.zeros((2, stems[0].shape[1]))
    for stem, told in zip(stems, settings["stems"], strict=True):
        strip = told["mixer"]
        if strip["is_muted"]:
            continue
        gain = 10 ** ((strip["gain_db"] + settings["mix"]["gain_db"]) / 20)
        left, right, angle = stem[0], stem[-1], np.pi / 2 * strip["pan"]
        if angle > 0:
            left, right = np.cos(angle) * left, right + np.sin(angle) * left
        else:
            left, right = left - np.sin(angle) * right, np.cos(angle) * right
        total += gain * np.stack([left, right])
    return total


def _level_db(difference: np.ndarray) -> float:
    return float(20 * np.log10(np.abs(difference).max() + 1e-12))


@pytest.mark.parametrize("format_name", ["wav", "flac"])
def test_the_mix_is_the_sum_of_the_stems_through_their_faders(desk: ExportDesk, piano: Node, format_name: str) -> None:
    files = _package(desk, piano, format_name)
    settings = json.loads(files["settings.json"])

    stems = [_audio(files[stem["file"]]) for stem in settings["stems"]]
    mix = _audio(files[settings["mix"]["file"]])

    assert len(stems) == 3
    assert {stem.shape[1] for stem in stems} == {mix.shape[1]} == {settings["num_audio_samples"]}
    assert _level_db(mix) > -30
    assert _level_db(mix - _by_hand(stems, settings)) < -120


def test_a_muted_stem_is_in_the_package_and_not_in_the_mix(studio: Studio, desk: ExportDesk, piano: Node) -> None:
    before = _audio(_package(desk, piano)["Loop - Piano A.wav"])
    studio.store.set_mixer(OWNER, piano.id, Mixer(gain_db=1.0, pan=1.0, is_muted=True))

    files = _package(desk, piano)

    settings = json.loads(files["settings.json"])
    stems = [_audio(files[stem["file"]]) for stem in settings["stems"]]
    mix = _audio(files["Loop - Piano A.wav"])
    assert len(stems) == 3
    assert _level_db(mix - before) > -40
    assert _level_db(mix - _by_hand(stems, settings)) < -120


def test_a_fader_at_its_bottom_lets_nothing_through(studio: Studio, desk: ExportDesk, context: Node) -> None:
    studio.store.set_mixer(OWNER, context.id, Mixer(gain_db=-60.0))

    assert not _audio(_bytes(desk.export(OWNER, context.id, "mix", "wav"))).any()


def test_solo_is_for_listening_and_changes_no_file(studio: Studio, desk: ExportDesk, context: Node) -> None:
    bass = add_stem(studio, context)
    before = _bytes(desk.export(OWNER, bass.id, "mix", "wav"))

    studio.store.set_mixer(OWNER, context.id, Mixer(is_soloed=True))

    assert _bytes(desk.export(OWNER, bass.id, "mix", "wav")) == before


def test_a_mix_that_would_clip_is_turned_down_as_a_whole_and_says_so(
    studio: Studio, desk: ExportDesk, context: Node
) -> None:
    bass = add_stem(studio, context)
    for node in (context, bass):
        studio.store.set_mixer(OWNER, node.id, Mixer(gain_db=12.0))

    files = _package(desk, bass)

    settings = json.loads(files["settings.json"])
    stems = [_audio(files[stem["file"]]) for stem in settings["stems"]]
    mix = _audio(files[settings["mix"]["file"]])
    assert settings["mix"]["gain_db"] < 0
    assert _level_db(mix) == pytest.approx(-1.0, abs=0.01)
    assert _level_db(mix - _by_hand(stems, settings)) < -120
    assert f"turned down by {-settings['mix']['gain_db']:.1f} dB" in files["README.txt"].decode()


def test_a_nudged_stem_is_moved_in_its_file_and_keeps_the_length(
    studio: Studio, desk: ExportDesk, context: Node
) -> None:
    bass = add_stem(studio, context)
    as_made = _audio(_package(desk, bass)["stems/02 Bass A.wav"])[0]

    studio.store.set_mixer(OWNER, bass.id, Mixer(nudge_ms=10.0))
    later = _audio(_package(desk, bass)["stems/02 Bass A.wav"])[0]
    studio.store.set_mixer(OWNER, bass.id, Mixer(nudge_ms=-10.0))
    earlier = _audio(_package(desk, bass)["stems/02 Bass A.wav"])[0]

    assert np.array_equal(later[441:], as_made[:-441])
    assert not later[:441].any()
    assert np.array_equal(earlier[:-441], as_made[441:])
    assert len(later) == len(earlier) == len(as_made)


def test_the_package_holds_stems_mix_notes_settings_and_a_project(desk: ExportDesk, piano: Node) -> None:
    assert set(_package(desk, piano)) == {
        "stems/01 Loop.wav",
        "stems/02 Bass A.wav",
        "stems/03 Piano A.wav",
        "Loop - Piano A.wav",
        "Loop - Piano A.rpp",
        "midi/02 Bass A.mid",
        "midi/Loop - Piano A.mid",
        "settings.json",
        "README.txt",
    }


def test_the_settings_hold_all_that_makes_a_stem_again(desk: ExportDesk, piano: Node) -> None:
    settings = json.loads(_bytes(desk.export(OWNER, piano.id, "settings", "json")))

    context, bass, last = settings["stems"]
    assert (settings["format"], settings["ai_generated"]) == ("stemgen-piece", True)
    assert (context["ai_generated"], context["made_on"], context["seed"]) == (False, [], None)
    assert (bass["instrument"], bass["seed"], bass["model_id"]) == ("bass", 7, "noise-bursts")
    assert bass["settings"]["temperature"] > 0
    assert last["made_on"] == ["Loop", "Bass A"]
    assert last["mixer"] == {"gain_db": 1.0, "pan": 1.0, "is_muted": False, "is_soloed": False, "nudge_ms": 0.0}


def test_a_stem_that_was_taken_out_again_is_in_no_file(studio: Studio, desk: ExportDesk, piano: Node) -> None:
    bass = studio.store.lineage(OWNER, piano.id)[1]
    without = studio.remove_stem(OWNER, piano.id, bass.id)

    files = _package(desk, without)

    assert [name for name in files if name.startswith("stems/")] == ["stems/01 Loop.wav", "stems/02 Piano A.wav"]


def test_names_that_people_typed_name_the_files(studio: Studio, desk: ExportDesk, context: Node) -> None:
    studio.store.rename_session(OWNER, context.session_id, "Größe: 1/2")
    studio.store.rename_node(OWNER, context.id, "../日曜日")

    file = desk.export(OWNER, context.id, "package", "wav")

    assert file.name == "Größe- 1-2 - ..-日曜日.zip"
    names = zipfile.ZipFile(io.BytesIO(_bytes(file))).namelist()
    assert names[0] == "Größe- 1-2 - ..-日曜日/stems/01 日曜日.wav"
    assert all(not name.startswith("/") and ".." not in name.split("/") for name in names)


# ---- formats and tags ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_mix_in_each_format_lasts_as_long_and_sounds_as_loud(
    desk: ExportDesk, piano: Node, tmp_path: Path, format_name: str
) -> None:
    wanted = _audio(_bytes(desk.export(OWNER, piano.id, "mix", "wav")))
    file = desk.export(OWNER, piano.id, "mix", format_name)
    path = tmp_path / f"mix.{format_name}"
    path.write_bytes(_bytes(file))

    heard = read_audio(path)

    assert file.name == f"Loop - Piano A.{format_name}"
    assert heard.duration_s == pytest.approx(2.0, abs=0.06)
    rms = [float(np.sqrt(np.mean(np.square(samples)))) for samples in (heard.samples.numpy(), wanted)]
    assert 20 * np.log10(rms[0] / rms[1]) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("format_name", FORMATS)
def test_each_file_says_its_title_and_that_a_model_made_it(
    studio: Studio, desk: ExportDesk, piano: Node, tmp_path: Path, format_name: str
) -> None:
    context = studio.store.lineage(OWNER, piano.id)[0]
    studio.store.set_analysis(OWNER, context.id, {"tempo_bpm": 92.0, "key": "A minor"})
    studio.store.rename_session(OWNER, context.session_id, "Größe")
    path = tmp_path / f"mix.{format_name}"
    path.write_bytes(_bytes(desk.export(OWNER, piano.id, "mix", format_name)))

    probe = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path)]
    info = json.loads(subprocess.run(probe, capture_output=True, check=True).stdout)
    tags = {**info["format"].get("tags", {}), **info["streams"][0].get("tags", {})}
    tags = {name.lower(): text for name, text in tags.items()}

    assert tags["title"] == "Größe - Piano A"
    assert "92 BPM, A minor" in tags["comment"]
    assert "AI-generated with StemGen, model noise-bursts: Bass A, Piano A." in tags["comment"]
    if format_name in ("mp3", "ogg", "opus"):
        assert tags.get("tbpm") or tags.get("bpm") == "92"


def test_without_ffmpeg_only_what_needs_none_is_offered(
    desk: ExportDesk, context: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding.shutil, "which", lambda name: None)
    monkeypatch.setattr(encoding, "_ffmpeg_encoders", encoding._ffmpeg_encoders.__wrapped__)

    assert desk.offers()["mix"] == ("wav", "flac")
    with pytest.raises(ExportError, match="no 'mix' as 'mp3'"):
        desk.export(OWNER, context.id, "mix", "mp3")


def test_an_encoder_that_fails_is_said_in_words_and_leaves_nothing(
    desk: ExportDesk, context: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(encoding, "_ffmpeg_encoders", lambda: {"no-such-encoder"})
    monkeypatch.setattr(encoding, "FORMATS", {"mp3": encoding.AudioFormat(".mp3", "audio/mpeg", "no-such-encoder")})

    with pytest.raises(ExportError, match=r"ffmpeg could not write this file: .*"):
        desk.export(OWNER, context.id, "mix", "mp3")

    assert list((tmp_path / "temp").iterdir()) == []


# ---- notes ---------------------------------------------------------------------------------------------------------


def test_midi_plays_the_notes_at_their_times_in_the_pieces_tempo(
    studio: Studio, desk: ExportDesk, context: Node, tmp_path: Path
) -> None:
    studio.store.set_analysis(OWNER, context.id, {"tempo_bpm": 90.0})
    drums = add_stem(studio, add_stem(studio, context), "drums")
    (tmp_path / "score.mid").write_bytes(_bytes(desk.export(OWNER, drums.id, "midi", "mid")))

    score = mido.MidiFile(tmp_path / "score.mid")

    assert [track.name for track in score.tracks] == ["Bass A", "Drums A"]
    onsets: list[tuple[float, int, int]] = []
    now_s = 0.0
    for message in score:
        now_s += message.time
        if message.type == "note_on":
            onsets.append((round(now_s, 3), message.note, message.channel))
    assert onsets == [(0.0, 40, 0), (0.0, 40, 9), (0.5, 43, 0), (0.5, 43, 9)]
    tempos = {message.tempo for track in score.tracks for message in track if message.type == "set_tempo"}
    assert tempos == {mido.bpm2tempo(90)}


def test_without_notes_there_is_no_midi_and_the_user_is_told(desk: ExportDesk, context: Node) -> None:
    with pytest.raises(ExportError, match="there is no MIDI"):
        desk.export(OWNER, context.id, "midi", "mid")


# ---- whose, and what remains ---------------------------------------------------------------------------------------


def test_a_stranger_gets_nothing_and_a_link_opens_its_session(studio: Studio, desk: ExportDesk, piano: Node) -> None:
    with pytest.raises(NotFoundError):
        desk.export("f" * 32, piano.id, "mix", "wav")

    token = studio.store.share_session(OWNER, piano.session_id).token
    assert _bytes(desk.export(token, piano.id, "mix", "wav"))


@pytest.mark.parametrize(("what", "format_name"), [("mix", "exe"), ("package", "mp3"), ("secret", "wav"), ("", "")])
def test_what_is_not_offered_is_refused_before_anything_is_read(desk: ExportDesk, what: str, format_name: str) -> None:
    with pytest.raises(ExportError, match="to be had"):
        desk.export(OWNER, "no such node", what, format_name)


@pytest.mark.parametrize(("what", "format_name"), [("mix", "mp3"), ("package", "wav"), ("midi", "mid")])
def test_nothing_is_left_on_the_disk_even_before_the_download_is_read(
    desk: ExportDesk, piano: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, format_name: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()

    file = desk.export(OWNER, piano.id, what, format_name)

    assert list((tmp_path / "temp").iterdir()) == []
    assert len(_bytes(file)) == file.num_bytes > 0
