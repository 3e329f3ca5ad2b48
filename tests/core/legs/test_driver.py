"""What a leg measures and how it counts its time; the whole leg is in test_rehearsal."""

import json
import time
from pathlib import Path

import pytest

from stemgen_core.legs.clock import LegClock
from stemgen_core.legs.driver import LegDriver, _Trial
from stemgen_core.legs.plan import PLANS


@pytest.mark.parametrize("name", ["tiny-audio", "tiny-score"])
def test_the_model_is_timed_in_three_batch_sizes_and_once(name: str, tmp_path: Path) -> None:
    driver = LegDriver(tmp_path, tmp_path / "work", PLANS[name], LegClock(time.time(), 60), "cpu")

    driver._measure_speed()
    first = json.loads((tmp_path / "work" / "out" / "leg.json").read_text())
    LegDriver(tmp_path, tmp_path / "work", PLANS[name], LegClock(time.time(), 60), "cpu")._measure_speed()

    assert set(first["speed"]) == {"1", "2", "4"}
    for speed in first["speed"].values():
        assert speed["frames_per_s"] > 0
        assert 0 < speed["utilisation"] < 1
    assert json.loads((tmp_path / "work" / "out" / "leg.json").read_text()) == first


def test_a_trial_ends_after_its_steps_and_knows_their_speed() -> None:
    trial = _Trial(4)
    over = []
    for _ in range(4):
        time.sleep(0.02)
        over.append(trial.is_over())

    assert over == [False, False, False, True]
    assert 5 < trial.steps_per_s() < 50
