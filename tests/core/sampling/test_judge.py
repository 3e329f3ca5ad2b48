"""Who judges a bundle's stems, what a listener makes of them, and that judging changes none of them."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from stemgen_core.checkpoint import MANIFEST_NAME, load_bundle, read_manifest
from stemgen_core.codec.context_features import BandFeatures
from stemgen_core.codec.protocol import DecodedStem
from stemgen_core.codec.score_codec import score_rules
from stemgen_core.codec.score_roll import score_roll
from stemgen_core.codec.score_tokens import encode_notes
from stemgen_core.errors import CheckpointError
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.instruments import find_instrument
from stemgen_core.sampling.judge import (
    LISTENER_NAME,
    ListenerJudge,
    ModelJudge,
    StemJudge,
    add_listener,
    judge_name,
    open_judge,
)
from stemgen_core.sampling.listening_score import listening_score
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.score import Note
from tests.core.tiny_models import seeded, tone, toy_listener, write_score_bundle

PIANO = find_instrument("piano")
RULES = score_rules(PIANO)
CONDITIONS = {"instrument": torch.tensor([PIANO.index])}
QUICK = SamplingSettings(num_steps=(2, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_score_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def with_listener(folder: Path, seed: int = 0, **changes: Any) -> Path:
    path = folder.parent / f"listener-{seed}.safetensors"
    toy_listener(seed, **changes).save(path, {})
    add_listener(folder, path)
    return folder


def melody(num_frames: int, first: int = 60) -> torch.Tensor:
    notes = [Note(0.3 * index, first + index % 12, 0.25, 90) for index in range(int(num_frames / 25 / 0.3))]
    return encode_notes(notes, PIANO, num_frames)[None]


def features(num_frames: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 142, num_frames, generator=seeded(seed))


# ---- who judges ------------------------------------------------------------------------------------------------


def test_the_model_judges_where_a_bundle_has_no_listener(folder: Path) -> None:
    bundle = load_bundle(folder)

    judge = open_judge(bundle)

    assert isinstance(judge, ModelJudge)
    assert (judge.name, judge.is_quick, judge_name(bundle.manifest)) == ("model", False, "model")
    codes, heard = melody(60), features(60)
    expected = listening_score(bundle.model, heard, codes, CONDITIONS, rules=RULES, window_frames=100)
    assert judge.score(heard, codes, CONDITIONS, rules=RULES) == expected != 0


def test_its_listener_judges_where_a_bundle_has_one(folder: Path) -> None:
    before = read_manifest(folder)
    with_listener(folder)

    judge = open_judge(load_bundle(folder))

    assert isinstance(judge, ListenerJudge)
    assert judge.is_quick
    assert judge.window_frames == 100
    manifest = read_manifest(folder)
    assert judge.name == judge_name(manifest) == f"listener-{manifest.files[LISTENER_NAME][:12]}"
    assert replace(manifest, files=before.files) == before


def test_a_listener_leaves_the_models_id_as_it_is(folder: Path) -> None:
    before = read_manifest(folder).model_id
    with_listener(folder)

    after = json.loads((folder / MANIFEST_NAME).read_text())["model_id"]

    assert before == after == read_manifest(folder).model_id == StemGenerator.load(folder).model_id


def test_another_listener_takes_the_place_of_the_first_and_is_another_judge(folder: Path) -> None:
    first = judge_name(read_manifest(with_listener(folder, 0)))

    second = judge_name(read_manifest(with_listener(folder, 1)))

    assert first != second
    assert open_judge(load_bundle(folder)).name == second


def test_a_file_that_the_manifest_does_not_name_judges_nothing(folder: Path) -> None:
    toy_listener().save(folder / LISTENER_NAME, {})

    assert isinstance(open_judge(load_bundle(folder)), ModelJudge)


# ---- what is refused -------------------------------------------------------------------------------------------


def test_a_listener_that_was_changed_is_refused_by_its_name(folder: Path) -> None:
    path = with_listener(folder) / LISTENER_NAME
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=r"listener\.safetensors is not the file that bundle\.json names"):
        StemGenerator.load(folder)


def test_a_listener_that_is_gone_is_refused_by_its_name(folder: Path) -> None:
    (with_listener(folder) / LISTENER_NAME).unlink()

    with pytest.raises(CheckpointError, match=r"lacks its file listener\.safetensors"):
        StemGenerator.load(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hears": "bands-v1"}, "hears bands-v1 .*works with bands-pulse-25hz-v2"),
        ({"reads": "score-v1"}, "reads score-v1; .* and score-25hz-6x256-v1"),
        ({"hears": "", "reads": ""}, "hears features that nobody named and reads codes that nobody named"),
    ],
)
def test_a_listener_of_other_features_or_codes_is_refused(changes: dict[str, Any], words: str, folder: Path) -> None:
    manifest = (folder / MANIFEST_NAME).read_bytes()

    with pytest.raises(CheckpointError, match=words):
        with_listener(folder, **changes)
    assert (folder / MANIFEST_NAME).read_bytes() == manifest
    assert not (folder / LISTENER_NAME).exists()


def test_a_listener_that_does_not_fit_is_refused_at_load_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_listener(folder)
    content = json.loads((folder / MANIFEST_NAME).read_text())
    content["config"]["context_codec"] = "bands-v9"
    (folder / MANIFEST_NAME).write_text(json.dumps(content))

    with pytest.raises(CheckpointError, match=r"Train one for it: stemgen train listener CORPUS FILE"):
        open_judge(load_bundle(folder))


def test_what_is_no_listener_is_not_added(folder: Path, tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "other")

    with pytest.raises(CheckpointError, match="no listener of this version"):
        add_listener(folder, tmp_path / "other")
    assert LISTENER_NAME not in read_manifest(folder).files


# ---- what a listener makes of a stem ---------------------------------------------------------------------------


def listener_judge(window_frames: int = 100, seed: int = 0) -> ListenerJudge:
    return ListenerJudge(toy_listener(seed), "listener-toy", window_frames)


@pytest.mark.parametrize(
    ("first", "seed", "expected"), [(60, 0, 0.3867), (60, 1, 0.1538), (72, 0, 0.6710)]
)  # fmt: skip
def test_scores_stay_what_they_were(first: int, seed: int, expected: float) -> None:
    score = listener_judge(seed=seed).score(features(80), melody(80, first), CONDITIONS, rules=RULES)

    assert score == pytest.approx(expected, abs=2e-4)


def test_what_was_asked_for_is_not_asked_of_the_stem() -> None:
    codes, heard = melody(60), features(60)

    scores = {
        listener_judge().score(heard, codes, conditions, rules=RULES)
        for conditions in (CONDITIONS, {}, {"instrument": torch.tensor([3])})
    }

    assert len(scores) == 1


def test_a_stem_that_never_plays_scores_nothing() -> None:
    rests = encode_notes((), PIANO, 60)[None]

    assert listener_judge().score(features(60), rests, CONDITIONS, rules=RULES) == 0.0


@pytest.mark.parametrize("num_frames", [100, 230, 1_500, 1_501])
def test_a_long_stem_is_the_mean_of_its_windows_by_their_length(num_frames: int) -> None:
    judge, heard, codes = listener_judge(100), features(num_frames), melody(num_frames)

    score = judge.score(heard, codes, CONDITIONS, rules=RULES)

    total = 0.0
    for start in range(0, num_frames, 100):
        end = min(start + 100, num_frames)
        part = judge.listener.score(heard[..., start:end], score_roll(codes[..., start:end]))
        total += (end - start) * float(part)
    assert score == pytest.approx(total / num_frames, abs=1e-5)


def test_no_more_than_a_window_is_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    judge, lengths = listener_judge(100), []
    real = judge.listener.score

    def score(heard: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        lengths.append((heard.shape[2], rows.shape[2]))
        return real(heard, rows)

    monkeypatch.setattr(judge.listener, "score", score)

    judge.score(features(1_500), melody(1_500), CONDITIONS, rules=RULES)  # 60 s

    assert lengths == [(100, 100)] * 15


# ---- judging and making ----------------------------------------------------------------------------------------


@dataclass
class ContraryJudge:
    """Prefers what another judge likes least."""

    other: StemJudge
    is_quick: bool = True

    name = "contrary"

    def score(self, *arguments: Any, **options: Any) -> float:
        return -self.other.score(*arguments, **options)


@pytest.mark.parametrize("seed", range(4))
def test_one_candidate_gives_the_same_stem_whoever_judges(seed: int, folder: Path) -> None:
    context, request = tone(2.0), GenerationRequest("piano", seed, QUICK)
    by_model = StemGenerator.load(folder).generate(context, request)

    by_listener = StemGenerator.load(with_listener(folder)).generate(context, request)

    assert torch.equal(by_model.stem.samples, by_listener.stem.samples)
    assert by_model.notes == by_listener.notes
    assert (by_model.model_id, by_model.fit) == (by_listener.model_id, by_listener.fit)
    assert by_model.judge == "model"
    assert by_listener.judge == judge_name(read_manifest(folder))
    assert by_model.listening_score != by_listener.listening_score


def test_any_stem_is_scored_by_its_notes_and_what_is_heard_of_the_mix(folder: Path) -> None:
    generator = StemGenerator.load(with_listener(folder))
    context = tone(5.5)  # two windows
    notes = tuple(Note(0.3 * index, 60 + index, 0.25, 90) for index in range(12))

    score = generator.score_stem(context, DecodedStem(context, notes), "piano")

    num_frames = -(-context.num_audio_samples // 1_280)
    heard, codes = BandFeatures().encode(context, num_frames)[None], encode_notes(notes, PIANO, num_frames)[None]
    assert score == pytest.approx(
        listener_judge().score(heard, codes, {}, rules=RULES), abs=2e-3
    )  # float16 in the file
    by_model = ModelJudge(generator.bundle.model, 100)
    assert generator.score_stem(context, DecodedStem(context, notes), "piano", judge=by_model) != score


def test_a_loop_is_scored_even_where_a_slow_judge_is_left_out(folder: Path) -> None:
    request = GenerationRequest("piano", 3, QUICK, is_loop=True)
    slow = StemGenerator.load(folder).generate(tone(2.0), request, is_scored=False)

    quick = StemGenerator.load(with_listener(folder)).generate(tone(2.0), request, is_scored=False)

    assert (slow.listening_score, slow.judge) == (None, None)
    assert quick.judge == judge_name(read_manifest(folder))
    assert quick.listening_score
    assert torch.equal(quick.stem.samples, slow.stem.samples)


@pytest.mark.parametrize("seed", range(3))
def test_of_several_candidates_the_bundles_judge_keeps_its_best(seed: int, folder: Path) -> None:
    generator = StemGenerator.load(with_listener(folder))
    opposite = StemGenerator(generator.bundle, generator.target_codec, BandFeatures(), ContraryJudge(generator.judge))
    context, request = tone(2.0), GenerationRequest("piano", seed, replace(QUICK, num_candidates=4))

    best, worst = (each.generate(context, request) for each in (generator, opposite))

    assert best.chosen_candidates != worst.chosen_candidates
    assert best.listening_score is not None
    assert worst.listening_score is not None
    assert best.listening_score > -worst.listening_score
