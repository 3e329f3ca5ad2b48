"""Fails when audiocraft or torch moves under the adapter: names, shapes, and one number of a fixed tiny model."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from stemgen_core.codec import audiocraft_parts
from stemgen_core.codec.audiocraft_parts import AUDIOCRAFT_VERSION, load_audiocraft_parts
from stemgen_core.codec.encodec import ENCODEC_PRESETS, EncodecCodec
from stemgen_core.errors import MissingDependencyError

ROOT = Path(__file__).parents[3]


def run_python(code: str) -> str:
    """Run `code` in a fresh interpreter and return what it printed."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def fill_with_waves(model: nn.Module) -> None:
    """Give every tensor fixed values that depend on no random generator, at scales that keep the signal alive."""
    with torch.no_grad():
        for offset, (name, tensor) in enumerate(sorted(model.state_dict().items())):
            if name.endswith("inited"):
                continue
            positions = torch.arange(tensor.numel(), dtype=torch.float64) * 0.7 + offset
            wave = positions.sin().reshape(tensor.shape).float()
            if name.endswith("bias"):
                wave = wave * 0.01
            elif name.endswith("weight_g"):
                wave = 1.5 + 0.5 * wave
            elif "_codebook" in name:
                wave = wave * 0.1
            tensor.copy_(wave)


def test_installed_versions_are_those_the_adapter_was_made_for() -> None:
    assert importlib.metadata.version("audiocraft") == AUDIOCRAFT_VERSION == "1.3.0"
    assert torch.__version__.split("+")[0] == "2.13.0"


def test_parts_are_audiocrafts_own_files() -> None:
    folder = Path(str(importlib.metadata.distribution("audiocraft").locate_file("audiocraft"))).resolve()

    for part in load_audiocraft_parts().__dataclass_fields__:
        constructor = getattr(load_audiocraft_parts(), part)
        assert constructor.__name__ == part
        source = Path(str(sys.modules[constructor.__module__].__file__)).resolve()
        assert source.is_relative_to(folder)


def test_the_name_audiocraft_is_left_alone_and_no_placeholder_stays() -> None:
    code = (
        "import sys; from stemgen_core.codec.audiocraft_parts import load_audiocraft_parts; load_audiocraft_parts();"
        "print([n for n in ('audiocraft', 'transformers', 'xformers', 'av', 'librosa') if n in sys.modules])"
    )

    assert run_python(code) == "[]"


def test_an_installed_transformers_is_used_rather_than_the_placeholder(tmp_path: Path) -> None:
    (tmp_path / "transformers.py").write_text("class EncodecModel: origin = 'installed'\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "from stemgen_core.codec.audiocraft_parts import load_audiocraft_parts; load_audiocraft_parts();"
        "print(sys.modules['_stemgen_audiocraft.models.encodec'].HFEncodecModel.origin)"
    )

    assert run_python(code) == "installed"


def test_audiocrafts_way_to_transformers_says_what_to_use_instead() -> None:
    model = load_audiocraft_parts().EncodecModel
    if "transformers" in sys.modules:
        pytest.skip("transformers is installed here")

    with pytest.raises(MissingDependencyError, match="load_published"):
        model.get_pretrained.__globals__["HFEncodecModel"].from_pretrained("facebook/encodec_32khz")  # pyright: ignore


def test_another_version_of_audiocraft_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiocraft_parts, "AUDIOCRAFT_VERSION", "9.9.9")
    monkeypatch.setattr(audiocraft_parts, "_ALIAS", "_stemgen_audiocraft_elsewhere")

    with pytest.raises(MissingDependencyError, match=r"audiocraft 9\.9\.9 is needed, 1\.3\.0 is installed. Run `make"):
        load_audiocraft_parts()


def test_a_failed_import_leaves_no_half_loaded_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiocraft_parts, "_ALIAS", "_stemgen_audiocraft_broken")
    monkeypatch.setattr(audiocraft_parts, "_BARE_PACKAGES", ("", "models"))
    monkeypatch.setitem(sys.modules, "einops", None)  # pyright: ignore[reportArgumentType]

    with pytest.raises(MissingDependencyError, match="einops"):
        load_audiocraft_parts()
    assert not [name for name in sys.modules if name.startswith("_stemgen_audiocraft_broken")]


def test_codes_and_audio_of_a_fixed_tiny_model_are_what_they_were() -> None:
    codec = EncodecCodec(ENCODEC_PRESETS["tiny"])
    fill_with_waves(codec.model)
    audio = (torch.arange(6400).square() * 1e-5).sin() * torch.linspace(0, 1, 6400)  # a rising sweep

    codes = codec.encode(audio[None, None])
    decoded = codec.decode(codes)

    assert codes[0].tolist() == [[1, 10, 9, 8, 8, 6, 4, 3, 12, 10], [2, 12, 12, 5, 3, 7, 2, 0, 8, 7]]
    assert decoded.shape == (1, 1, 6400)
    assert float(decoded.abs().mean()) == pytest.approx(0.0505597, rel=1e-4)
