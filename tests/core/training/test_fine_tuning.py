"""A bundle that goes on learning from a folder of stems, by one command."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stemgen_core.checkpoint import read_manifest
from stemgen_core.cli.main import main
from stemgen_core.codec.encodec import ENCODEC_PRESETS, EncodecCodec
from stemgen_core.corpus.storage import Corpus
from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.training import families, lm
from stemgen_core.training.families import AudioFamily, ScoreFamily, TrainingFamily
from stemgen_core.training.fine_tuning import OTHER, OWN, FineTuning, schedule_of, take_in
from stemgen_core.training.lm import LmTrainer, LmTrainingConfig
from tests.core.tiny_models import tone
from tests.core.toy_corpus import write_toy_corpus
from tests.core.toy_stems import write_plain_songs, write_songs_with_notes

FIRST = LmTrainingConfig(size="tiny", num_steps=1, batch_size=2, window_frames=50, num_held_out_batches=1)
QUICK = {"batch_size": 2, "num_held_out_batches": 1, "has_bfloat16": False, "num_loaders": 0}
OPTIONS = ["--batch-size", "2", "--pieces", "20", "--evaluate-every", "99", "--float32", "--loaders", "0"]


@pytest.fixture(autouse=True)
def quick_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "LISTENING_SETTINGS", SamplingSettings(num_steps=(1,)))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_toy_corpus(tmp_path_factory.mktemp("corpus") / "toy", num_training=3, num_held_out=1)


@pytest.fixture(scope="module")
def with_notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_songs_with_notes(tmp_path_factory.mktemp("notes"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plain_songs(tmp_path_factory.mktemp("plain"))


def write_bundle(family: TrainingFamily, corpus: Corpus, folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lm, "MIN_STEMS_PER_INSTRUMENT", 1)
        LmTrainer(family, corpus, folder / "run", FIRST).write_bundle(folder / "bundle", {})
    return folder / "bundle"


@pytest.fixture(scope="module")
def score_bundle(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(ScoreFamily(), corpus, tmp_path_factory.mktemp("score"))


@pytest.fixture(scope="module")
def audio_bundle(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    return write_bundle(AudioFamily(EncodecCodec(ENCODEC_PRESETS["tiny"])), corpus, tmp_path_factory.mktemp("audio"))


def tuning_of(bundle: Path, data: Path, run: Path, **given: object) -> FineTuning:
    manifest = read_manifest(bundle)
    return FineTuning(bundle, take_in(data, manifest, run, num_pieces=20), run, schedule_of(manifest, QUICK | given))


def test_a_score_bundle_learns_from_stems_with_midi_by_one_command(
    score_bundle: Path, with_notes: Path, corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "lm", "--from", str(score_bundle), "--data", str(with_notes), str(tmp_path / "run")]

    assert main([*command, *OPTIONS, "--steps", "2", "--compare", str(corpus.folder)]) == 0

    words = capsys.readouterr().out
    assert f"held-out pieces of {with_notes}" in words
    assert f"held-out pieces of {corpus.folder}" in words
    assert words.count("before    after") == 2
    assert words.count("\n  held_out_loss ") == words.count("\n  onset_hits ") == 2
    tuned, base = read_manifest(tmp_path / "run" / "bundle"), read_manifest(score_bundle)
    assert tuned.model_id != base.model_id == tuned.training["fine_tuned_from"]
    assert tuned.training["scores_before"][OWN] != tuned.training["scores_after"][OWN]
    request = GenerationRequest("bass", 1, SamplingSettings(num_steps=(2, 1)))
    assert StemGenerator.load(tmp_path / "run" / "bundle").generate(tone(2.0), request).stem.num_audio_samples == 64_000


def test_an_audio_bundle_learns_from_plain_stems(
    audio_bundle: Path, plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "lm", "--from", str(audio_bundle), "--data", str(plain), str(tmp_path / "run")]

    assert main([*command, *OPTIONS, "--steps", "2", "--bundle", str(tmp_path / "mine")]) == 0

    assert "held_out_loss " in capsys.readouterr().out
    request = GenerationRequest("bass", 1, SamplingSettings(num_steps=(2, 1)))
    assert StemGenerator.load(tmp_path / "mine").generate(tone(1.0), request).stem.num_audio_samples == 32_000


def test_what_was_learnt_shows_in_the_scores_of_pieces_that_were_held_out(
    score_bundle: Path, with_notes: Path, tmp_path: Path
) -> None:
    tuning = tuning_of(score_bundle, with_notes, tmp_path, num_steps=12, learning_rate=2e-3, num_warmup_steps=1)

    result = tuning.run(report=lambda _step, _values: None)

    assert result is not None
    assert result.after[OWN]["held_out_loss"] < result.before[OWN]["held_out_loss"]


def test_the_scores_before_are_the_bundles_own_also_of_a_run_in_legs(
    score_bundle: Path, with_notes: Path, corpus: Corpus, tmp_path: Path
) -> None:
    whole = tuning_of(score_bundle, with_notes, tmp_path / "whole", num_steps=2)
    untouched = whole.trainer.evaluate()
    first = whole.run(report=lambda _step, _values: None)

    assert (
        tuning_of(score_bundle, with_notes, tmp_path / "legs", num_steps=2).run(
            max_seconds=0, report=lambda _step, _values: None
        )
        is None
    )
    second = tuning_of(score_bundle, with_notes, tmp_path / "legs", num_steps=2).run(report=lambda _step, _values: None)

    assert first is not None
    assert first == second
    assert first.before[OWN] == untouched
    assert set(first.before) == {OWN} != {OWN, OTHER}


@pytest.mark.parametrize("num_with_midi", [0, 2])
def test_stems_without_notes_are_refused_for_a_model_of_notes_with_the_ways_out(
    num_with_midi: int, score_bundle: Path, plain: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    write_plain_songs(data / "mine", num_songs=2)
    if num_with_midi:
        write_songs_with_notes(data / "slakh", num_songs=num_with_midi)

    with pytest.raises(InvalidRequestError, match=r"2 of \d songs .* Put MIDI beside .* bundle of the audio family"):
        take_in(data, read_manifest(score_bundle), tmp_path / "run")

    assert not (tmp_path / "run").exists()


def test_what_a_bundle_offered_it_offers_still(score_bundle: Path, with_notes: Path, tmp_path: Path) -> None:
    tuning = tuning_of(score_bundle, with_notes, tmp_path / "run", num_steps=1)
    tuning.base = replace(tuning.base, instruments=("piano", "organ", "bass"), genres=("dub", "techno"))

    manifest = tuning.write_bundle(tmp_path / "bundle", {})

    assert {"piano", "organ", "bass"} <= set(manifest.instruments)  # the folder has no organ
    assert manifest.genres == ("dub", "techno")


def test_a_fine_tuning_goes_on_at_a_fraction_of_the_rate_and_keeps_size_and_window(score_bundle: Path) -> None:
    config = schedule_of(read_manifest(score_bundle), {"num_steps": 7})

    assert (config.size, config.window_frames, config.num_steps) == ("tiny", 50, 7)
    assert config.learning_rate <= LmTrainingConfig().learning_rate / 5


def test_a_folder_that_is_cut_stays_cut(score_bundle: Path, with_notes: Path, tmp_path: Path) -> None:
    manifest = read_manifest(score_bundle)
    first = take_in(with_notes, manifest, tmp_path, num_pieces=20)
    written = {path: path.stat().st_mtime_ns for path in (first.folder / "pieces").iterdir()}

    again = take_in(with_notes, manifest, tmp_path, num_pieces=20)

    assert {path: path.stat().st_mtime_ns for path in (again.folder / "pieces").iterdir()} == written
    assert json.loads((again.folder / "manifest.json").read_text())["sources"][0]["num_songs"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["c"], "Name a corpus and the run's folder"),
        (["run", "--data", "d"], "To fine-tune: stemgen train lm --from BUNDLE --data FOLDER RUN"),
        (["c", "run", "--data", "d", "--from", "b"], "To fine-tune: stemgen train lm --from BUNDLE"),
        (["run", "--data", "d", "--from", "b", "--size", "tiny"], "keeps its size and its codec"),
    ],
    ids=["no run", "no bundle", "a corpus too", "another size"],
)
def test_a_command_that_does_not_fit_together_is_told_how_it_goes(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "lm", *arguments]) == 1

    assert message in capsys.readouterr().err
