"""Sound from magnitudes alone."""

import math

import pytest
import torch

from stemgen_core.codec.phase import _nearest_peaks, follow_peaks, overlap_window, to_waveform

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


def slow_rounds(magnitude: torch.Tensor, phase: torch.Tensor, hop: int, num_rounds: int) -> torch.Tensor:
    """Fast Griffin-Lim as it is written in the paper, with torch's transforms of whole sounds."""
    length = 2 * (magnitude.shape[1] - 1)
    window = overlap_window(length)
    spectrum, previous = torch.polar(magnitude, phase), torch.zeros_like(magnitude, dtype=torch.complex64)
    for _ in range(num_rounds):
        samples = torch.istft(spectrum, length, hop, window=window)
        found = torch.stft(samples, length, hop, window=window, pad_mode="constant", return_complex=True)
        ahead = found + 0.9 * (found - previous)
        previous = found
        spectrum = magnitude * torch.polar(torch.ones_like(magnitude), ahead.angle())
    return torch.istft(spectrum, length, hop, window=window)


@pytest.mark.parametrize("num_rounds", [0, 1, 2, 5])
@pytest.mark.parametrize(
    ("window", "hop", "num_frames"), [(2048, 320, 300), (256, 64, 128), (64, 13, 129), (64, 16, 2)]
)
def test_audio_is_that_of_whole_transforms_one_after_the_other(
    window: int, hop: int, num_frames: int, num_rounds: int
) -> None:
    generator = torch.Generator().manual_seed(num_frames)
    magnitude = torch.rand(2, window // 2 + 1, num_frames, generator=generator)

    found = to_waveform(magnitude, hop_length=hop, num_rounds=num_rounds)

    expected = slow_rounds(magnitude, follow_peaks(magnitude, hop), hop, num_rounds)
    # A bin that interferes away to nothing takes its phase from rounding: all but the odd sample agree.
    assert (found - expected).square().sum() < 1e-5 * expected.square().sum()


@pytest.mark.parametrize("num_frames", [1, 127, 128, 129, 300])
def test_phases_go_on_over_any_number_of_frames(num_frames: int) -> None:
    magnitude = magnitude_of(tones([220.0, 700.0], duration_s=4.0))[:, :, :300]

    whole, beginning = follow_peaks(magnitude, HOP), follow_peaks(magnitude[:, :, :num_frames], HOP)

    assert torch.equal(whole[:, :, :num_frames], beginning)


@pytest.mark.parametrize("seed", range(5))
def test_a_bin_follows_the_nearest_peak_and_a_peak_lies_on_its_parabola(seed: int) -> None:
    frames = torch.rand(1, 3, 40, generator=torch.Generator().manual_seed(seed))

    peak, position = _nearest_peaks(frames)

    for row in range(3):
        values = [0.0, *frames[0, row].tolist(), 0.0]
        peaks = [b for b in range(40) if values[b] <= values[b + 1] >= values[b + 2]]
        assert peak[0, row].tolist() == [min(peaks, key=lambda p: (abs(p - b), p)) for b in range(40)]
        for b in peaks:
            fit = [(values[b] - values[b + 2]) / 2, values[b] - 2 * values[b + 1] + values[b + 2]]
            assert float(position[0, row, b]) == pytest.approx(b + fit[0] / fit[1], abs=1e-4)


def test_silent_bins_lead_themselves() -> None:
    peak, position = _nearest_peaks(torch.zeros(1, 2, 9))

    assert peak.tolist() == [[list(range(9))] * 2]
    assert position.tolist() == [[list(range(9))] * 2]


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


@pytest.mark.parametrize("hz", [1003.7, 14_003.7])
def test_followed_peaks_advance_by_their_own_frequency_and_stay_exact(hz: float) -> None:
    phase = follow_peaks(magnitude_of(tones([hz], duration_s=4.0)), HOP)
    peak = round(hz * WINDOW / RATE_HZ)

    error = (phase[0, peak, 11:390] - phase[0, peak, 10:389]) - 2 * math.pi * hz * HOP / RATE_HZ
    error = (error + math.pi) % (2 * math.pi) - math.pi

    assert error.abs().max() < 0.06
    assert error.max() - error.min() < 0.008  # the tone itself is float32, too


def test_silence_stays_silence_and_the_length_is_whole_hops() -> None:
    waveform = to_waveform(torch.zeros(2, WINDOW // 2 + 1, 41), hop_length=HOP, num_rounds=2)

    assert waveform.shape == (2, 40 * HOP)
    assert not waveform.any()


def test_a_batch_of_two_is_two_batches_of_one() -> None:
    magnitude = torch.cat([magnitude_of(tones([220.0])), magnitude_of(tones([331.0, 700.0]))])

    both = to_waveform(magnitude, hop_length=HOP, num_rounds=3)
    alone = [to_waveform(one[None], hop_length=HOP, num_rounds=3) for one in magnitude]

    assert torch.allclose(both, torch.cat(alone), atol=1e-4)
