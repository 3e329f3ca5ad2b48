"""Loading published codecs by name, without a network: names, conversion and the sentence when there is none."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stemgen_core.codec import published
from stemgen_core.codec.encodec import ENCODEC_PRESETS, EncodecCodec
from stemgen_core.codec.published import load_published, to_audiocraft_names
from stemgen_core.errors import CheckpointError, InvalidRequestError, MissingDependencyError

NAME = "facebook/encodec_32khz"


def transformers_names(is_new: bool) -> dict[str, str]:
    """Return {audiocraft's name: transformers' name} for the published layout, spelt out layer by layer."""
    pairs: dict[str, str] = {}
    gain, direction = (
        ("parametrizations.weight.original0", "parametrizations.weight.original1")
        if is_new
        else (
            "weight_g",
            "weight_v",
        )
    )

    def add_convolution(ours: str, theirs: str) -> None:
        pairs[f"{ours}.bias"] = f"{theirs}.bias"
        pairs[f"{ours}.weight_g"] = f"{theirs}.{gain}"
        pairs[f"{ours}.weight_v"] = f"{theirs}.{direction}"

    for layer in (0, 3, 6, 9, 12, 15):
        add_convolution(f"encoder.model.{layer}.conv.conv", f"encoder.layers.{layer}.conv")
    for layer in (1, 4, 7, 10):
        for block in (1, 3):
            add_convolution(
                f"encoder.model.{layer}.block.{block}.conv.conv", f"encoder.layers.{layer}.block.{block}.conv"
            )
    for layer in (0, 15):
        add_convolution(f"decoder.model.{layer}.conv.conv", f"decoder.layers.{layer}.conv")
    for layer in (3, 6, 9, 12):
        add_convolution(f"decoder.model.{layer}.convtr.convtr", f"decoder.layers.{layer}.conv")
    for layer in (4, 7, 10, 13):
        for block in (1, 3):
            add_convolution(
                f"decoder.model.{layer}.block.{block}.conv.conv", f"decoder.layers.{layer}.block.{block}.conv"
            )
    for side, layer in (("encoder", 13), ("decoder", 1)):
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            for depth in (0, 1):
                pairs[f"{side}.model.{layer}.lstm.{kind}_l{depth}"] = f"{side}.layers.{layer}.lstm.{kind}_l{depth}"
    for level in range(4):
        for kind in ("inited", "cluster_size", "embed", "embed_avg"):
            pairs[f"quantizer.vq.layers.{level}._codebook.{kind}"] = f"quantizer.layers.{level}.codebook.{kind}"
    return pairs


@pytest.fixture(scope="module")
def real_size() -> EncodecCodec:
    return EncodecCodec(ENCODEC_PRESETS["encodec_32khz"])


@pytest.mark.parametrize("is_new", [False, True], ids=["weight_g names", "parametrized names"])
def test_every_tensor_of_a_published_file_finds_its_place(real_size: EncodecCodec, is_new: bool) -> None:
    pairs = transformers_names(is_new)
    ours = real_size.model.state_dict()

    renamed = to_audiocraft_names({pairs[name]: tensor for name, tensor in ours.items()})

    assert set(pairs) == set(ours)
    assert all(renamed[name] is tensor for name, tensor in ours.items())


def test_a_published_file_gives_the_codec_it_was_made_from(
    real_size: EncodecCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = transformers_names(is_new=False)
    path = tmp_path / "model.safetensors"
    save_file({pairs[name]: tensor for name, tensor in real_size.model.state_dict().items()}, path)
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(published, "_download", lambda name, revision, _: asked.append((name, revision)) or str(path))
    audio = torch.randn(1, 1, 3200, generator=torch.Generator().manual_seed(0))

    codec = load_published(NAME)

    assert torch.equal(codec.encode(audio), real_size.encode(audio))
    assert asked == [(NAME, published.PUBLISHED_CODECS[NAME].revision)]


def test_a_file_of_another_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"encoder.layers.0.conv.bias": torch.zeros(64)}, path)
    monkeypatch.setattr(published, "_download", lambda *_: str(path))

    with pytest.raises(CheckpointError, match="do not fit"):
        load_published(NAME)


@pytest.mark.parametrize("name", ["https://example.org/model.th", "/tmp/model.th", "someone/else", ""])
def test_nothing_but_a_known_name_is_ever_fetched(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "_download", lambda *_: pytest.fail("it tried to download"))

    with pytest.raises(InvalidRequestError, match=f"no published codec '{re.escape(name)}'"):
        load_published(name)


def test_without_a_network_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(MissingDependencyError, match=r"not on this machine and could not be downloaded"):
        load_published(NAME, cache_folder=tmp_path)


@pytest.mark.network
def test_the_published_codec_reconstructs_a_tone() -> None:
    tone = 0.3 * (torch.arange(32_000) * (2 * torch.pi * 220 / 32_000)).sin()[None, None]  # [1, 1, L]

    codec = load_published(NAME)
    decoded = codec.decode(codec.encode(tone))

    assert float((decoded - tone).pow(2).mean() / tone.pow(2).mean()) < 0.3
