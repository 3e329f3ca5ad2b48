"""The few parts of audiocraft that an EnCodec is made of, loaded without the rest of audiocraft.

audiocraft's packages import everything they hold (torchaudio, xformers, spacy, av, ...) in their `__init__`, and its
pins contradict every current torch. The files that EnCodec needs are clean: they use relative imports, torch, numpy,
einops and flashy. So they are loaded from audiocraft's folder under a package name of our own, whose `__init__` is
empty. The name `audiocraft` itself is never touched: whoever imports it gets the real package or its real ImportError.
See docs/decisions/0001-audiocraft-without-its-dependencies.md.
"""

import importlib
import importlib.metadata
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from stemgen_core.errors import MissingDependencyError

AUDIOCRAFT_VERSION = "1.3.0"

_ALIAS = "_stemgen_audiocraft"
_BARE_PACKAGES = (
    "",
    "models",
    "modules",
    "adversarial",
    "adversarial.discriminators",
)  # `quantization` has an `__init__` that imports only itself
_HOW_TO_INSTALL = "Run `make install` (or: pip install --no-deps -r requirements-no-deps.txt)."
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class AudiocraftParts:
    """Constructors of audiocraft, under the names they have there."""

    EncodecModel: Callable[..., nn.Module]
    SEANetEncoder: Callable[..., nn.Module]
    SEANetDecoder: Callable[..., nn.Module]
    ResidualVectorQuantizer: Callable[..., nn.Module]


@dataclass(frozen=True, slots=True)
class AudiocraftLosses:
    """audiocraft's adversarial losses."""

    module: Any

    def hinge(self, adversary: nn.Module, optimizer: torch.optim.Optimizer) -> Any:
        """Return an `AdversarialLoss` with hinge losses and matching of features, as EnCodec was trained."""
        module = self.module
        return module.AdversarialLoss(
            adversary,
            optimizer,
            loss=module.get_adv_criterion("hinge"),
            loss_real=module.get_real_criterion("hinge"),
            loss_fake=module.get_fake_criterion("hinge"),
            loss_feat=module.FeatureMatchingLoss(),
        )


def load_audiocraft_parts() -> AudiocraftParts:
    """Return audiocraft's EnCodec classes; the first call imports them, later ones are free.

    Raises:
        MissingDependencyError: if audiocraft, or something EnCodec needs, is not installed or of another version.
    """
    encodec, seanet, quantization = _load("models.encodec", "modules.seanet", "quantization")
    return AudiocraftParts(
        EncodecModel=encodec.EncodecModel,
        SEANetEncoder=seanet.SEANetEncoder,
        SEANetDecoder=seanet.SEANetDecoder,
        ResidualVectorQuantizer=quantization.ResidualVectorQuantizer,
    )


def load_audiocraft_losses() -> AudiocraftLosses:
    """Return audiocraft's adversarial losses.

    Raises:
        MissingDependencyError: as `load_audiocraft_parts`.
    """
    return AudiocraftLosses(*_load("adversarial.losses"))


def _load(*names: str) -> list[Any]:
    with _lock:
        if _ALIAS not in sys.modules:
            _register_bare_packages(_find_audiocraft())
        try:
            with _placeholder_for_transformers():
                return [importlib.import_module(f"{_ALIAS}.{name}") for name in names]
        except ImportError as error:
            _forget_packages()
            raise MissingDependencyError(f"audiocraft's EnCodec does not load: {error}. {_HOW_TO_INSTALL}") from error


def _find_audiocraft() -> Path:
    """Return the folder of the installed package without importing it."""
    try:
        distribution = importlib.metadata.distribution("audiocraft")
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingDependencyError(f"audiocraft is not installed. {_HOW_TO_INSTALL}") from error
    if distribution.version != AUDIOCRAFT_VERSION:
        raise MissingDependencyError(
            f"audiocraft {AUDIOCRAFT_VERSION} is needed, {distribution.version} is installed. {_HOW_TO_INSTALL}"
        )
    return Path(str(distribution.locate_file("audiocraft")))


def _register_bare_packages(folder: Path) -> None:
    for subpackage in _BARE_PACKAGES:
        name = f"{_ALIAS}.{subpackage}" if subpackage else _ALIAS
        spec = ModuleSpec(name, loader=None, is_package=True)
        spec.submodule_search_locations = [str(folder.joinpath(*subpackage.split(".")))]
        sys.modules[name] = importlib.util.module_from_spec(spec)


def _forget_packages() -> None:
    for name in [name for name in sys.modules if name == _ALIAS or name.startswith(f"{_ALIAS}.")]:
        del sys.modules[name]


class _TransformersPlaceholder(ModuleType):
    """Stands for `transformers` while `models/encodec.py` is read, which names one class of it in annotations."""

    def __getattr__(self, name: str) -> Any:
        if name == "EncodecModel":
            return _AbsentEncodecModel
        raise AttributeError(name)


class _AbsentEncodecModel(nn.Module):
    """Says what is missing when someone takes audiocraft's way to transformers' EnCodec after all."""

    @classmethod
    def from_pretrained(cls, *args: object, **kwargs: object) -> nn.Module:
        raise MissingDependencyError(
            "transformers is not installed. Load published codecs with stemgen_core.codec.published.load_published."
        )


@contextmanager
def _placeholder_for_transformers() -> Iterator[None]:
    """Let `from transformers import EncodecModel` succeed where transformers is absent, and only for as long."""
    if "transformers" in sys.modules or importlib.util.find_spec("transformers") is not None:
        yield
        return
    placeholder = _TransformersPlaceholder("transformers")
    placeholder.__spec__ = ModuleSpec("transformers", loader=None)
    sys.modules["transformers"] = placeholder
    try:
        yield
    finally:
        del sys.modules["transformers"]
