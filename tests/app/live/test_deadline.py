"""Steps that fit, hurry when they don't, and longer loops for slow machines."""

import pytest

from app.live.deadline import MAX_RUNG, StepPlanner, Timing, longer_loop, steps_of_rung


def taught(step_s: float = 0.1, around_s: float = 1.0, num_times: int = 10) -> StepPlanner:
    planner = StepPlanner()
    for _ in range(num_times):
        planner.learn(Timing(1, around_s / 2, step_s, around_s / 2, 10))
    return planner


def test_what_nothing_is_known_of_is_tried_with_the_fewest_steps() -> None:
    assert StepPlanner().rung_for(100.0) == 1
    assert steps_of_rung(1)[0] >= 4


@pytest.mark.parametrize(("time_left_s", "rung"), [(0.5, 1), (2.5, 1), (3.5, 2), (4.5, 3), (60.0, MAX_RUNG)])
def test_as_many_steps_are_planned_as_fit(time_left_s: float, rung: int) -> None:
    assert taught(num_times=60).rung_for(time_left_s) == rung


def test_an_unsteady_machine_is_given_more_room() -> None:
    steady, unsteady = taught(num_times=40), StepPlanner()
    for at in range(40):
        unsteady.learn(Timing(1, 0.5, 0.02 if at % 2 else 0.18, 0.5, 10))

    assert unsteady.rung_for(5.2) < steady.rung_for(5.2)


def test_it_hurries_when_what_is_left_would_not_be_done() -> None:
    planner = taught(num_times=60)

    assert planner.must_hurry(1.0)
    assert not planner.must_hurry(2.0)


def test_a_decoding_that_is_slower_than_usual_hurries_earlier() -> None:
    planner = taught(num_times=60)

    assert not planner.must_hurry(2.0, pace_s=0.1)
    assert planner.must_hurry(2.0, pace_s=0.3)
    assert not planner.must_hurry(2.0, pace_s=0.01)


def test_a_version_that_hurried_says_nothing_of_how_many_steps_a_rung_has() -> None:
    planner = taught(num_times=60)
    before = planner.rung_for(4.5)

    planner.learn(Timing(4, 0.5, 0.1, 0.5, 5, was_hurried=True))

    assert planner.rung_for(4.5) == before


@pytest.mark.parametrize(("least_s", "times"), [(3.0, 1), (7.4, 1), (9.0, 2), (12.5, 4), (18.0, None)])
def test_a_slow_machine_is_offered_the_shortest_loop_that_it_keeps_up_with(least_s: float, times: int | None) -> None:
    assert longer_loop(least_s, 8.0, 0.5, 64.0) == times


def test_the_time_that_most_versions_keep_to_is_known() -> None:
    planner = StepPlanner()
    for at in range(1, 101):
        planner.learn(Timing(1, 0.0, float(at), 0.0, 1))

    assert planner.quantile_s(0.95) == 95.0
    assert StepPlanner().quantile_s(0.95) is None


def test_one_version_is_enough_to_call_a_loop_too_short_but_not_to_call_all_of_them_so() -> None:
    planner = taught(step_s=0.3, around_s=0.2, num_times=1)  # 3.2 s as it was planned, where loops last 2.8 s

    assert planner.least_s is not None
    assert planner.usual_least_s is not None
    assert longer_loop(planner.least_s, 2.8, 0.5, 32.0) is None
    assert longer_loop(planner.usual_least_s, 2.8, 0.5, 32.0) in (2, 4)
