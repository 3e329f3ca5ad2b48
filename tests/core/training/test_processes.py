"""Two processes, started by torchrun, train as one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stemgen_core.codec.band_codec import BAND_CODEC_PRESETS, BandCodec
from stemgen_core.errors import InvalidRequestError
from stemgen_core.training.processes import Processes
from stemgen_core.training.tokens import TokenSettings, tokenise_corpus
from tests.core.toy_corpus import write_toy_corpus

ROOT = Path(__file__).parents[3]
NUM_STEPS = 25  # losses are logged every 25
LAUNCHERS = {
    "one": [sys.executable],
    "two": [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"],
}


def train(launcher: str, corpus: Path, run: Path, *options: str | Path) -> list[dict[str, float]]:
    """Train a tiny model from the command line; return the log."""
    arguments = ["train", "lm", corpus, run, "--size", "tiny", "--steps", NUM_STEPS, "--batch-size", 4, *options]
    arguments += ["--window-frames", 24, "--evaluate-every", 20, "--threads", 1, "--float32"]
    command = [*LAUNCHERS[launcher], "-m", "stemgen_core.cli", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=300)
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["score", "audio"])
def test_two_processes_get_the_losses_and_weights_of_one(family: str, tmp_path: Path) -> None:
    corpus = write_toy_corpus(tmp_path / "corpus", num_training=4)
    folder, options = corpus.folder, ()
    if family == "audio":
        codec = BandCodec(BAND_CODEC_PRESETS["tiny-bands"])
        codec.codebooks = torch.randn(codec.codebooks.shape, generator=torch.Generator().manual_seed(1))
        codec.save(tmp_path / "codec")
        folder, options = tmp_path / "tokens", ("--codec", tmp_path / "codec")
        tokenise_corpus(iter(corpus.pieces()), corpus, codec, folder, TokenSettings(1, 2))

    one, two = (train(launcher, folder, tmp_path / launcher, *options) for launcher in LAUNCHERS)

    assert [line["step"] for line in one] == [line["step"] for line in two] == [20, 25, 25]
    for alone, shared in zip(one, two, strict=True):
        names = {name for name in alone if "loss" in name}
        assert names
        assert {name: shared[name] for name in names} == pytest.approx({name: alone[name] for name in names}, rel=2e-3)
    weights = [
        load_file(tmp_path / launcher / f"checkpoint-{NUM_STEPS:08d}/state.safetensors") for launcher in LAUNCHERS
    ]
    for name, value in weights[0].items():
        if name.startswith("model/"):
            torch.testing.assert_close(weights[1][name], value, rtol=0.02, atol=2e-3)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_shares_of_all_processes_are_the_batch(count: int) -> None:
    shares = [list(range(8))[Processes(rank, count).share(8)] for rank in range(count)]

    assert [item for share in shares for item in share] == list(range(8))
    assert {len(share) for share in shares} == {8 // count}


def test_a_batch_that_cannot_be_shared_evenly_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="A batch of 8 can't be shared by 3 processes evenly"):
        Processes(0, 3).share(8)
