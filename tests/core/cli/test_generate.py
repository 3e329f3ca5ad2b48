"""`stemgen generate` from a file to files."""

import json
from pathlib import Path

import mido
import pytest
import soundfile

from stemgen_core.audio import read_audio, write_wav
from stemgen_core.checkpoint import read_manifest
from stemgen_core.cli import main
from tests.core.tiny_models import tone, write_score_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    write_score_bundle(folder, genres=("lofi", "techno"))
    return folder


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("context") / "beat.wav"
    write_wav(path, tone(1.5, 22_050))
    return path


def generate(context: Path, bundle: Path, out: Path, *options: str) -> int:
    arguments = ["generate", str(context), "--instrument", "piano", "--out", str(out), "--model", str(bundle)]
    return main([*arguments, "--preset", "fast", "--steps", "2,1", *options])


@pytest.fixture(scope="module")
def two(context: Path, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with two variations from seed 7."""
    out = tmp_path_factory.mktemp("out") / "new"
    assert generate(context, bundle, out, "--seed", "7", "--context-guidance", "1.5") == 0
    return out


def test_it_writes_stems_mixes_notes_and_the_record(two: Path) -> None:
    names = {f"{kind}-{number}.{suffix}" for number in (1, 2) for kind, suffix in (("stem", "wav"), ("mix", "wav"))}

    assert {path.name for path in two.iterdir()} == names | {"stem-1.mid", "stem-2.mid", "generation.json"}


def test_stems_have_the_contexts_rate_and_length_and_mixes_are_the_sum(two: Path, context: Path) -> None:
    heard = read_audio(context).samples
    for number in (1, 2):
        stem, rate_hz = soundfile.read(two / f"stem-{number}.wav")
        mix, _ = soundfile.read(two / f"mix-{number}.wav")

        assert rate_hz == 22_050
        assert stem.shape == mix.shape == (33_075, 2)
        unclipped = abs(mix) < 0.999
        assert abs((heard.T.numpy() + stem - mix)[unclipped]).max() < 1e-6


def test_the_record_says_how_to_make_it_again(two: Path, bundle: Path) -> None:
    record = json.loads((two / "generation.json").read_text())

    assert record["model_id"] == read_manifest(bundle).model_id
    assert record["context"] == {"file": "beat.wav", "seconds": 1.5, "sample_rate_hz": 22_050}
    assert (record["instrument"], record["preset"]) == ("piano", "fast")
    assert record["settings"]["num_steps"] == [2, 1]
    assert record["settings"]["context_guidance_scale"] == 1.5
    assert [variation["seed"] for variation in record["variations"]] == [7, 8]
    for variation in record["variations"]:
        assert all((two / name).exists() for name in variation["files"])
        assert variation["seconds_spent"] >= 0
        assert "verdict" in variation["fit"]


def test_a_genre_and_a_category_are_asked_for_and_recorded(context: Path, bundle: Path, tmp_path: Path) -> None:
    made = {}
    for genre in ("lofi", "techno"):
        options = ("--variations", "1", "--genre", genre, "--stem-category", "harmonic")
        assert generate(context, bundle, tmp_path / genre, *options) == 0
        record = json.loads((tmp_path / genre / "generation.json").read_text())
        assert (record["genre"], record["stem_category"]) == (genre, "harmonic")
        made[genre] = (tmp_path / genre / "stem-1.wav").read_bytes()

    assert made["lofi"] != made["techno"]


def test_the_notes_are_a_midi_file_as_long_as_the_context(two: Path) -> None:
    for number in (1, 2):
        file = mido.MidiFile(two / f"stem-{number}.mid")

        kinds = [message.type for message in file.tracks[0]]
        assert kinds.count("note_on") == kinds.count("note_off") > 0
        assert file.length <= 1.51


def test_the_same_seed_gives_the_same_bytes(two: Path, context: Path, bundle: Path, tmp_path: Path) -> None:
    options = ("--seed", "8", "--variations", "1", "--context-guidance", "1.5")

    assert generate(context, bundle, tmp_path, *options) == 0

    for name in ("stem-{}.wav", "mix-{}.wav", "stem-{}.mid"):
        assert (tmp_path / name.format(1)).read_bytes() == (two / name.format(2)).read_bytes()
    assert (two / "stem-1.wav").read_bytes() != (two / "stem-2.wav").read_bytes()


def test_a_line_per_variation_is_printed(
    context: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(context, bundle, tmp_path, "--variations", "1")

    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("stem-1.wav  seed 0  ")
    assert "dB against the mix" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--instrument", "kazoo"), "There is no instrument called 'kazoo'. Choose one of: piano"),
        (("--instrument", "organ"), "This model was not trained to play organ. Choose one of: piano, bass, drums."),
        (("--genre", "polka"), "This model was not trained on the genre 'polka'. Choose one of: lofi, techno."),
        (("--stem-category", "odd"), "This model was not trained on the stem category 'odd'. Choose one of: melodic"),
        (("--variations", "0"), "Ask for 1 to 16 variations, got 0."),
        (("--variations", "17"), "Ask for 1 to 16 variations, got 17."),
        (("--seed", "-1"), "The seed must be 0 to 2147483647, got -1."),
        (("--temperature", "0"), "Temperature must be above 0"),
        (("--steps", "0"), "Steps must be 1 to 512 per level"),
        (("--context-guidance", "9"), "Context guidance scale must be 0 to 6, got 9."),
    ],
    ids=str,
)
def test_what_cannot_be_is_one_line_and_status_1(
    options: tuple[str, ...],
    message: str,
    context: Path,
    bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert generate(context, bundle, tmp_path, *options) == 1

    printed = capsys.readouterr()
    assert printed.err.startswith(f"stemgen: {message}")
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""
    assert not list(tmp_path.glob("*.wav"))


def test_a_context_that_is_not_there_is_told(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(tmp_path / "nothing.wav", bundle, tmp_path) == 1

    assert "nothing.wav" in capsys.readouterr().err


def test_a_context_that_is_no_audio_is_told(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.wav").write_text("this is no audio")

    assert generate(tmp_path / "text.wav", bundle, tmp_path) == 1

    assert capsys.readouterr().err.startswith("stemgen: ")


def test_a_silent_context_is_told(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silence = tone(1.0)
    silence.samples.zero_()
    write_wav(tmp_path / "silence.wav", silence)

    assert generate(tmp_path / "silence.wav", bundle, tmp_path) == 1

    assert "silence.wav can't be used: it is silent" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_told(context: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(context, tmp_path / "none", tmp_path) == 1

    assert "There is no model at" in capsys.readouterr().err
