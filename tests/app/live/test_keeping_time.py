"""The music never stops and versions come in time, proven on a clock that nobody waits for."""

import math
from itertools import pairwise

import pytest

from tests.app.live.simulation import Simulation, simulate

NUM_LOOPS = 1000


def silences(simulation: Simulation) -> int:
    """Return how many loops nothing was heard in, or less than in the one before."""
    heard = simulation.page.heard
    return sum(not loop for loop in heard) + sum(not before.keys() <= after.keys() for before, after in pairwise(heard))


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[math.ceil(share * len(values)) - 1]


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_loops_with_spikes_have_no_silence_and_swap_in_time(seed: int) -> None:
    simulation = simulate(step_s=0.12, jitter=0.3, spike_chance=0.04, seed=seed)

    simulation.play(NUM_LOOPS)

    score, clock = simulation.live.jam.score, simulation.live.clock
    assert quantile(simulation.model.took_s, 0.95) < clock.duration_s - 0.5  # else the claim is about nothing
    assert silences(simulation) == 0
    assert score.num_in_time > 0.95 * NUM_LOOPS
    assert score.swap_rate is not None
    assert score.swap_rate >= 0.99
    assert simulation.model.num_hurried > 0  # some had to


def test_every_swap_is_on_a_boundary_to_the_sample_for_more_than_an_hour() -> None:
    simulation = simulate(step_s=0.1, jitter=0.3, spike_chance=0.02)

    simulation.play(NUM_LOOPS)  # 8 s each: 2 h 13 min

    clock = simulation.live.clock
    assert len(simulation.page.swaps) > 0.95 * NUM_LOOPS
    assert {swap % clock.num_frames for swap in simulation.page.swaps} == {0}
    assert simulation.page.swaps[-1] == (NUM_LOOPS - 1) * 8 * 16_000


def test_a_model_that_is_always_late_stops_nothing_and_a_longer_loop_is_proposed() -> None:
    simulation = simulate(step_s=0.6)

    simulation.play(60)

    score = simulation.live.jam.score
    assert silences(simulation) == 0
    assert score.num_missed > score.num_in_time
    assert simulation.live.times_longer in (2, 4)


def test_a_fast_machine_is_used_for_more_steps_and_proposes_nothing() -> None:
    simulation = simulate(step_s=0.02)

    simulation.play(30)

    assert simulation.live.times_longer == 1
    assert simulation.live.jam.score.swap_rate == 1.0
    made = [sound.request for sound in simulation.live.sounds.values() if sound.request is not None]
    assert made[0].settings.num_steps == (4, 2, 1)
    assert made[-1].settings.num_steps == (16, 8, 4)


def test_the_loops_go_round_while_the_server_is_out_of_reach_and_it_goes_on_after() -> None:
    simulation = simulate(step_s=0.05)
    simulation.page.is_out_of_reach = lambda loop: 20 <= loop < 40

    simulation.play(60)

    assert silences(simulation) == 0
    assert simulation.page.heard[25] == simulation.page.heard[39]
    assert simulation.page.heard[59] != simulation.page.heard[39]


def test_no_steps_are_below_the_least_even_in_a_hurry() -> None:
    simulation = simulate(step_s=0.25, jitter=0.5, spike_chance=0.2)

    simulation.play(200)

    made = [sound.request for sound in simulation.live.sounds.values() if sound.request is not None]
    assert all(request.settings.num_steps[0] >= 4 for request in made)
    assert all(request.settings.max_steps is None or request.settings.max_steps >= 4 for request in made)
