"""What came back, put together, and what is said to do next."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from stemgen_core.checkpoint import BundleManifest, load_bundle, save_bundle
from stemgen_core.cli import main
from stemgen_core.codec.band_codec import BAND_CODEC_PRESETS, BandCodec
from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import StemGenerator
from stemgen_core.legs.home import join_leg, next_leg
from stemgen_core.legs.parts import cut_folder
from stemgen_core.legs.plan import PLANS, LegPlan
from tests.core.tiny_models import OFFERED, toy_config, toy_model, write_score_bundle


def write_leg(folder: Path, *, family: str = "audio", **facts: Any) -> Path:
    folder.mkdir(parents=True)
    plan = {"family": family, "corpus_seed": 1_000, "codec": facts.pop("plan_codec", "small")}
    (folder / "leg.json").write_text(json.dumps({"plan": plan, "model_id": "audio-1", **facts}))
    return folder


def test_of_several_snapshots_the_last_complete_one_is_joined(tmp_path: Path) -> None:
    for name, text in (("leg-m009", "early"), ("leg-m018", "later"), ("leg-m026", "last")):
        leg = write_leg(tmp_path / text, note=text)
        cut_folder(leg, tmp_path / "back", name, max_part_bytes=10_000)
    (tmp_path / "back" / "leg-m026-000").unlink()

    parts = join_leg([tmp_path / "back"], tmp_path / "joined")

    assert parts.name == "leg-m018"
    assert json.loads((tmp_path / "joined" / "leg.json").read_text())["note"] == "later"


def test_a_score_bundle_that_travelled_without_its_sounds_gets_them_and_plays(tmp_path: Path) -> None:
    leg = write_leg(tmp_path / "leg", family="score")
    write_score_bundle(leg / "bundle", window_frames=50)
    manifest = json.loads((leg / "bundle" / "bundle.json").read_text())
    for sounds in (leg / "bundle").glob("sounds*"):
        del manifest["files"][sounds.name]
        sounds.unlink()
    (leg / "bundle" / "bundle.json").write_text(json.dumps(manifest))
    cut_folder(leg, tmp_path / "back", "leg-m026", max_part_bytes=100_000)

    join_leg([tmp_path / "back"], tmp_path / "joined")

    assert StemGenerator.load(tmp_path / "joined" / "bundle").model_id == manifest["model_id"]


def test_further_archives_are_added_as_far_as_they_came(tmp_path: Path) -> None:
    for name, content in (("leg-m011", "codec"), ("leg-m011-more1", "first"), ("leg-m011-more2", "second")):
        leg = write_leg(tmp_path / name) if content == "codec" else tmp_path / name
        (leg / content).mkdir(parents=True)
        (leg / content / "weights").write_text(content)
        cut_folder(leg, tmp_path / "back", name, max_part_bytes=10_000)
    (tmp_path / "back" / "leg-m011-more1-000").unlink()

    parts = join_leg([tmp_path / "back"], tmp_path / "joined")

    assert parts.name == "leg-m011"
    assert {path.name for path in (tmp_path / "joined").iterdir()} == {"leg.json", "codec", "second"}
    assert (tmp_path / "joined" / "second" / "weights").read_text() == "second"
    assert not list(tmp_path.glob("*-more"))


def test_a_codec_that_came_inside_its_bundle_lies_beside_it_afterwards(tmp_path: Path) -> None:
    codec, leg = BandCodec(BAND_CODEC_PRESETS["tiny-bands"]), write_leg(tmp_path / "leg")
    codec.codebooks = torch.rand_like(codec.codebooks)
    codec.save(leg / "bundle")
    save_bundle(
        leg / "bundle",
        BundleManifest("audio", toy_config(num_features=None), 50, OFFERED),
        toy_model(config=toy_config(num_features=None)),
    )
    cut_folder(leg, tmp_path / "back", "leg-m011", max_part_bytes=1_000_000)

    join_leg([tmp_path / "back"], tmp_path / "joined")

    assert load_bundle(tmp_path / "joined" / "bundle").manifest.family == "audio"
    assert torch.equal(BandCodec.load(tmp_path / "joined" / "codec").codebooks, codec.codebooks)


def test_nothing_that_came_back_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="No parts of a leg"):
        join_leg([tmp_path], tmp_path / "joined")


def test_before_any_leg_the_audio_family_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["legs", "next"]) == 0
    assert "Next:  stemgen legs pack NEXT --plan audio\n" in capsys.readouterr().out


def test_a_short_leg_trains_bands_and_says_its_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["legs", "next", "--minutes", "11"]) == 0
    assert "Next:  stemgen legs pack NEXT --plan audio --minutes 11\n" in capsys.readouterr().out
    assert next_leg(None, minutes=11).fitted_plan().codec == "bands"
    assert next_leg(None, minutes=11).fitted_plan().hearing == "bands"
    small = next_leg(None, "small", 11).fitted_plan()
    assert (small.codec, small.hearing) == ("small", "codes")


@pytest.mark.parametrize(("first_minutes", "next_minutes"), [(11, 26), (26, 11), (11, None)])
def test_what_gave_the_weights_their_shape_outlives_a_leg_of_other_minutes(
    first_minutes: float, next_minutes: float | None, tmp_path: Path
) -> None:
    plan = LegPlan.changed(PLANS["audio"].fitted(first_minutes), {"window_frames": 400})
    leg = write_leg(tmp_path / "one", codec={"steps": 9, "held_out_loss": 0.2, "had_adversary": True})
    (leg / "leg.json").write_text(json.dumps({"plan": asdict(plan)}))
    for name in ("before-decay", "codec"):
        (leg / name).mkdir()

    following = next_leg(leg, minutes=next_minutes)
    again = following.fitted_plan()

    assert (again.codec, again.hearing, again.size, again.window_frames) == (plan.codec, plan.hearing, plan.size, 400)
    assert again.minutes == (next_minutes or first_minutes)
    assert again.corpus_seed == plan.corpus_seed + 1


def test_without_the_weights_before_the_decay_a_leg_goes_on_from_those_after_it(tmp_path: Path) -> None:
    leg = write_leg(tmp_path / "one", codec={"steps": 9, "held_out_loss": 0.2, "had_adversary": True})
    for name in ("bundle", "codec"):
        (leg / name).mkdir()

    following = next_leg(leg)

    assert following.start == leg
    assert "did not come: go on from those after it" in following.why


def test_a_first_leg_can_be_asked_to_train_bands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["legs", "next", "--codec", "bands"]) == 0
    assert (
        'Next:  stemgen legs pack NEXT --plan audio --set codec="bands" --set hearing="bands"\n'
        in capsys.readouterr().out
    )


def test_after_a_first_leg_the_decoder_gets_an_adversary_and_after_that_the_model_gets_the_time(tmp_path: Path) -> None:
    first = write_leg(tmp_path / "one", codec={"steps": 900, "held_out_loss": 1.25, "had_adversary": False})
    second = write_leg(tmp_path / "two", codec={"steps": 900, "held_out_loss": 1.3, "had_adversary": True})
    third = write_leg(tmp_path / "three")
    bands = write_leg(tmp_path / "bands", codec={"steps": 900, "held_out_loss": 0.2}, plan_codec="bands")
    for leg in (first, second, third, bands):
        for name in ("before-decay", "codec"):
            (leg / name).mkdir()

    assert next_leg(first).changes["has_decoder_phase"] is True
    assert all("has_decoder_phase" not in next_leg(leg).changes for leg in (second, third, bands))
    assert next_leg(bands).changes == {"codec": "bands", "corpus_seed": 1001}  # a leg of before bands were heard


def test_what_comes_next_is_a_plan_that_can_be_packed(tmp_path: Path) -> None:
    leg = write_leg(tmp_path / "one", codec={"steps": 900, "held_out_loss": 1.25, "had_adversary": False})
    (leg / "codec").mkdir()
    following = next_leg(leg)

    plan = LegPlan.changed(PLANS[following.plan], following.changes)

    assert plan.has_decoder_phase
    assert plan.corpus_seed == 1001


def test_a_leg_with_weights_before_its_decay_is_gone_on_from_with_other_pieces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leg = write_leg(
        tmp_path / "one",
        codec={"steps": 900, "held_out_loss": 1.25, "had_adversary": True},
        lm={"steps": 500, "decay_steps": 100},
    )
    for name in ("bundle", "before-decay", "codec"):
        (leg / name).mkdir()

    assert main(["legs", "next", str(leg)]) == 0
    told = capsys.readouterr().out

    assert "codec 900 steps, held-out loss 1.250" in told
    assert f"stemgen evaluate CORPUS --model {leg / 'bundle'}" in told
    assert f"--plan audio --start {leg} --set corpus_seed=1001" in told
    assert "Go on from before its decay" in told


def test_a_codec_alone_gives_the_next_leg_to_the_language_model(tmp_path: Path) -> None:
    leg = write_leg(tmp_path / "one")
    (leg / "codec").mkdir()

    assert "Give the whole leg to it" in next_leg(leg).why


def test_a_leg_that_brought_nothing_is_begun_again(tmp_path: Path) -> None:
    following = next_leg(write_leg(tmp_path / "one"))

    assert "Begin again" in following.why
    assert following.start is None


@pytest.mark.parametrize("text", ["", "{}", '{"plan": {}}'])
def test_what_is_no_leg_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "leg.json").write_text(text)

    with pytest.raises(InvalidRequestError, match="not what `stemgen legs join` makes"):
        next_leg(tmp_path)


@pytest.mark.parametrize("command", ["run w o", "drive w"])
def test_what_belongs_on_the_machine_is_refused_in_a_checkout(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["legs", *command.split()]) == 1
    assert "This runs in an unpacked leg" in capsys.readouterr().err


def test_a_plan_that_is_not_there_is_told_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["legs", "pack", "x", "--plan", "huge"]) == 1
    assert "Choose one of: audio, score, tiny-audio, tiny-bands, tiny-score" in capsys.readouterr().err
