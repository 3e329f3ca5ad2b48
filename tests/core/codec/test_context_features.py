"""What the score-token model hears: pitches and onsets where they are, at any level."""

import pytest
import torch

from stemgen_core.codec.context_features import (
    FRAME_LENGTH,
    LOWEST_SEMITONE,
    NUM_BAND_FEATURES,
    NUM_FEATURES,
    NUM_ONSET_BANDS,
    NUM_SEMITONES,
    NUM_SUBFRAMES,
    SAMPLE_RATE_HZ,
    BandFeatures,
    extract_features,
)
from stemgen_core.types import Waveform
from tests.core.tiny_models import seeded

FLUX = slice(NUM_SEMITONES, NUM_SEMITONES + NUM_ONSET_BANDS * NUM_SUBFRAMES)
C2, C7 = 36, 96


def sine(pitch: float, num_frames: int = 20) -> torch.Tensor:
    seconds = torch.arange(num_frames * FRAME_LENGTH) / SAMPLE_RATE_HZ
    return 0.4 * (2 * torch.pi * 440 * 2 ** ((pitch - 69) / 12) * seconds).sin()[None]


def noise(seed: int, num_frames: int = 20, batch_size: int = 1) -> torch.Tensor:
    samples = 0.2 * torch.randn(batch_size, num_frames * FRAME_LENGTH, generator=seeded(seed))
    return samples * torch.linspace(0.2, 1, num_frames).repeat_interleave(FRAME_LENGTH)


@pytest.mark.parametrize("pitch", range(C2, C7 + 1))
def test_a_sine_lights_the_band_of_its_semitone_most(pitch: int) -> None:
    bands = extract_features(sine(pitch), 20)[0, :NUM_SEMITONES, 5:15].mean(1)

    assert int(bands.argmax()) == pitch - LOWEST_SEMITONE
    others = bands.clone()
    others[max(0, pitch - LOWEST_SEMITONE - 1) : pitch - LOWEST_SEMITONE + 2] = 0
    # A low note's neighbours two semitones off lie within the window's main lobe.
    assert others.max() < (0.8 if pitch < 40 else 0.6) * bands.max()


@pytest.mark.parametrize("cents", [-30.0, 20.0, 30.0])
@pytest.mark.parametrize("pitch", [48, 60, 72, 84])
def test_tuning_moves_what_counts_as_in_tune(pitch: int, cents: float) -> None:
    detuned = sine(pitch + cents / 100)

    tuned = extract_features(detuned, 20, tuning_cents=cents)[0, pitch - LOWEST_SEMITONE, 10]
    untuned = extract_features(detuned, 20)[0, pitch - LOWEST_SEMITONE, 10]
    wrong_way = extract_features(detuned, 20, tuning_cents=-cents)[0, pitch - LOWEST_SEMITONE, 10]

    assert tuned > untuned > wrong_way
    torch.testing.assert_close(
        tuned, extract_features(sine(pitch), 20)[0, pitch - LOWEST_SEMITONE, 10], atol=0.1, rtol=0
    )


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("gain", [0.1, 0.01, 2.5])
def test_the_level_does_not_matter(gain: float, seed: int) -> None:
    samples = noise(seed) + sine(50 + seed)

    torch.testing.assert_close(
        extract_features(gain * samples, 20), extract_features(samples, 20), atol=1e-3, rtol=1e-3
    )


def impulse_flux(step: int) -> torch.Tensor:
    """Return the flux of an impulse in the middle of a step of 10 ms, summed over the bands, [steps]."""
    samples = torch.zeros(1, 20 * FRAME_LENGTH)
    samples[0, round((step + 0.5) * FRAME_LENGTH / NUM_SUBFRAMES)] = 0.9
    flux = extract_features(samples, 20)[0, FLUX].unflatten(0, (NUM_ONSET_BANDS, NUM_SUBFRAMES))  # [8, 4, T]
    return flux.sum(0).T.flatten()


@pytest.mark.parametrize("step", [2, 3, 13, 14, 15, 16, 44, 78, 79])
def test_an_impulse_shows_in_its_step_of_10_ms_and_the_one_before_alone(step: int) -> None:
    flux = impulse_flux(step)

    # The window of 32 ms reaches 11 ms beyond its step to either side.
    own = flux[step - 1 : step + 1].sum()
    assert own > 1
    assert flux.sum() - own < 1e-3 * own


@pytest.mark.parametrize("step", [3, 14, 43, 77])
def test_an_impulse_10_ms_later_shows_one_step_later(step: int) -> None:
    torch.testing.assert_close(impulse_flux(step + 1)[1:], impulse_flux(step)[:-1], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("seed", range(10))
def test_a_batch_equals_its_items_alone(seed: int) -> None:
    samples = noise(seed, batch_size=3) * torch.tensor([[1.0], [0.1], [0.5]])

    together = extract_features(samples, 20)

    for item in range(3):
        torch.testing.assert_close(
            together[item], extract_features(samples[item : item + 1], 20)[0], atol=1e-4, rtol=1e-4
        )


@pytest.mark.parametrize("num_frames", [1, 2, 7, 250])
def test_silence_is_finite_and_next_to_zero(num_frames: int) -> None:
    features = extract_features(torch.zeros(2, num_frames * FRAME_LENGTH), num_frames)

    assert features.shape == (2, NUM_FEATURES, num_frames)
    assert features.isfinite().all()
    assert features.abs().max() < 1e-2


@pytest.mark.parametrize("length", [1, 1_279, 1_281, 20 * FRAME_LENGTH - 5])
def test_beyond_the_end_there_is_silence(length: int) -> None:
    samples = noise(3)[:, :length]
    padded = torch.nn.functional.pad(samples, (0, 20 * FRAME_LENGTH - length))

    assert torch.equal(extract_features(samples, 20), extract_features(padded, 20))


def test_what_comes_after_the_last_frame_is_not_heard() -> None:
    samples = noise(0, 30)

    assert torch.equal(extract_features(samples, 20), extract_features(samples[:, : 20 * FRAME_LENGTH], 20))


def test_noise_without_pitch_is_heard_as_energy_in_its_band() -> None:
    samples = noise(1)
    spectrum = torch.fft.rfft(samples)
    spectrum[:, : spectrum.shape[1] // 2] = 0  # above 8 kHz alone

    energy = extract_features(torch.fft.irfft(spectrum), 20)[
        0, NUM_BAND_FEATURES - NUM_ONSET_BANDS : NUM_BAND_FEATURES
    ].mean(1)

    assert int(energy.argmax()) == NUM_ONSET_BANDS - 1


def test_features_are_the_same_every_time() -> None:
    assert torch.equal(extract_features(noise(0), 20), extract_features(noise(0), 20))


@pytest.mark.parametrize(("channels", "rate_hz"), [(1, 44_100), (2, 32_000)], ids=["another rate", "stereo"])
def test_audio_that_was_not_prepared_is_refused(channels: int, rate_hz: int) -> None:
    with pytest.raises(ValueError, match=f"expected mono at 32000 Hz, got {channels} channels at {rate_hz} Hz"):
        BandFeatures().encode(Waveform(torch.zeros(channels, 9_999), rate_hz), 5)


def test_the_codec_gives_one_items_features() -> None:
    samples = noise(4)

    assert torch.equal(BandFeatures().encode(Waveform(samples, 32_000), 20), extract_features(samples, 20)[0])
