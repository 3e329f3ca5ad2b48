"""Embeddings from weights at hand: VGGish's front end and layout, and what is refused."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stemgen_core.errors import CheckpointError, MissingDependencyError
from stemgen_core.evaluation.embeddings import load_embedding, vggish_patches
from stemgen_core.types import Waveform

CHANNELS = {0: (1, 64), 3: (64, 128), 6: (128, 256), 8: (256, 256), 11: (256, 512), 13: (512, 512)}
DENSE = {0: (12_288, 4096), 2: (4096, 4096), 4: (4096, 128)}


def vggish_tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for number, (given, made) in CHANNELS.items():
        tensors[f"features.{number}.weight"] = 0.05 * torch.randn(made, given, 3, 3, generator=rng)
        tensors[f"features.{number}.bias"] = torch.zeros(made)
    for number, (given, made) in DENSE.items():
        tensors[f"embeddings.{number}.weight"] = torch.zeros(made, given)
        tensors[f"embeddings.{number}.bias"] = torch.full((made,), -0.5)
    return tensors


def sine(hz: float, seconds: float, rate_hz: int = 16_000) -> Waveform:
    times_s = torch.arange(round(seconds * rate_hz)) / rate_hz
    return Waveform(0.5 * torch.sin(2 * torch.pi * hz * times_s)[None], rate_hz)


@pytest.mark.parametrize(("seconds", "count"), [(0.3, 1), (0.97, 1), (0.975, 1), (1.94, 2), (10.0, 10)])
def test_a_patch_is_ninety_six_frames_of_ten_milliseconds(seconds: float, count: int) -> None:
    assert vggish_patches(sine(440, seconds)).shape == (count, 96, 64)


def test_silence_is_the_log_of_the_offset() -> None:
    patches = vggish_patches(Waveform(torch.zeros(1, 16_000), 16_000))

    np.testing.assert_allclose(patches, np.log(0.01), atol=1e-6)


@pytest.mark.parametrize("hz", [250.0, 1_000.0, 4_000.0])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_a_sine_stands_in_the_band_of_its_frequency(hz: float, rate_hz: int) -> None:
    mel = [1127 * np.log(1 + f / 700) for f in (125.0, hz, 7_500.0)]

    band = int(vggish_patches(sine(hz, 2.0, rate_hz))[0].mean(0).argmax())

    assert abs(band - ((mel[1] - mel[0]) / (mel[2] - mel[0]) * 65 - 1)) <= 1


@pytest.mark.slow  # writes the 290 MB that such weights have
def test_a_file_of_weights_embeds_each_patch_by_frame_band_and_channel(tmp_path: Path) -> None:
    tensors = vggish_tensors()
    # The first output reads channel 7 at frame 2 and band 3 of what the convolutions leave: (2 * 4 + 3) * 512 + 7.
    tensors["embeddings.0.weight"][0, (2 * 4 + 3) * 512 + 7] = 1.0
    tensors["embeddings.0.bias"][0] = 0.0
    tensors["embeddings.2.weight"][0, 0] = tensors["embeddings.4.weight"][0, 0] = 1.0
    tensors["embeddings.2.bias"][0] = 0.0
    save_file(tensors, tmp_path / "vggish.safetensors")
    sound = sine(500, 2.0)

    embedding = load_embedding(tmp_path / "vggish.safetensors")
    rows = embedding.embed(sound)

    hidden = torch.from_numpy(vggish_patches(sound))[:, None]
    for number in CHANNELS:
        hidden = torch.nn.functional.conv2d(hidden, tensors[f"features.{number}.weight"], padding=1).relu()
        if number in (0, 3, 8, 13):
            hidden = torch.nn.functional.max_pool2d(hidden, 2)
    assert embedding.name == "VGGish"
    assert rows.shape == (2, 128)
    np.testing.assert_allclose(rows[:, 0], hidden[:, 7, 2, 3] - 0.5, atol=1e-5)
    np.testing.assert_allclose(rows[:, 1:], -0.5)  # no rectifier at the end


@pytest.mark.parametrize("name", ["vggish.pth", "vggish.pt", "pytorch_model.bin", "vggish.ckpt"])
def test_pickles_are_not_opened(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"whatever")

    with pytest.raises(CheckpointError, match=rf"{name} is no safetensors file\. .*may run code"):
        load_embedding(tmp_path / name)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "images.safetensors")

    with pytest.raises(CheckpointError, match=r"is no VGGish: its tensors features\.\*"):
        load_embedding(tmp_path / "images.safetensors")
    with pytest.raises(CheckpointError, match="There are no weights"):
        load_embedding(tmp_path / "nothing.safetensors")


def test_a_folder_without_safetensors_is_refused_and_what_clap_needs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"whatever")
    with pytest.raises(CheckpointError, match=r"holds no model\.safetensors"):
        load_embedding(tmp_path)

    (tmp_path / "model.safetensors").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match="pip install transformers"):
        load_embedding(tmp_path)
