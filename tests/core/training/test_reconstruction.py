"""The reconstruction loss and its mel filters."""

import pytest
import torch

from stemgen_core.training.reconstruction import ReconstructionLoss, ReconstructionWeights, mel_filters

LOSS = ReconstructionLoss(32_000, ReconstructionWeights())


def tone(frequency_hz: float, level: float = 0.3) -> torch.Tensor:
    return level * (2 * torch.pi * frequency_hz * torch.arange(8000) / 32_000).sin()[None, None]


def test_equal_audio_has_no_loss() -> None:
    assert {name: float(part) for name, part in LOSS(tone(440), tone(440)).items()} == {
        "waveform": 0.0,
        "magnitude": 0.0,
        "log_mel": 0.0,
        "total": 0.0,
    }


def test_another_pitch_costs_more_than_another_phase() -> None:
    shifted = tone(440).roll(20, -1)

    assert float(LOSS(tone(880), tone(440))["total"]) > 3 * float(LOSS(shifted, tone(440))["total"])


def test_half_the_level_costs_half_the_magnitude_and_ln_2_in_log_mel() -> None:
    noise = torch.randn(1, 1, 16_000, generator=torch.Generator().manual_seed(0))

    parts = LOSS(0.5 * noise, noise)

    assert float(parts["magnitude"]) == pytest.approx(0.5, rel=1e-3)
    assert float(parts["log_mel"]) == pytest.approx(0.6931, rel=1e-3)


def test_the_total_is_the_weighted_sum() -> None:
    weights = ReconstructionWeights(waveform=2.0, magnitude=0.0, log_mel=3.0)

    parts = ReconstructionLoss(32_000, weights)(tone(300), tone(440))

    assert float(parts["total"]) == pytest.approx(2 * float(parts["waveform"]) + 3 * float(parts["log_mel"]))


def test_silence_has_a_finite_gradient() -> None:
    decoded = torch.zeros(1, 1, 8000, requires_grad=True)

    LOSS(decoded, tone(440))["total"].backward()

    assert decoded.grad is not None
    assert bool(decoded.grad.isfinite().all())


def test_audio_of_different_lengths_is_refused() -> None:
    with pytest.raises(ValueError, match=r"decoded \(1, 1, 8000\) and original \(1, 1, 7000\) differ"):
        LOSS(tone(440), tone(440)[..., :7000])


@pytest.mark.parametrize(("window_length", "num_bands"), [(2048, 64), (256, 8), (64, 40)])
def test_every_mel_band_is_filled_and_sums_to_one(window_length: int, num_bands: int) -> None:
    filters = mel_filters(32_000, window_length, num_bands)

    assert filters.shape == (num_bands, window_length // 2 + 1)
    assert torch.allclose(filters.sum(-1), torch.ones(num_bands))
    assert bool((filters >= 0).all())


def test_mel_bands_rise_in_frequency() -> None:
    centres = (mel_filters(32_000, 2048, 64) * torch.arange(1025)).sum(-1)

    assert bool((centres.diff() > 0).all())
