"""The audio family behind the codec protocol."""

import pytest
import torch
from torch import nn

from stemgen_core.codec.audio_tokens import AudioTokens
from stemgen_core.codec.band_codec import BAND_CODEC_PRESETS, BandCodec
from stemgen_core.codec.encodec import ENCODEC_PRESETS, EncodecCodec
from stemgen_core.codec.protocol import ContextCodec, TargetCodec
from stemgen_core.codec.waveform_codec import WaveformCodec
from stemgen_core.instruments import find_instrument
from stemgen_core.types import Waveform

BASS = find_instrument("bass")


@pytest.fixture(params=["encodec", "bands"])
def tokens(request: pytest.FixtureRequest) -> AudioTokens:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        if request.param == "encodec":
            return AudioTokens(EncodecCodec(ENCODEC_PRESETS["tiny"]))
        codec = BandCodec(BAND_CODEC_PRESETS["tiny-bands"])
        codec.codebooks = 0.4 * torch.randn_like(codec.codebooks)
        return AudioTokens(codec)


def decoder_of(codec: WaveformCodec) -> nn.Module:
    if isinstance(codec, BandCodec):
        return codec.decoder.direct
    assert isinstance(codec, EncodecCodec)
    return codec.model.get_submodule("decoder")


def noise(num_audio_samples: int, rate_hz: int = 32_000, num_channels: int = 1) -> Waveform:
    samples = torch.randn(num_channels, num_audio_samples, generator=torch.Generator().manual_seed(1)) * 0.1
    return Waveform(samples, rate_hz)


def test_it_is_both_kinds_of_codec_with_one_layout(tokens: AudioTokens) -> None:
    target: TargetCodec = tokens
    context: ContextCodec = tokens

    assert context.name == target.spec.name
    assert context.num_features is None
    assert [rule.level for rule in target.rules(BASS)] == [0, 1]


@pytest.mark.parametrize("num_audio_samples", [3200, 5000, 9999])
def test_the_context_is_cut_or_filled_to_the_frames_asked_for(tokens: AudioTokens, num_audio_samples: int) -> None:
    codes = tokens.encode(noise(num_audio_samples), 8)

    assert codes.shape == (2, 8)
    assert codes.dtype == torch.int64


def test_beyond_its_end_the_context_is_silent(tokens: AudioTokens) -> None:
    short = noise(3200)
    padded = Waveform(torch.cat([short.samples, torch.zeros(1, 3200)], dim=1), 32_000)

    assert torch.equal(tokens.encode(short, 10), tokens.encode(padded, 10))


@pytest.mark.parametrize("context", [noise(6400, 44_100), noise(6400, num_channels=2)], ids=["rate", "stereo"])
def test_a_context_that_was_not_prepared_is_refused(tokens: AudioTokens, context: Waveform) -> None:
    with pytest.raises(ValueError, match="expected 1 channels at 32000 Hz"):
        tokens.encode(context, 4)


@pytest.mark.parametrize(("rate_hz", "num_audio_samples"), [(32_000, 6400), (44_100, 8821), (48_000, 9000)])
def test_the_stem_has_the_contexts_rate_and_exact_length(
    tokens: AudioTokens, rate_hz: int, num_audio_samples: int
) -> None:
    context = noise(num_audio_samples, rate_hz)

    decoded = tokens.decode(tokens.encode(noise(6400), 10), instrument=BASS, seed=0, context=context)

    assert decoded.notes is None
    assert decoded.waveform.sample_rate_hz == rate_hz
    assert decoded.waveform.samples.shape == (1, num_audio_samples)


def test_a_stem_is_fitted_to_its_context_and_never_clips(tokens: AudioTokens) -> None:
    with torch.no_grad():
        for parameter in decoder_of(tokens.codec).parameters():
            parameter.mul_(3.0)
    codes = tokens.encode(noise(6400), 10)
    quiet = Waveform(0.03 * noise(6400).samples, 32_000)

    loud = tokens.codec.decode(codes[None])
    beside_loud, beside_quiet = (
        tokens.decode(codes, instrument=BASS, seed=0, context=context).waveform.samples
        for context in (noise(6400), quiet)
    )

    assert float(loud.abs().max()) > 1.0
    assert float(beside_loud.abs().max()) <= 10 ** (-1 / 20)
    assert float(beside_quiet.abs().max()) < 0.5 * float(beside_loud.abs().max())


def test_how_loud_the_context_is_does_not_change_its_codes(tokens: AudioTokens) -> None:
    loud = noise(6400)

    assert torch.equal(tokens.encode(loud, 10), tokens.encode(Waveform(0.25 * loud.samples, 32_000), 10))
