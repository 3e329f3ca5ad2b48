"""A jam whose page asks while the worker makes something of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest

from app.live.clock import LoopClock
from app.live.deadline import StepPlanner
from app.live.session import LiveSession
from app.services import Studio
from tests.app.waiting import OWNER
from tests.slow_reading import SlowToRead


@pytest.mark.parametrize(
    "ask",
    [
        lambda live: live.quantile_s(0.5),
        lambda live: live.least_s,
        lambda live: live.times_longer,
    ],
)
def test_the_page_is_told_how_long_versions_take_while_the_first_of_a_part_begins(
    studio: Studio, ask: Callable[[LiveSession], float | None]
) -> None:
    clock = LoopClock.at_tempo(Fraction(120), 1, sample_rate_hz=44_100)
    live = LiveSession(studio, OWNER, clock, "Groove", seed=0)
    live._planners = planners = SlowToRead({"bass": StepPlanner(), "piano": StepPlanner()})

    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(ask, live)
        assert planners.is_being_read.wait(30)
        live._planner("guitar")

        assert told.result() in (None, 1)
    assert len(planners) == 3
