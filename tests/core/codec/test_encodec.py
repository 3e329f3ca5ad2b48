"""The audio-token codec: shapes in the real layout, round trips to disk, and errors that say what is wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stemgen_core.codec.band_codec import BAND_CODEC_PRESETS, BandCodec
from stemgen_core.codec.codec_files import CONFIG_FILE, WEIGHTS_FILE
from stemgen_core.codec.encodec import (
    ENCODEC_PRESETS,
    EncodecCodec,
    EncodecConfig,
)
from stemgen_core.codec.waveform_codec import load_waveform_codec
from stemgen_core.errors import CheckpointError

TINY = ENCODEC_PRESETS["tiny"]


@pytest.fixture
def codec() -> EncodecCodec:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return EncodecCodec(TINY)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3)) * 0.1


def test_the_real_layout_gives_50_frames_of_4_codes_below_2048_for_a_second() -> None:
    codec = EncodecCodec(ENCODEC_PRESETS["encodec_32khz"])

    codes = codec.encode(noise(1, 1, 32_000))
    audio = codec.decode(codes)

    assert codec.spec.frame_rate_hz == 50.0
    assert (codec.spec.num_codebooks, codec.spec.codebook_size, codec.spec.hop_length) == (4, 2048, 640)
    assert codes.shape == (1, 4, 50)
    assert codes.dtype == torch.int64
    assert 0 <= int(codes.min()) <= int(codes.max()) < 2048
    assert audio.shape == (1, 1, 32_000)


@pytest.mark.parametrize(("num_audio_samples", "num_frames"), [(1, 1), (640, 1), (641, 2), (31_999, 50), (32_001, 51)])
def test_the_last_frame_may_be_partial(codec: EncodecCodec, num_audio_samples: int, num_frames: int) -> None:
    codes = codec.encode(noise(2, 1, num_audio_samples))

    assert codes.shape == (2, 2, num_frames)
    assert codec.decode(codes).shape == (2, 1, num_frames * 640)


def test_a_batch_of_two_is_two_batches_of_one(codec: EncodecCodec) -> None:
    audio = noise(2, 1, 6400)

    assert torch.equal(codec.encode(audio), torch.cat([codec.encode(audio[:1]), codec.encode(audio[1:])]))


def test_different_codes_sound_different(codec: EncodecCodec) -> None:
    low, high = torch.zeros(1, 2, 4, dtype=torch.int64), torch.full((1, 2, 4), 15)

    assert not torch.allclose(codec.decode(low), codec.decode(high))


def test_a_model_can_be_trained_on_its_codes(codec: EncodecCodec) -> None:
    table = torch.nn.Embedding(16, 3)

    table(codec.encode(noise(1, 1, 640))).sum().backward()

    assert table.weight.grad is not None


def test_a_saved_codec_gives_the_same_codes_and_audio(codec: EncodecCodec, tmp_path: Path) -> None:
    audio = noise(1, 1, 6400)

    codec.save(tmp_path / "codec")
    loaded = EncodecCodec.load(tmp_path / "codec")

    assert loaded.config == TINY
    assert torch.equal(loaded.encode(audio), codec.encode(audio))
    assert torch.equal(loaded.decode(codec.encode(audio)), codec.decode(codec.encode(audio)))
    assert sorted(path.name for path in (tmp_path / "codec").iterdir()) == [CONFIG_FILE, WEIGHTS_FILE]


@pytest.mark.parametrize("shape", [(1, 6400), (1, 2, 6400), (1, 1, 0)])
def test_audio_that_is_not_mono_is_refused(codec: EncodecCodec, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"waveform must be \[B, 1, L\] with L > 0"):
        codec.encode(torch.zeros(shape))


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (torch.full((1, 2, 4), 16), r"codes must be in \[0, 16\), got 16..16"),
        (torch.full((1, 2, 4), -1), r"codes must be in \[0, 16\), got -1..-1"),
        (torch.zeros((1, 3, 4), dtype=torch.int64), r"codes must be \[B, 2, T\]"),
    ],
    ids=["mask token", "negative", "level too many"],
)
def test_codes_of_another_layout_are_refused(codec: EncodecCodec, codes: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        codec.decode(codes)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"codec\.json cannot be read"):
        EncodecCodec.load(tmp_path)


def test_damaged_weights_are_refused(codec: EncodecCodec, tmp_path: Path) -> None:
    codec.save(tmp_path)
    (tmp_path / WEIGHTS_FILE).write_bytes(b"\x80\x04not tensors")

    with pytest.raises(CheckpointError, match="weights cannot be read"):
        EncodecCodec.load(tmp_path)


def test_weights_of_another_size_are_refused(codec: EncodecCodec, tmp_path: Path) -> None:
    EncodecCodec(replace(TINY, latent_dim=4)).save(tmp_path)
    (tmp_path / CONFIG_FILE).write_text(
        json.dumps(json.loads((tmp_path / CONFIG_FILE).read_text()) | {"latent_dim": 8})
    )

    with pytest.raises(CheckpointError, match="do not fit its configuration"):
        EncodecCodec.load(tmp_path)


def test_a_missing_tensor_is_refused(codec: EncodecCodec, tmp_path: Path) -> None:
    codec.save(tmp_path)
    weights = load_file(tmp_path / WEIGHTS_FILE)
    del weights["decoder.model.0.conv.conv.bias"]
    save_file(weights, tmp_path / WEIGHTS_FILE)

    with pytest.raises(CheckpointError, match=r"decoder\.model\.0\.conv\.conv\.bias"):
        EncodecCodec.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"num_filters": "two"}, {"num_filters": 0}, {"surprise": 1}, {"ratios": [7, 5]}],
    ids=["text", "zero", "unknown field", "no whole hop"],
)
def test_a_nonsensical_configuration_is_refused(codec: EncodecCodec, tmp_path: Path, change: dict[str, object]) -> None:
    codec.save(tmp_path)
    values = json.loads((tmp_path / CONFIG_FILE).read_text())
    (tmp_path / CONFIG_FILE).write_text(json.dumps(values | change))

    with pytest.raises(CheckpointError, match="configuration"):
        EncodecCodec.load(tmp_path)


def test_a_rate_that_is_no_multiple_of_the_hop_is_refused() -> None:
    with pytest.raises(ValueError, match="44100 Hz is no multiple of the hop length 640"):
        EncodecConfig(sample_rate_hz=44_100)


def test_a_codec_is_opened_as_what_it_is(codec: EncodecCodec, tmp_path: Path) -> None:
    bands = BandCodec(BAND_CODEC_PRESETS["tiny-bands"])
    codec.save(tmp_path / "encodec")
    bands.save(tmp_path / "bands")
    bands.save(tmp_path / "odd")
    (tmp_path / "odd" / CONFIG_FILE).write_text('{"kind": "wax cylinder"}')

    assert isinstance(load_waveform_codec(tmp_path / "encodec"), EncodecCodec)
    assert isinstance(load_waveform_codec(tmp_path / "bands"), BandCodec)
    with pytest.raises(CheckpointError, match="no codec of the kind 'wax cylinder'; it has: encodec, bands"):
        load_waveform_codec(tmp_path / "odd")
    with pytest.raises(CheckpointError, match="not of the kind 'encodec'"):
        EncodecCodec.load(tmp_path / "bands")
