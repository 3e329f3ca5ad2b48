"""Plans of legs; unpacking one on a machine that has only Python."""

import importlib.metadata
import random
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stemgen_core.codec.band_codec import BandCodec, BandCodecConfig
from stemgen_core.corpus.offline_synth import HELDOUT_FONTS, TRAINING_FONTS
from stemgen_core.errors import InvalidRequestError
from stemgen_core.legs import packing
from stemgen_core.legs.machine import Journey
from stemgen_core.legs.parts import cut_folder
from stemgen_core.legs.plan import PLANS, LegPlan
from stemgen_core.model.config import SIZES
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.sound.carried import FONTS, fonts_at_hand
from stemgen_core.training.codec import CODEC_TRAINING_PRESETS
from stemgen_core.training.families import audio_config
from tests.core.legs.bare_machine import THERE


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_comes_back_from_its_file(name: str, tmp_path: Path) -> None:
    PLANS[name].save(tmp_path / "plan.json")

    assert LegPlan.load(tmp_path / "plan.json") == PLANS[name]


@pytest.mark.parametrize("name", PLANS)
def test_plans_name_sizes_and_codecs_that_exist(name: str) -> None:
    assert PLANS[name].size in SIZES
    assert PLANS[name].codec in CODEC_TRAINING_PRESETS
    assert PLANS[name].batch_size % 2 == 0


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"size_": "base"}, "no 'size_'"), ({"batch_size": "8"}, "must be a int"), ({"piece_s": None}, "must be a float")],
)
def test_changes_that_make_no_sense_are_told(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidRequestError, match=complaint):
        LegPlan.changed(PLANS["audio"], changes)


def test_a_change_changes_that_alone() -> None:
    changed = asdict(LegPlan.changed(PLANS["audio"], {"piece_s": 30, "corpus_seed": 7}))

    assert {name for name, value in asdict(PLANS["audio"]).items() if changed[name] != value} == {
        "piece_s",
        "corpus_seed",
    }


@pytest.mark.parametrize("name", PLANS)
def test_the_plan_of_its_own_minutes_is_itself(name: str) -> None:
    if not name.startswith("tiny"):
        assert PLANS[name].fitted(26) == PLANS[name]
    assert PLANS[name].fitted(11).fitted(11) == PLANS[name].fitted(11)


def test_a_short_leg_waits_for_less_and_brings_its_model_home_in_one_journey(tmp_path: Path) -> None:
    plan = PLANS["audio"].fitted(11)

    assert (plan.codec, plan.size, plan.is_compiled, plan.has_all_fonts) == ("bands", "medium", False, False)
    assert (plan.min_training_pieces, plan.num_renders, plan.first_trial_steps, plan.minutes) == (85, 2, 85, 11.0)
    codec = BandCodec(BandCodecConfig())
    codec.save(tmp_path)
    codec_bytes = sum(path.stat().st_size for path in tmp_path.iterdir())
    with torch.device("meta"):
        config = audio_config(plan.size, CODEC_TRAINING_PRESETS[plan.codec].codec.spec, plan.hearing)
        size_bytes = 2 * sum(parameter.numel() for parameter in StemTransformer(config).parameters())  # as float16
    assert codec_bytes + size_bytes < 0.9 * Journey().max_bytes  # logs and facts come along


def test_a_tiny_plan_stays_as_quick_as_it_was_and_a_longer_leg_is_asked_for_no_more() -> None:
    tiny = PLANS["tiny-bands"]

    assert tiny.fitted(2) == replace(tiny, minutes=2.0, has_all_fonts=False)
    assert PLANS["audio"].fitted(60) == replace(PLANS["audio"], minutes=60.0)


def test_a_short_leg_of_the_score_family_has_no_codec_to_choose() -> None:
    plan, short = PLANS["score"], PLANS["score"].fitted(11)

    assert (short.codec, short.codec_share, short.num_renders) == (plan.codec, plan.codec_share, 1)
    assert (short.size, short.min_training_pieces) == ("medium", 169)


@pytest.mark.parametrize("minutes", [0.0, -3.0, float("nan")])
def test_no_leg_is_planned_for_no_time(minutes: float) -> None:
    with pytest.raises(InvalidRequestError, match="at least a minute"):
        PLANS["audio"].fitted(minutes)


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (("codec", "bundle", "before-decay", "logs"), {"codec", "before-decay"}),
        (("codec", "bundle", "logs"), {"codec", "bundle"}),
        (("codec",), {"codec"}),
    ],
)
def test_of_the_last_leg_only_what_the_next_goes_on_from_travels(
    there: tuple[str, ...], wanted: set[str], tmp_path: Path
) -> None:
    for name in there:
        (tmp_path / "joined" / name).mkdir(parents=True)

    packing._carry_start(tmp_path / "joined", tmp_path / "start")

    assert {path.name for path in (tmp_path / "start").iterdir()} == wanted


@pytest.mark.parametrize(("has_all", "wanted"), [(True, {"fluid", "musescore", "timgm"}), (False, {"fluid", "timgm"})])
def test_a_leg_carries_all_fonts_or_one_to_train_and_the_held_out_one(
    has_all: bool, wanted: set[str], tmp_path: Path
) -> None:
    files = {name: f"{path.stem}.sf3" for name, path in (TRAINING_FONTS | HELDOUT_FONTS).items()}
    for file_name in files.values():
        (tmp_path / file_name).write_bytes(b"a font")

    packing._carry_fonts(tmp_path / "carried", tmp_path, has_all=has_all)

    assert {path.name for path in (tmp_path / "carried").iterdir()} == {files[name] for name in wanted}


def test_a_carried_font_plays_for_those_that_are_not_carried(tmp_path: Path) -> None:
    fonts = {name: tmp_path / f"{name}.sf2" for name in ("first", "second", "third")}
    (tmp_path / "carried" / FONTS).mkdir(parents=True)
    assert fonts_at_hand(fonts, tmp_path / "carried") == fonts

    (tmp_path / "carried" / FONTS / "second.sf3").touch()

    assert fonts_at_hand(fonts, tmp_path / "carried") == dict.fromkeys(fonts, fonts["second"])


def test_a_leg_is_unpacked_when_its_last_part_has_come(tmp_path: Path) -> None:
    leg = tmp_path / "leg"
    leg.mkdir()
    (leg / "leg.py").write_text("print('here')\n")
    (leg / "fonts").write_bytes(random.Random(1).randbytes(5_000))
    parts = cut_folder(leg, tmp_path / "packed", "leg", max_part_bytes=400)
    target, told = tmp_path / "machine" / "leg", []

    for journey in (range(1), range(1, len(parts.sizes))):
        carried = tmp_path / f"journey-{journey.start}"
        carried.mkdir()
        for name in ("leg.json", *(parts.file_name(number) for number in journey)):
            (carried / name).write_bytes((tmp_path / "packed" / name).read_bytes())
        (carried / "unpack.py").write_bytes(packing._UNPACKER.read_bytes())
        command = [sys.executable, "-I", "-S", str(carried / "unpack.py"), str(target)]
        told.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert "still to come: leg-001" in told[0]
    assert "unpacked into" in told[1]
    assert (target / "fonts").read_bytes() == (leg / "fonts").read_bytes()
    assert sorted(path.name for path in target.parent.iterdir()) == ["leg"]


def test_every_package_to_carry_is_installed_here_and_every_library_is_found(tmp_path: Path) -> None:
    packing._carry_packages(tmp_path / "site", f"{sys.version_info.major}.{sys.version_info.minor}")

    carried = {path.name for path in (tmp_path / "site").iterdir()}

    assert {"pedalboard", "fluidsynth.py", "audiocraft", "flashy", "dora", "omegaconf", "submitit"} <= carried
    assert not list((tmp_path / "site").rglob("__pycache__"))


def test_everything_that_a_leg_imports_travels_or_is_there() -> None:
    owners = importlib.metadata.packages_distributions()
    carried = {name for name, distributions in owners.items() if {*packing.PURE, *packing.COMPILED} & {*distributions}}
    absent = sorted(owners.keys() - carried - {Path(name).stem for name in THERE} - {"stemgen_core"})
    modules = ["stemgen_core.cli.legs", "stemgen_core.legs.driver", "stemgen_core.corpus.render"]
    program = f"import importlib, sys; sys.modules.update(dict.fromkeys({absent!r}))\n"  # None: not to be imported
    program += f"for name in {modules!r}: importlib.import_module(name)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-800:]
