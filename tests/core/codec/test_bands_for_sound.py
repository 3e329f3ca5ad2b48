"""What models of sound hear: the score family's bands at twice the frame rate."""

import numpy as np
import pytest
import torch

from stemgen_core.codec.bands_for_sound import HOP_LENGTH, SoundBandFeatures, extract_for_sound, fits
from stemgen_core.codec.context_features import NUM_FEATURES, NUM_SEMITONES, SAMPLE_RATE_HZ, extract_bands
from stemgen_core.codec.pulse_features import NUM_PULSE_FEATURES, extract_pulse
from stemgen_core.types import CodecSpec, Waveform

FLUX = slice(NUM_SEMITONES, NUM_SEMITONES + 32)


def clicks(*times_s: float, duration_s: float = 3.0, seed: int = 0) -> torch.Tensor:
    """Return a quiet tone with bursts of noise, float32 [1, L]."""
    rng = np.random.default_rng(seed)
    samples = 0.01 * np.sin(2 * np.pi * 220 * np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ)
    for time_s in times_s:
        start = round(time_s * SAMPLE_RATE_HZ)
        samples[start : start + 3200] += 0.3 * rng.standard_normal(3200) * np.linspace(1, 0, 3200)
    return torch.from_numpy(samples.astype(np.float32))[None]


@pytest.mark.parametrize("seed", range(4))
def test_every_row_is_what_a_plain_loop_over_frames_takes_from_the_bands(seed: int) -> None:
    samples = clicks(0.5, 1.0 + 0.013 * seed, 1.77, seed=seed)
    num_frames = 121 + seed
    bands = extract_bands(samples[:, : num_frames * HOP_LENGTH], -(-num_frames // 2))[0]  # [124, T / 2]
    steps = bands[FLUX].reshape(8, 4, -1)  # band, step of 10 ms, frame of 40 ms

    found = extract_for_sound(samples, num_frames)[0]

    assert found.shape == (NUM_FEATURES, num_frames)
    for frame in range(num_frames):
        assert torch.equal(found[:NUM_SEMITONES, frame], bands[:NUM_SEMITONES, frame // 2])
        assert torch.equal(found[FLUX.stop : FLUX.stop + 8, frame], bands[FLUX.stop :, frame // 2])
        for step in range(4):
            at = 2 * frame + step
            expected = steps[:, at % 4, at // 4] if at // 4 < steps.shape[2] else torch.zeros(8)
            assert torch.equal(found[FLUX, frame].reshape(8, 4)[:, step], expected)
    pulse = extract_pulse(samples[0], SAMPLE_RATE_HZ, num_frames, 50.0)
    assert torch.equal(found[-NUM_PULSE_FEATURES:], pulse)


def test_an_onset_in_the_second_half_of_40_ms_belongs_to_its_own_frame_and_shows_in_the_one_before() -> None:
    flux = extract_for_sound(clicks(1.035), 150)[0, FLUX].reshape(8, 4, -1).sum(0)  # step, frame

    own = int(1.035 * 50)
    assert 2 + flux[:2, 2:140].sum(0).argmax() == own  # the tone itself begins and ends at the edges
    assert 2 + flux[2:, 2:140].sum(0).argmax() == own - 1


def test_the_codec_reads_one_channel_at_its_rate_and_silence_beyond_the_end() -> None:
    samples = clicks(0.2, duration_s=1.0)
    heard = SoundBandFeatures().encode(Waveform(samples, SAMPLE_RATE_HZ), 100)

    assert heard.shape == (SoundBandFeatures.num_features, 100)
    assert heard[:NUM_SEMITONES, 75:].max() < 0.01 < 1 < heard[:NUM_SEMITONES, 5:40].max()
    with pytest.raises(ValueError, match="expected mono at 32000 Hz, got 2 channels at 32000 Hz"):
        SoundBandFeatures().encode(Waveform(samples.repeat(2, 1), SAMPLE_RATE_HZ), 100)
    with pytest.raises(ValueError, match="got 1 channels at 44100 Hz"):
        SoundBandFeatures().encode(Waveform(samples, 44_100), 100)


def test_bands_go_with_codecs_of_their_own_frames_alone() -> None:
    spec = CodecSpec("any", SAMPLE_RATE_HZ, HOP_LENGTH, 4, 2048)

    assert fits(spec, 1)
    assert not fits(spec, 2)
    assert not fits(CodecSpec("any", 48_000, HOP_LENGTH, 4, 2048), 1)
    assert not fits(CodecSpec("any", SAMPLE_RATE_HZ, 320, 4, 2048), 1)
