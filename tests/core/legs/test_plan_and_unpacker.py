"""Plans of legs; unpacking one on a machine that has only Python."""

import importlib.metadata
import random
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from stemgen_core.errors import InvalidRequestError
from stemgen_core.legs import packing
from stemgen_core.legs.parts import cut_folder
from stemgen_core.legs.plan import PLANS, LegPlan
from stemgen_core.model.config import SIZES
from stemgen_core.training.codec import CODEC_TRAINING_PRESETS
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
