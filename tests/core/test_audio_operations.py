"""Properties of resampling, mixing and writing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemgen_core.audio import mix_waveforms, resample, to_mono, write_flac, write_wav
from stemgen_core.types import Waveform


def _sine(rate_hz: int, num_audio_samples: int, num_channels: int = 1, pitch_hz: float = 440.0) -> Waveform:
    seconds = torch.arange(num_audio_samples, dtype=torch.float64) / rate_hz
    sine = (0.5 * torch.sin(2 * torch.pi * pitch_hz * seconds)).float()
    return Waveform(sine.expand(num_channels, -1).clone(), rate_hz)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44_100, 48_000), (48_000, 44_100), (44_100, 16_000), (8_000, 44_100)])
def test_resampling_keeps_pitch_phase_level_and_duration(from_hz: int, to_hz: int) -> None:
    num_audio_samples = 3 * from_hz + 7

    resampled = resample(_sine(from_hz, num_audio_samples, 2), to_hz)

    assert resampled.num_audio_samples == round(num_audio_samples * to_hz / from_hz)
    wanted = _sine(to_hz, resampled.num_audio_samples, 2).samples
    inner = slice(to_hz // 10, -to_hz // 10)
    assert (resampled.samples - wanted)[:, inner].abs().max() < 1e-3


@pytest.mark.parametrize("num_audio_samples", [1, 30_011, 132_311])
def test_there_and_back_has_exactly_the_length_asked_for(num_audio_samples: int) -> None:
    there = resample(_sine(44_100, num_audio_samples), 32_000)

    assert resample(there, 44_100, num_audio_samples=num_audio_samples).num_audio_samples == num_audio_samples


def test_resampling_to_the_same_rate_changes_nothing() -> None:
    waveform = _sine(44_100, 1_000, 2)

    assert torch.equal(resample(waveform, 44_100).samples, waveform.samples)


def test_resampling_to_no_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="sample_rate_hz must be > 0, got 0"):
        resample(_sine(44_100, 10), 0)


def test_mono_is_the_mean_of_the_channels() -> None:
    stereo = Waveform(torch.tensor([[1.0, 0.0], [0.0, -0.5]]), 8_000)

    assert to_mono(stereo).samples.tolist() == [[0.5, -0.25]]


def test_mix_is_the_plain_sum_and_mono_sounds_on_both_sides() -> None:
    stereo = Waveform(torch.tensor([[0.5, 0.9], [-0.5, 0.25]]), 8_000)
    mono = Waveform(torch.tensor([[0.25, 0.5]]), 8_000)

    assert torch.allclose(mix_waveforms([mono, stereo, mono]).samples, torch.tensor([[1.0, 1.9], [0.0, 1.25]]))


def test_mix_of_one_is_itself_in_storage_of_its_own() -> None:
    mono = Waveform(torch.tensor([[0.25, 0.5]]), 8_000)

    mix = mix_waveforms([mono])
    mix.samples.zero_()

    assert mono.samples.tolist() == [[0.25, 0.5]]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Waveform(torch.zeros(1, 5), 44_100), r"different sample rates can't be mixed, got \[8000, 44100\]"),
        (Waveform(torch.zeros(1, 6), 8_000), r"different lengths can't be mixed, got \[5, 6\]"),
        (Waveform(torch.zeros(3, 5), 8_000), r"different numbers of channels can't be mixed, got \[2, 3\]"),
    ],
)
def test_mix_refuses_what_does_not_fit_together(other: Waveform, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mix_waveforms([Waveform(torch.zeros(2, 5), 8_000), other])


def test_mix_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to mix"):
        mix_waveforms([])


WRITERS = pytest.mark.parametrize("write", [write_wav, write_flac])


@WRITERS
@pytest.mark.parametrize("bit_depth", [16, 24])
@pytest.mark.parametrize("num_channels", [1, 2])
def test_written_samples_are_the_nearest_that_the_bits_allow(
    tmp_path: Path, write: Callable[..., None], bit_depth: int, num_channels: int
) -> None:
    noise = torch.rand(num_channels, 5_000, generator=torch.Generator().manual_seed(1)) * 2 - 1

    write(tmp_path / "clip", Waveform(noise, 44_100), bit_depth=bit_depth)

    info = soundfile.info(tmp_path / "clip")
    stored, rate_hz = soundfile.read(tmp_path / "clip", dtype="float64", always_2d=True)
    assert (rate_hz, info.subtype) == (44_100, f"PCM_{bit_depth}")
    assert np.abs(stored.T - noise.double().numpy()).max() <= 0.5 / 2 ** (bit_depth - 1) + 1e-12


@WRITERS
def test_samples_beyond_full_scale_are_clipped_not_wrapped(tmp_path: Path, write: Callable[..., None]) -> None:
    write(tmp_path / "clip", Waveform(torch.tensor([[1.0, 1.5, -1.0, -7.0]]), 44_100))

    stored, _ = soundfile.read(tmp_path / "clip")
    assert stored.tolist() == pytest.approx([1, 1, -1, -1], abs=1e-6)


@WRITERS
def test_samples_that_are_no_numbers_are_not_written(tmp_path: Path, write: Callable[..., None]) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        write(tmp_path / "clip", Waveform(torch.tensor([[0.0, float("nan")]]), 44_100))

    assert not (tmp_path / "clip").exists()


def test_same_audio_gives_the_same_flac_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_flac(tmp_path / name, _sine(44_100, 100_000, 2))

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
