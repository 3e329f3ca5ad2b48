"""The other commands, the parser and the exit codes."""

import argparse
import hashlib
import json
from pathlib import Path

import pytest

from stemgen_core.checkpoint import read_manifest
from stemgen_core.cli import generate, main
from stemgen_core.cli.main import build_parser
from stemgen_core.cli.options import read_sampling
from stemgen_core.evaluation import obedience
from stemgen_core.sampling.settings import PRESETS
from stemgen_core.training import lm
from tests.core.tiny_models import OFFERED, toy_listener, write_score_bundle
from tests.core.toy_corpus import write_toy_corpus

GENERATE = ["generate", "a.wav", "--instrument", "bass", "--out", "b"]
COMMANDS = ["generate", "instruments", "info", "synthesize", "evaluate", "examples"]
COMMANDS += ["train codec", "train lm", "train listener", "add-listener"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    write_score_bundle(folder, window_frames=50)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: stemgen {command}")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sing"],
        ["train"],
        ["generate", "a.wav"],
        ["generate", "a.wav", "--out", "b"],
        [*GENERATE, "--preset", "best"],
        [*GENERATE, "--steps", "4,many"],
        [*GENERATE, "--seed", "1.5"],
        ["train", "lm", "c", "r", "--size", "huge"],
    ],
    ids=" ".join,
)
def test_arguments_that_cannot_be_parsed_are_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage: stemgen" in capsys.readouterr().err


def test_steps_that_are_no_numbers_are_told_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*GENERATE, "--steps", "4;2"])

    assert "'4;2' is not a list of numbers such as 12,8,4" in capsys.readouterr().err


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_alone_is_the_preset(preset: str) -> None:
    assert read_sampling(build_parser().parse_args([*GENERATE, "--preset", preset])) == PRESETS[preset]


def test_every_sampling_option_reaches_its_setting() -> None:
    options = "--steps 5,4 --context-guidance 2 --instrument-guidance 3 --guided-levels 4 --causal-bias 0.3"
    options += " --density-guidance 0.6"

    settings = read_sampling(build_parser().parse_args([*GENERATE, *options.split(), "--temperature", "0.7"]))

    assert settings.num_steps == (5, 4)
    assert (settings.context_guidance_scale, settings.instrument_guidance_scale) == (2.0, 3.0)
    assert (settings.num_guided_levels, settings.causal_bias, settings.temperature) == (4, 0.3, 0.7)
    assert settings.density_guidance_share == 0.6


def test_zero_is_a_value_and_not_an_absence() -> None:
    parsed = build_parser().parse_args([*GENERATE, "--context-guidance", "0", "--guided-levels", "0"])

    settings = read_sampling(parsed)

    assert (settings.context_guidance_scale, settings.num_guided_levels) == (0.0, 0)


def test_instruments_lists_what_the_model_plays(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["instruments", "--model", str(bundle)]) == 0

    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _ in lines] == list(OFFERED)
    assert ["drums", "Drums"] in lines


def test_info_names_the_model_and_how_it_was_trained(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--model", str(bundle)]) == 0

    printed = capsys.readouterr().out
    assert read_manifest(bundle).model_id in printed
    assert "window        2 s" in printed
    assert "score-25hz-6x256-v1, 25 frames a second" in printed
    assert "piano, bass, drums" in printed
    assert "steps: 0" in printed
    assert all(name in printed for name in PRESETS)


@pytest.mark.parametrize("command", ["instruments", "info"])
def test_without_a_model_a_line_says_so(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--model", str(tmp_path)]) == 1

    assert capsys.readouterr().err == f"stemgen: There is no model at {tmp_path}: bundle.json is missing.\n"


def test_control_c_is_status_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(_parsed: argparse.Namespace) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(generate, "run", interrupt)

    assert main(GENERATE) == 130
    assert capsys.readouterr().err == "stemgen: stopped\n"


def test_an_accident_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(_parsed: argparse.Namespace) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(generate, "run", stumble)

    with pytest.raises(ZeroDivisionError):
        main(GENERATE)


@pytest.mark.parametrize(
    "arguments",
    [["evaluate", "{}", "--out", "x"], ["train", "lm", "{}", "{}/run"], ["train", "codec", "{}", "{}/run"]],
    ids=["evaluate", "lm", "codec"],
)
def test_a_folder_that_is_no_corpus_is_told(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(tmp_path) for argument in arguments]) == 1

    assert f"{tmp_path} is no corpus: it has no manifest.json" in capsys.readouterr().err


def test_a_codec_that_does_not_exist_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "codec", str(tmp_path), str(tmp_path / "run"), "--config", "big"]) == 1

    assert "no codec called 'big'. Choose one of: encodec_32khz, small, tiny" in capsys.readouterr().err


def test_lm_trains_and_writes_a_bundle_that_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lm, "MIN_STEMS_PER_INSTRUMENT", 1)
    corpus = write_toy_corpus(tmp_path / "corpus", num_training=2, num_held_out=1)
    command = ["train", "lm", str(corpus.folder), str(tmp_path / "run"), "--size", "tiny", "--batch-size", "2"]
    options = ["--window-frames", "24", "--steps", "2", "--evaluate-every", "99", "--optimizer", "adamw", "--seed", "5"]

    assert main([*command, *options, "--bundle", str(tmp_path / "bundle")]) == 0

    manifest = read_manifest(tmp_path / "bundle")
    assert "2 steps; the schedule is at its end" in capsys.readouterr().out
    assert manifest.training["config"]["seed"] == 5
    assert manifest.training["config"]["window_frames"] == manifest.window_frames == 24


def test_a_listener_is_added_to_a_bundle_and_judges_from_then_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, path = tmp_path / "bundle", tmp_path / "listener.safetensors"
    manifest = write_score_bundle(bundle)
    toy_listener().save(path, {})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    assert main(["add-listener", str(path), str(bundle)]) == 0
    assert main(["info", "--model", str(bundle)]) == 0

    printed = capsys.readouterr().out
    assert printed.startswith(f"{manifest.model_id} is judged by listener-{digest[:12]}\n")
    assert f"judged by     listener-{digest[:12]}" in printed


def test_a_listener_of_something_else_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_score_bundle(tmp_path / "bundle")
    toy_listener(hears="ears").save(tmp_path / "other", {})

    assert main(["add-listener", str(tmp_path / "other"), str(tmp_path / "bundle")]) == 1
    assert "hears ears and reads score-" in capsys.readouterr().err


@pytest.mark.slow
def test_evaluate_writes_results_and_prints_the_tables(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(obedience, "MIN_STEMS_PER_LABEL", 3)
    corpus = write_toy_corpus(tmp_path / "corpus", num_training=12, num_held_out=3)
    command = ["evaluate", str(corpus.folder), "--model", str(bundle), "--out", str(tmp_path / "out")]
    options = ["--experiments", "held-out", "--items", "3", "--seconds", "3", "--preset", "fast", "--steps", "2,1"]

    assert main([*command, *options, "--quick", "--tables", str(tmp_path / "TABLES.md")]) == 0

    record = json.loads((tmp_path / "out" / "held-out.json").read_text())
    assert record["model_id"] == read_manifest(bundle).model_id
    assert record["size"]["items"] == record["size"]["swaps"] == 3
    assert record["settings"]["num_steps"] == [2, 1]
    markdown = (tmp_path / "TABLES.md").read_text()
    assert markdown.strip() in capsys.readouterr().out
    assert "| beat_f1 |" in markdown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "c", "--out", "o", "--items", "1"], "needs 2 items or more, got 1"),
        (["examples", "o"], "Name a corpus with --corpus, a folder of clips with --contexts, or one of --recordings"),
    ],
    ids=["evaluate", "examples"],
)
def test_what_cannot_be_measured_or_shown_is_told(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1

    assert message in capsys.readouterr().err
