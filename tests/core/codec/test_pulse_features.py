"""The pulse that the model is told."""

import numpy as np
import pytest
import torch

from stemgen_core.codec.pulse_features import NUM_PULSE_FEATURES, SUBDIVISIONS, beat_position, extract_pulse

RATE_HZ = 32_000
FRAME_RATE_HZ = 25.0


def clicks(bpm: float, first_s: float = 0.2, duration_s: float = 8.0) -> torch.Tensor:
    samples = torch.zeros(round(duration_s * RATE_HZ))
    burst = torch.randn(800, generator=torch.Generator().manual_seed(0)) * torch.linspace(1, 0, 800)
    for time_s in np.arange(first_s, duration_s - 0.1, 60 / bpm):
        start = round(time_s * RATE_HZ)
        samples[start : start + 800] += burst
    return samples


@pytest.mark.parametrize(("bpm", "first_s"), [(90, 0.2), (100, 0.05), (120, 0.31), (133, 0.4)])
def test_lines_fall_into_the_frames_of_the_clicks(bpm: float, first_s: float) -> None:
    pulse = extract_pulse(clicks(bpm, first_s), RATE_HZ, 200, FRAME_RATE_HZ)

    beats_s = np.arange(first_s, 7.8, 60 / bpm)
    row = 4 * SUBDIVISIONS.index(4)
    found_s = [(t + float(pulse[row + 3, t])) / FRAME_RATE_HZ for t in range(200) if pulse[row + 2, t]]
    distance_s = np.abs(beats_s[:, None] - np.array(found_s)[None]).min(1)
    assert distance_s.max() < 0.02
    assert float(pulse[-1, 0]) == pytest.approx(np.log2(bpm / 110), abs=0.03)


def test_a_subdivision_has_as_many_lines_as_it_says() -> None:
    pulse = extract_pulse(clicks(120), RATE_HZ, 200, FRAME_RATE_HZ)

    num_lines = [int(pulse[4 * index + 2].sum()) for index in range(len(SUBDIVISIONS))]

    assert num_lines == pytest.approx([16, 32, 48, 64], abs=1)


def test_phase_is_on_the_unit_circle() -> None:
    pulse = extract_pulse(clicks(100), RATE_HZ, 200, FRAME_RATE_HZ)

    for index in range(len(SUBDIVISIONS)):
        torch.testing.assert_close(pulse[4 * index : 4 * index + 2].square().sum(0), torch.ones(200))


@pytest.mark.parametrize("samples", [torch.zeros(8 * RATE_HZ), torch.zeros(100)], ids=["silence", "short"])
def test_without_a_pulse_all_is_zero(samples: torch.Tensor) -> None:
    pulse = extract_pulse(samples, RATE_HZ, 50, FRAME_RATE_HZ)

    assert pulse.shape == (NUM_PULSE_FEATURES, 50)
    assert not pulse.any()


def test_beats_go_on_at_the_tempo_beyond_those_that_were_found() -> None:
    position = beat_position(np.array([0.0, 0.5, 1.0, 1.25, 2.5]), np.array([1.0, 1.5, 2.0]), 0.5)

    assert position == pytest.approx([-2, -1, 0, 0.5, 3])
