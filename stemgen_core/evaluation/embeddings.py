"""Embeddings of sound by published networks, for Frechet distances that others report too; weights are the user's own.

Conventions: an embedding takes mono audio and returns float32 [N, D], one row per moment. Weights are read from
safetensors alone: a pickle may run any code while it is opened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from stemgen_core.audio import resample, to_mono
from stemgen_core.errors import CheckpointError, MissingDependencyError
from stemgen_core.types import Waveform

VGGISH_RATE_HZ, CLAP_RATE_HZ = 16_000, 48_000
_PATCH_FRAMES, _NUM_BANDS = 96, 64  # 0.96 s
_WINDOW, _HOP, _FFT = 400, 160, 512
_LOWEST_HZ, _HIGHEST_HZ = 125.0, 7_500.0
_CHANNELS = (64, 128, 256, 256, 512, 512)
_POOLED = (True, True, False, True, False, True)  # after each convolution
_CLAP_SPAN_S = 10.0


@dataclass(frozen=True, slots=True)
class SoundEmbedding:
    """A network that turns sound into rows.

    Attributes:
        name: what tables call it.
        embed: mono waveform to float32 [N, D].
    """

    name: str
    embed: Callable[[Waveform], np.ndarray]


def load_embedding(path: Path) -> SoundEmbedding:
    """Load VGGish from a safetensors file, or CLAP from a folder as `transformers` saves it.

    Raises:
        CheckpointError: if there is nothing, or weights of another kind or in another format.
        MissingDependencyError: if CLAP is asked for and `transformers` is not installed.
    """
    if path.is_dir():
        return _load_clap(path)
    if not path.is_file():
        raise CheckpointError(f"There are no weights of an embedding at {path}.")
    if path.suffix != ".safetensors":
        raise CheckpointError(
            f"{path.name} is no safetensors file. Weights in other formats may run code when they are opened, so they"
            " are not; convert them on a machine that trusts them with `safetensors.torch.save_file`."
        )
    return SoundEmbedding("VGGish", _Vggish(path))


class _Vggish:
    """The convolutional network of AudioSet, without its last rectifier and without PCA.

    Source: CNN Architectures for Large-Scale Audio Classification (arXiv:1609.09430); the names of the tensors are
    those that ports to PyTorch share (`features.N`, `embeddings.N`).
    """

    def __init__(self, path: Path) -> None:
        with torch.device("meta"):  # the weights come from the file
            self._features, self._dense = _vggish_layers()
        tensors = load_file(path)
        for name, network in (("features", self._features), ("embeddings", self._dense)):
            own = {key.removeprefix(f"{name}."): each for key, each in tensors.items() if key.startswith(f"{name}.")}
            wanted = {key: each.shape for key, each in network.state_dict().items()}
            if {key: each.shape for key, each in own.items()} != wanted:
                raise CheckpointError(
                    f"{path.name} is no VGGish: its tensors {name}.* must be {', '.join(wanted)}, of the usual shapes."
                )
            network.load_state_dict(own, assign=True)

    def __call__(self, waveform: Waveform) -> np.ndarray:
        patches = torch.from_numpy(vggish_patches(waveform))[:, None]  # [N, 1, 96, 64]
        with torch.inference_mode():
            found = self._features(patches)  # [N, 512, 6, 4]
            return self._dense(found.permute(0, 2, 3, 1).flatten(1)).numpy()


def _vggish_layers() -> tuple[nn.Sequential, nn.Sequential]:
    layers: list[nn.Module] = []
    width = 1
    for channels, is_pooled in zip(_CHANNELS, _POOLED, strict=True):
        layers += [nn.Conv2d(width, channels, 3, padding=1), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if is_pooled else []
        width = channels
    flat = width * (_PATCH_FRAMES // 16) * (_NUM_BANDS // 16)
    dense = [nn.Linear(flat, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 128)]
    return nn.Sequential(*layers).eval(), nn.Sequential(*dense).eval()


def vggish_patches(waveform: Waveform) -> np.ndarray:
    """Return log-mel patches of 0.96 s, float32 [N, 96, 64]; what is left at the end is dropped, unless it is all.

    Source: the network's published front end: 25 ms windows every 10 ms, 64 mel bands of magnitudes, log(x + 0.01).
    """
    samples = resample(to_mono(waveform), VGGISH_RATE_HZ).samples[0].numpy()
    shortest = _WINDOW + _HOP * (_PATCH_FRAMES - 1)
    samples = np.pad(samples, (0, max(0, shortest - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    magnitudes = np.abs(np.fft.rfft(frames * window, _FFT, axis=1))
    levels = np.log(magnitudes @ _vggish_bands().T + 0.01)
    count = len(levels) // _PATCH_FRAMES
    return levels[: count * _PATCH_FRAMES].reshape(count, _PATCH_FRAMES, _NUM_BANDS).astype(np.float32)


@lru_cache(maxsize=1)
def _vggish_bands() -> np.ndarray:
    """Return triangles of height 1, equally wide on the mel scale, float64 [64, 257]; the bin at 0 Hz is left out."""
    bins_mel, low, high = (1127 * np.log(1 + np.asarray(hz) / 700) for hz in (
        np.arange(_FFT // 2 + 1) * VGGISH_RATE_HZ / _FFT, _LOWEST_HZ, _HIGHEST_HZ
    ))  # fmt: skip
    edges = np.linspace(low, high, _NUM_BANDS + 2)
    rising = (bins_mel - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins_mel) / np.diff(edges)[1:, None]
    bands = np.maximum(0, np.minimum(rising, falling))
    bands[:, 0] = 0
    return bands


def _load_clap(folder: Path) -> SoundEmbedding:
    if not (folder / "model.safetensors").is_file():
        raise CheckpointError(
            f"{folder} holds no model.safetensors. Save CLAP there with `save_pretrained`; pickles are not opened."
        )
    try:
        from transformers import ClapFeatureExtractor, ClapModel  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingDependencyError("CLAP needs `pip install transformers`, which nothing else here does.") from error
    model: Any = ClapModel.from_pretrained(folder, use_safetensors=True, local_files_only=True).eval()
    extractor: Any = ClapFeatureExtractor.from_pretrained(folder, local_files_only=True)

    def embed(waveform: Waveform) -> np.ndarray:
        samples = resample(to_mono(waveform), CLAP_RATE_HZ).samples[0].numpy()
        span = round(_CLAP_SPAN_S * CLAP_RATE_HZ)
        parts = [samples[start : start + span] for start in range(0, max(1, len(samples) - span // 2), span)]
        with torch.inference_mode():
            inputs = extractor(parts, sampling_rate=CLAP_RATE_HZ, return_tensors="pt")
            return model.get_audio_features(**inputs).numpy()

    return SoundEmbedding("CLAP", embed)
