"""Covering any length with windows."""

import itertools

import pytest

from stemgen_core.sampling.windows import OVERLAP_SHARE, plan_windows

LENGTHS = [*range(1, 80), 249, 250, 251, 399, 400, 401, 999, 1000, 15_000]


@pytest.mark.parametrize("window", [2, 3, 5, 10, 25, 100, 250])
def test_windows_cover_everything_in_order_and_at_full_length(window: int) -> None:
    for num_frames in LENGTHS:
        windows = plan_windows(num_frames, window)

        covered = {frame for start, end in windows for frame in range(start, end)}
        assert covered == set(range(num_frames))
        assert all(end - start == min(window, num_frames) for start, end in windows)
        assert windows == sorted(set(windows))


@pytest.mark.parametrize("window", [2, 5, 10, 25, 100, 250])
def test_each_window_sees_enough_of_the_one_before(window: int) -> None:
    for num_frames in LENGTHS:
        windows = plan_windows(num_frames, window)

        for (_, former_end), (start, end) in itertools.pairwise(windows):
            assert former_end - start >= round(window * OVERLAP_SHARE)
            assert former_end < end  # something is left to generate


def test_windows_are_no_more_than_needed() -> None:
    assert plan_windows(250, 250) == [(0, 250)]
    assert plan_windows(251, 250) == [(0, 250), (1, 251)]
    assert plan_windows(550, 250) == [(0, 250), (150, 400), (300, 550)]


@pytest.mark.parametrize(("num_frames", "window"), [(0, 10), (5, 1)])
def test_impossible_numbers_are_refused(num_frames: int, window: int) -> None:
    with pytest.raises(ValueError, match=f"need num_frames >= 1 and window >= 2, got {num_frames} and {window}"):
        plan_windows(num_frames, window)
