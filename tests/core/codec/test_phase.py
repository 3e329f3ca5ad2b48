"""Sound from magnitudes alone."""

import math

import pytest
import torch

from stemgen_core.codec.phase import follow_peaks, overlap_window, to_waveform

WINDOW, HOP, RATE_HZ = 2048, 320, 32_000


def tones(frequencies_hz: list[float], duration_s: float = 1.0) -> torch.Tensor:
    seconds = torch.arange(round(duration_s * RATE_HZ) // HOP * HOP) / RATE_HZ
    return torch.stack([0.2 * (2 * math.pi * hz * seconds + hz).sin() for hz in frequencies_hz]).sum(0)[None]


def magnitude_of(samples: torch.Tensor) -> torch.Tensor:
    return torch.stft(samples, WINDOW, HOP, window=overlap_window(WINDOW), return_complex=True).abs()


def error_db(samples: torch.Tensor, magnitude: torch.Tensor) -> float:
    """Return how far the magnitudes of audio are from the wanted ones; 0 dB is silence."""
    difference = (magnitude_of(samples) - magnitude).square().sum() / magnitude.square().sum()
    return float(10 * difference.log10())


@pytest.mark.parametrize("frequencies_hz", [[55.0], [220.0], [440.0, 554.4, 659.3], [97.9, 1234.5, 5000.0]])
def test_steady_tones_come_back_from_the_first_guess_alone(frequencies_hz: list[float]) -> None:
    magnitude = magnitude_of(tones(frequencies_hz))

    assert error_db(to_waveform(magnitude, hop_length=HOP, num_rounds=0), magnitude) < -18


@pytest.mark.parametrize("seed", range(4))
def test_rounds_bring_the_magnitudes_nearer(seed: int) -> None:
    noise = torch.randn(1, 100 * HOP, generator=torch.Generator().manual_seed(seed))
    magnitude = magnitude_of(noise)

    errors = [
        error_db(to_waveform(magnitude, hop_length=HOP, num_rounds=rounds), magnitude) for rounds in (0, 2, 8, 32)
    ]

    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] - 6


def test_followed_peaks_advance_by_their_own_frequency() -> None:
    hz = 1003.7
    phase = follow_peaks(magnitude_of(tones([hz])), HOP)
    peak = round(hz * WINDOW / RATE_HZ)

    advance = (phase[0, peak, 11:60] - phase[0, peak, 10:59]) % (2 * math.pi)

    assert (advance - 2 * math.pi * hz * HOP / RATE_HZ % (2 * math.pi)).abs().max() < 0.05


def test_silence_stays_silence_and_the_length_is_whole_hops() -> None:
    waveform = to_waveform(torch.zeros(2, WINDOW // 2 + 1, 41), hop_length=HOP, num_rounds=2)

    assert waveform.shape == (2, 40 * HOP)
    assert not waveform.any()


def test_a_batch_of_two_is_two_batches_of_one() -> None:
    magnitude = torch.cat([magnitude_of(tones([220.0])), magnitude_of(tones([331.0, 700.0]))])

    both = to_waveform(magnitude, hop_length=HOP, num_rounds=3)
    alone = [to_waveform(one[None], hop_length=HOP, num_rounds=3) for one in magnitude]

    assert torch.allclose(both, torch.cat(alone), atol=1e-4)
