"""A waveform codec on disk: `codec.json` says its kind and sizes, `codec.safetensors` holds its tensors."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from stemgen_core.errors import CheckpointError

CONFIG_FILE = "codec.json"
WEIGHTS_FILE = "codec.safetensors"
MAX_CONFIG_BYTES = 65_536
ADDED_FIELDS = frozenset({"num_channels"})  # that files of earlier versions lack
Config = TypeVar("Config")


def write_codec(folder: Path, kind: str, config: Any, weights: Mapping[str, torch.Tensor]) -> None:
    """Write a codec into a folder, which is made if need be.

    Args:
        folder: may hold other files.
        kind: which codec class reads it.
        config: a dataclass of JSON values and tuples.
        weights: tensors by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, folder / WEIGHTS_FILE)
    text = json.dumps({"kind": kind, **asdict(config)}, indent=2)
    (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")


def read_kind(folder: Path) -> str:
    """Return which kind of codec a folder holds.

    Raises:
        CheckpointError: if it holds none.
    """
    return str(_read_values(folder).get("kind"))


def read_config(folder: Path, kind: str, config_class: type[Config]) -> Config:
    """Read the sizes of a codec.

    Raises:
        CheckpointError: if the file can't be read, is of another kind, or a field is unknown, missing or out of range.
    """
    values = _read_values(folder)
    if values.pop("kind", None) != kind:
        raise CheckpointError(f"The codec in {folder} is not of the kind {kind!r}.")
    known = fields(config_class)  # pyright: ignore[reportArgumentType]
    values = {field.name: field.default for field in known if field.name in ADDED_FIELDS} | values
    names = {field.name for field in known}
    if set(values) != names:
        raise CheckpointError(f"The codec's configuration has wrong fields: {sorted(set(values) ^ names)}")
    try:
        # JSON has no tuples.
        return config_class(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        )
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"The codec's configuration is not usable: {error}") from error


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a codec.

    Raises:
        CheckpointError: if the file is missing or damaged.
    """
    try:
        return load_file(folder / WEIGHTS_FILE)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"The codec's weights cannot be read: {error}") from error


def _read_values(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    try:
        with path.open("rb") as file:
            values = json.loads(file.read(MAX_CONFIG_BYTES))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"The codec's configuration {path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"The codec's configuration {path} is not a JSON object")
    return values
