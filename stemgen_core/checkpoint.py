"""A trained model on disk: a bundle folder of safetensors and JSON, named by what is in it.

bundle/
  bundle.json         format, family, sizes, codec, instruments, how it was trained, hash of each file
  model.safetensors   weights, float16
  (more files of the family: sounds of the score family, codec of the audio family; a listener, where one judges)
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from stemgen_core.conditioning import ConditionField
from stemgen_core.errors import CheckpointError
from stemgen_core.model.config import ModelConfig
from stemgen_core.model.harmony import HarmonyConfig
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.types import CodecSpec

FORMAT = 1
MANIFEST_NAME = "bundle.json"
WEIGHTS_NAME = "model.safetensors"
SHIPPED_BUNDLE_PATH = Path(__file__).resolve().parents[1] / "bundle"


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """What `bundle.json` says.

    Attributes:
        family: "score" or "audio".
        config: shape of the weights.
        window_frames: T that the model was trained on.
        instruments: names of the categories that it was trained on.
        training: what it was trained from and how; free form, for people and the model card.
        files: sha256 of every other file of the bundle, by name.
        genres: names of the genres that it can be asked for, by their value; empty where it knows none.
    """

    family: str
    config: ModelConfig
    window_frames: int
    instruments: tuple[str, ...]
    training: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    genres: tuple[str, ...] = ()

    @property
    def model_id(self) -> str:
        """Name of the model by content: the same weights and shape always have the same id."""
        content = json.dumps([self.family, asdict(self.config), self.files.get(WEIGHTS_NAME)], sort_keys=True)
        return f"{self.family}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded bundle."""

    folder: Path
    manifest: BundleManifest
    model: StemTransformer

    def file(self, name: str) -> Path:
        """Return the path of a file of the family.

        Raises:
            CheckpointError: if it is missing or not the one that the manifest names.
        """
        return checked_file(self.folder, self.manifest, name)


def save_bundle(folder: Path, manifest: BundleManifest, model: StemTransformer) -> BundleManifest:
    """Write the weights and the manifest; other files of the family must lie in `folder` already.

    Returns:
        The manifest with the hash of every file in `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.to(torch.float16).contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / WEIGHTS_NAME)
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST_NAME}
    manifest = BundleManifest(
        family=manifest.family,
        config=manifest.config,
        window_frames=manifest.window_frames,
        instruments=manifest.instruments,
        genres=manifest.genres,
        training=manifest.training,
        files=files,
    )
    content = {"format": FORMAT, "model_id": manifest.model_id} | asdict(manifest)
    (folder / MANIFEST_NAME).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return manifest


def add_file(folder: Path, name: str, content: bytes) -> BundleManifest:
    """Put one more file into a bundle, or another one in its place; the model keeps its id.

    Whenever it is interrupted, the bundle can be loaded: the file is named only while it is whole.

    Args:
        folder: of the bundle.
        name: of the file; neither the weights nor the manifest.
        content: of the file.

    Raises:
        CheckpointError: if there is no bundle.
        ValueError: if the name is one that makes the model what it is.
    """
    if name in (MANIFEST_NAME, WEIGHTS_NAME):
        raise ValueError(f"{name} is no file beside the model")
    if name in read_manifest(folder).files:
        _name_file(folder, name, None)
    _replace(folder / name, content)
    _name_file(folder, name, hashlib.sha256(content).hexdigest())
    return read_manifest(folder)


def _name_file(folder: Path, name: str, digest: str | None) -> None:
    """Write the manifest with the hash of a file, or without it; all else stays as it is written there."""
    written = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
    files = {other: known for other, known in written["files"].items() if other != name}
    written["files"] = dict(sorted((files | ({} if digest is None else {name: digest})).items()))
    _replace(folder / MANIFEST_NAME, (json.dumps(written, indent=1) + "\n").encode())


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that whoever opens it finds the old or the new one, whole."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load_bundle(folder: Path, device: str = "cpu") -> Bundle:
    """Read a bundle; the model is in evaluation mode and float32.

    Raises:
        CheckpointError: if a file is missing, changed or of another format.
    """
    manifest = read_manifest(folder)
    path = checked_file(folder, manifest, WEIGHTS_NAME)
    model = StemTransformer(manifest.config)
    try:
        weights = load_file(path)
        model.load_state_dict(weights)
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not fit the sizes in {MANIFEST_NAME}: {error}") from error
    return Bundle(folder, manifest, model.to(device).eval())


def read_manifest(folder: Path) -> BundleManifest:
    """Read `bundle.json`.

    Raises:
        CheckpointError: if it is missing, unreadable or of another format.
    """
    path = folder / MANIFEST_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no model at {folder}: {MANIFEST_NAME} is missing.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not of format {FORMAT}, the one that this version reads.")
    try:
        config = dict(content["config"])
        config["spec"] = CodecSpec(**config["spec"])
        config["fields"] = tuple(ConditionField(**item) for item in config["fields"])
        config["harmony"] = _read_harmony(config["harmony"])
        return BundleManifest(
            family=content["family"],
            config=ModelConfig(**config),
            window_frames=content["window_frames"],
            instruments=tuple(content["instruments"]),
            genres=tuple(content.get("genres", ())),
            training=dict(content["training"]),
            files=dict(content["files"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} lacks something or does not fit together: {error}") from error


def _read_harmony(content: dict[str, Any] | None) -> HarmonyConfig | None:
    if content is None:
        return None
    listed: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in content.items()}
    return HarmonyConfig(**listed)


def checked_file(folder: Path, manifest: BundleManifest, name: str) -> Path:
    """Return the path of a file after comparing its hash.

    Raises:
        CheckpointError: if it is missing or not the one that the manifest names.
    """
    path = folder / name
    if name not in manifest.files or not path.is_file():
        raise CheckpointError(f"The model at {folder} lacks its file {name}.")
    if _sha256(path) != manifest.files[name]:
        raise CheckpointError(f"{path} is not the file that {MANIFEST_NAME} names: its content has changed.")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
