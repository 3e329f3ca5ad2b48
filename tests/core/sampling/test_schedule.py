"""How many frames each step fixes."""

import math

import pytest

from stemgen_core.sampling.schedule import frames_to_keep

COUNTS = (0, 1, 2, 3, 5, 8, 25, 100, 249, 250, 1000)


@pytest.mark.parametrize("num_steps", [1, 2, 3, 7, 16, 24, 128, 512])
def test_steps_fix_every_frame_once_and_at_least_one_each(num_steps: int) -> None:
    for num_masked in [*COUNTS, *range(10, 60)]:
        kept = frames_to_keep(num_masked, num_steps)

        assert sum(kept) == num_masked
        assert all(count >= 1 for count in kept)
        assert len(kept) == min(num_steps, num_masked)


@pytest.mark.parametrize("num_steps", [4, 8, 16, 24])
@pytest.mark.parametrize("num_masked", [250, 251, 500, 1000])
def test_what_is_left_follows_the_cosine(num_masked: int, num_steps: int) -> None:
    left = num_masked

    for step, count in enumerate(frames_to_keep(num_masked, num_steps), 1):
        left -= count
        assert abs(left - num_masked * math.cos(step / num_steps * math.pi / 2)) <= 1


def test_few_frames_first_and_many_last() -> None:
    kept = frames_to_keep(1000, 8)

    assert kept == sorted(kept)
    assert kept[-1] > 5 * kept[0]


def test_one_step_fixes_everything() -> None:
    assert frames_to_keep(250, 1) == [250]


def test_as_many_steps_as_frames_fix_one_each() -> None:
    assert frames_to_keep(7, 7) == [1] * 7


@pytest.mark.parametrize(("num_masked", "num_steps"), [(5, 0), (-1, 4)])
def test_impossible_numbers_are_refused(num_masked: int, num_steps: int) -> None:
    with pytest.raises(ValueError, match=f"need num_steps >= 1 and num_masked >= 0, got {num_steps} and {num_masked}"):
        frames_to_keep(num_masked, num_steps)
