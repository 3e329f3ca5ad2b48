"""Published EnCodec checkpoints, by name.

Only names of a fixed list are loaded, at a fixed revision, and only as safetensors: nothing that a user types is ever
an address, and nothing is unpickled. The weights have licences of their own; nothing of them is in this repository.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from stemgen_core.codec.encodec import ENCODEC_PRESETS, EncodecCodec, EncodecConfig
from stemgen_core.errors import CheckpointError, InvalidRequestError, MissingDependencyError


@dataclass(frozen=True, slots=True)
class PublishedCodec:
    """Where a published codec lies and what it is.

    Attributes:
        config: its sizes.
        revision: commit of its repository on the Hugging Face Hub.
        licence: licence of the weights.
    """

    config: EncodecConfig
    revision: str
    licence: str


PUBLISHED_CODECS: dict[str, PublishedCodec] = {
    "facebook/encodec_32khz": PublishedCodec(
        config=ENCODEC_PRESETS["encodec_32khz"],
        revision="d0c45384f6c44db055f78200cfdcb9c1c8706727",
        licence="CC-BY-NC-4.0",
    ),
}


def load_published(name: str, *, cache_folder: Path | None = None) -> EncodecCodec:
    """Return a published codec, downloaded at its first use.

    Args:
        name: a key of `PUBLISHED_CODECS`.
        cache_folder: where downloads are kept; None is huggingface_hub's own folder.

    Raises:
        InvalidRequestError: if the name is not in the list.
        MissingDependencyError: if it is not cached and cannot be downloaded (no network).
        CheckpointError: if what was downloaded does not fit.
    """
    if name not in PUBLISHED_CODECS:
        raise InvalidRequestError(f"There is no published codec {name!r}. Known: {', '.join(PUBLISHED_CODECS)}.")
    published = PUBLISHED_CODECS[name]
    path = _download(name, published.revision, cache_folder)
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"The weights of {name} cannot be read: {error}") from error
    return EncodecCodec.from_weights(published.config, to_audiocraft_names(weights))


def _download(name: str, revision: str, cache_folder: Path | None) -> str:
    from huggingface_hub import hf_hub_download  # takes a second to import, and only this needs it

    try:
        return hf_hub_download(name, "model.safetensors", revision=revision, cache_dir=cache_folder)
    except Exception as error:
        # huggingface_hub has no common base class for "offline", "refused" and "not found".
        raise MissingDependencyError(
            f"{name} is not on this machine and could not be downloaded from huggingface.co. "
            f"It is fetched once (about 240 MB), then no network is needed. ({type(error).__name__}: {error})"
        ) from error


def to_audiocraft_names(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the tensors of a checkpoint in transformers' layout to audiocraft's.

    The two are the same network. They differ in how many wrappers each convolution sits in, and newer files name the
    two halves of a weight-normed tensor differently.

    Args:
        weights: tensors by the names transformers' EncodecModel gives them.

    Returns:
        the same tensors by audiocraft's names; names that match no rule are kept, so that loading reports them.
    """
    return {_to_audiocraft_name(name): tensor for name, tensor in weights.items()}


def _to_audiocraft_name(name: str) -> str:
    name = name.replace(".parametrizations.weight.original0", ".weight_g")
    name = name.replace(".parametrizations.weight.original1", ".weight_v")
    name = re.sub(r"^quantizer\.layers\.(\d+)\.codebook\.", r"quantizer.vq.layers.\1._codebook.", name)
    name = re.sub(r"^(encoder|decoder)\.layers\.", r"\1.model.", name)
    if re.match(r"^decoder\.model\.\d+\.conv\.", name) and not _is_plain_convolution(name):
        return re.sub(r"^(decoder\.model\.\d+)\.conv\.", r"\1.convtr.convtr.", name)
    return re.sub(r"\.conv\.(?=[^.]+$)", ".conv.conv.", name)


def _is_plain_convolution(name: str) -> bool:
    """Tell the decoder's first and last layer from the transposed convolutions between them, by position."""
    num_ratios = len(ENCODEC_PRESETS["encodec_32khz"].ratios)
    last_layer = 3 * num_ratios + 3  # first, LSTM, then activation + upsampling + residual per ratio, activation, last
    return int(name.split(".")[2]) in (0, last_layer)
