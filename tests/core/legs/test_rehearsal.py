"""A whole leg on the CPU, run by an interpreter that sees what the bare machine has: from packing to a stem."""

import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
import torch

from stemgen_core.cli import main
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.types import Waveform
from tests.core.legs.bare_machine import THERE
from tests.core.rendering_needs import needs_rendering

LEG_MINUTES, PATIENCE_S = 12, 3_000


def bare_python(folder: Path) -> Path:
    """Make an interpreter that can import `THERE` and nothing else that is installed."""
    venv.create(folder, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    source, target = Path(torch.__file__).parents[1], folder / "lib" / version / "site-packages"
    for name in THERE:
        if (source / name).exists():
            (target / name).symlink_to(source / name)
    return folder / "bin" / "python"


def run(*command: str | Path) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@needs_rendering
@pytest.mark.parametrize("plan", ["tiny-audio", "tiny-bands"])
def test_a_leg_is_packed_carried_run_joined_and_plays(plan: str, tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    python, machine = bare_python(tmp_path / "bare"), tmp_path / "machine"
    packed, leg, work = tmp_path / "packed", machine / "leg", machine / "work"
    absent = subprocess.run([python, "-c", "import soundfile"], capture_output=True, text=True, check=False)
    assert "No module named 'soundfile'" in absent.stderr

    options = ["--plan", plan, "--python", version, "--part-mb", "30"]
    assert main(["legs", "pack", str(packed), *options]) == 0
    first = tmp_path / "first"
    first.mkdir()
    for name in ("leg.json", "unpack.py", "leg-000"):
        (packed / name).rename(first / name)
    (packed / "leg.json").write_bytes((first / "leg.json").read_bytes())
    assert "still to come" in run(python, first / "unpack.py", leg)
    (packed / "unpack.py").write_bytes((first / "unpack.py").read_bytes())
    assert "unpacked" in run(python, packed / "unpack.py", leg)
    command = [python, leg / "leg.py", "legs", "run", work]
    run(*command, tmp_path / "back-1", "--leg-minutes", str(LEG_MINUTES), "--minutes", "0.5", "--device", "cpu")
    told = run(*command, tmp_path / "back-2", "--minutes", str(LEG_MINUTES + 5), "--device", "cpu")
    assert "finished" in told, told
    assert main(["legs", "join", str(tmp_path / "back-1"), str(tmp_path / "back-2"), str(tmp_path / "joined")]) == 0

    generator = StemGenerator.load(tmp_path / "joined" / "bundle")
    context = Waveform(torch.from_numpy(np.sin(np.arange(64_000) * 0.05)[None].astype(np.float32)) * 0.3, 32_000)
    request = GenerationRequest(generator.instruments[0].name, 1, SamplingSettings(num_steps=(2, 2)))
    result = generator.generate(context, request)
    assert generator.family == "audio"
    assert result.stem.num_audio_samples == 64_000
    for name in ("codec", "before-decay", "logs/lm.jsonl", "logs/codec.jsonl"):
        assert (tmp_path / "joined" / name).exists()
    assert main(["train", "curves", str(tmp_path / "joined/logs/lm.jsonl"), str(tmp_path / "lm.html")]) == 0
