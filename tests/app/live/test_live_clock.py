"""Time in whole samples and exact fractions."""

from fractions import Fraction
from itertools import pairwise

import pytest

from app.live.clock import LoopClock
from stemgen_core.errors import InvalidRequestError

TEMPOS = [Fraction(60), Fraction(94), Fraction(133), Fraction(1874, 15)]


@pytest.mark.parametrize("tempo", TEMPOS)
def test_a_loop_is_whole_samples_and_its_tempo_the_fraction_that_this_makes(tempo: Fraction) -> None:
    clock = LoopClock.at_tempo(tempo, 4, sample_rate_hz=44_100)

    assert clock.num_frames * clock.tempo_bpm == 60 * 16 * 44_100
    assert abs(clock.tempo_bpm / tempo - 1) < 1e-5


@pytest.mark.parametrize("tempo", TEMPOS)
def test_no_boundary_drifts_in_an_hour(tempo: Fraction) -> None:
    clock = LoopClock.at_tempo(tempo, 4, sample_rate_hz=44_100)
    loops = round(3600 / clock.duration_s)

    exact = Fraction(loops * 60 * 16) / clock.tempo_bpm * 44_100

    assert clock.boundary(loops) == exact
    assert [clock.loop_at(clock.boundary(loop)) for loop in range(loops)] == list(range(loops))


def test_bars_share_the_loop_without_a_gap_and_end_with_it() -> None:
    clock = LoopClock(44_100, 299_999, 7)

    starts = [clock.bar_start(bar) for bar in range(8)]

    assert starts[0] == 0
    assert starts[-1] == 299_999
    assert {b - a for a, b in pairwise(starts)} <= {42_857, 42_858}


@pytest.mark.parametrize("frames", [300_001, 300_003, 300_005])
def test_a_bar_begins_at_the_sample_nearest_to_its_place(frames: int) -> None:
    clock = LoopClock(44_100, frames, 7)

    away = [clock.bar_start(bar) - Fraction(bar * frames, 7) for bar in range(8)]

    assert max(map(abs, away)) < Fraction(1, 2)
    assert min(away) < 0 < max(away)


@pytest.mark.parametrize(("frames", "words"), [(44_100, "this one 1.0 s"), (44_100 * 40, "this one 40.0 s")])
def test_loops_too_short_or_too_long_are_refused_with_what_can_be(frames: int, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"last 2 to 32 s, {words}"):
        LoopClock(44_100, frames, 4)


@pytest.mark.parametrize("tempo", [20, 500])
def test_a_tempo_nobody_plays_is_refused(tempo: int) -> None:
    with pytest.raises(InvalidRequestError, match="50 to 200"):
        LoopClock.at_tempo(Fraction(tempo), 4, sample_rate_hz=44_100)
