"""A take is what was played: to the sample, and without clicks where versions change."""

import numpy as np
import pytest
import scipy.signal
import torch

from app.live.clock import LoopClock
from app.live.take import PlayedLoop, fade_frames, parts_of, render_part
from stemgen_core.types import Waveform

RATE_HZ = 44_100
CLOCK = LoopClock(RATE_HZ, 2 * RATE_HZ, 1)


def sine(hz: float, phase: float) -> Waveform:
    """Return a loop of whole periods, so that it has no seam of its own."""
    at = torch.arange(CLOCK.num_frames, dtype=torch.float64) / RATE_HZ
    return Waveform((0.5 * (2 * torch.pi * hz * at + phase).sin()).float()[None], RATE_HZ)


SOUNDS = {"low": sine(220, 1.0), "high": sine(331.5, 4.0), "noise": Waveform(torch.randn(1, CLOCK.num_frames), RATE_HZ)}


def loops(*versions: str | None) -> list[PlayedLoop]:
    return [PlayedLoop({} if version is None else {"a": version}, {}) for version in versions]


def render(played: list[PlayedLoop]) -> torch.Tensor:
    return render_part(played, "a", CLOCK, SOUNDS.__getitem__).samples


def clicks_db(samples: torch.Tensor) -> float:
    """Return the peak above 6 kHz around every boundary, dB of full scale."""
    highpass = scipy.signal.butter(8, 6000, "highpass", fs=RATE_HZ, output="sos")
    above = np.abs(scipy.signal.sosfiltfilt(highpass, samples.numpy()))
    boundaries = range(CLOCK.num_frames, samples.shape[1], CLOCK.num_frames)
    peak = max(above[:, at - 2000 : at + 2000].max() for at in boundaries)
    return float(20 * np.log10(max(peak, 1e-9)))


def test_a_version_that_goes_round_is_itself_again_and_again() -> None:
    take = render(loops("noise", "noise", "noise"))

    assert torch.equal(take, SOUNDS["noise"].samples.repeat(2, 3))


@pytest.mark.parametrize("change", [("low", "high"), ("low", None), (None, "high")])
def test_sines_that_change_at_a_boundary_click_below_60_db(change: tuple[str | None, str | None]) -> None:
    assert clicks_db(render(loops(change[0], change[0], change[1], change[1]))) < -60


def test_the_measurement_sees_a_change_without_a_fade() -> None:
    cut = torch.cat([SOUNDS["low"].samples, SOUNDS["high"].samples], 1)

    assert clicks_db(cut) > -40


def test_the_new_version_is_whole_from_the_boundary_on_to_the_sample() -> None:
    take, length, fade = render(loops("low", "noise")), CLOCK.num_frames, fade_frames(CLOCK)

    assert torch.equal(take[0, length:], SOUNDS["noise"].samples[0])
    assert torch.equal(take[0, : length - fade], SOUNDS["low"].samples[0, : length - fade])


def test_how_loud_a_part_was_is_kept() -> None:
    played = [PlayedLoop({"a": "noise"}, {"a": -6.0}), PlayedLoop({"a": "noise"}, {"a": -6.0})]

    take = render_part(played, "a", CLOCK, SOUNDS.__getitem__).samples

    assert torch.allclose(take[0, :100], SOUNDS["noise"].samples[0, :100] * 10 ** (-6 / 20))


def test_parts_come_in_the_order_in_which_they_are_heard() -> None:
    played = [PlayedLoop({"a": "low"}, {}), PlayedLoop({"b": "low", "a": "low"}, {})]

    assert parts_of(played) == ["a", "b"]
