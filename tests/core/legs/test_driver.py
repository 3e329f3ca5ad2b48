"""What a leg measures and how it counts its time; the whole leg is in test_rehearsal."""

import json
import time
from pathlib import Path

import pytest
import torch

from stemgen_core.legs import driver
from stemgen_core.legs.clock import LegClock
from stemgen_core.legs.driver import LegDriver, _Trial
from stemgen_core.legs.plan import PLANS
from stemgen_core.training import lm_config
from stemgen_core.training.speed import TrainingSpeed


@pytest.mark.parametrize("name", ["tiny-audio", "tiny-score"])
def test_the_model_is_timed_in_three_batch_sizes_and_once(name: str, tmp_path: Path) -> None:
    LegDriver(tmp_path, tmp_path / "work", PLANS[name], LegClock(time.time(), 60), "cpu")._measure_speed()
    first = json.loads((tmp_path / "work" / "out" / "leg.json").read_text())
    LegDriver(tmp_path, tmp_path / "work", PLANS[name], LegClock(time.time(), 60), "cpu")._measure_speed()

    assert set(first["speed"]) == {"1", "2", "4"}
    for speed in first["speed"].values():
        assert speed["frames_per_s"] > 0
        assert 0 < speed["utilisation"] < 1
    assert json.loads((tmp_path / "work" / "out" / "leg.json").read_text()) == first


@pytest.mark.parametrize("gains", [False, True])
def test_the_ceiling_is_that_of_the_precision_that_is_trained_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gains: bool
) -> None:
    asked: list[torch.dtype] = []

    def peak(device: str, dtype: torch.dtype) -> float:
        asked.append(dtype)
        return 1e12

    monkeypatch.setattr(lm_config, "gains_by_bfloat16", lambda: gains)
    monkeypatch.setattr(driver, "peak_flops_per_s", peak)
    monkeypatch.setattr(driver, "measure_speed", lambda *_, **__: TrainingSpeed(1.0, 1.0, 1.0, 0.5))

    LegDriver(tmp_path, tmp_path / "work", PLANS["tiny-score"], LegClock(time.time(), 60), "cpu")._measure_speed()

    assert asked == [torch.bfloat16 if gains else torch.float32]


def test_a_trial_ends_after_its_steps_and_knows_their_speed() -> None:
    trial = _Trial(4)
    over = []
    for _ in range(4):
        time.sleep(0.02)
        over.append(trial.is_over())

    assert over == [False, False, False, True]
    assert 5 < trial.steps_per_s() < 50
