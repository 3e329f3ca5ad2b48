"""A training run on disk: checkpoints to resume from, and a log that a resumed run continues without a seam.

    run/
      log.jsonl            one JSON object per line, each with "step"
      checkpoint-00001000/ state.safetensors (weights, optimizer, buffers) and state.json (step and small facts)
    before-decay-00000650/ the same, kept from where the learning rate began to fall

Nothing is pickled. A checkpoint is written beside its place and renamed, so that a kill leaves the previous one.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from stemgen_core.errors import CheckpointError

TENSORS_FILE = "state.safetensors"
FACTS_FILE = "state.json"
LOG_FILE = "log.jsonl"
_NEWEST, _BEFORE_DECAY = "checkpoint", "before-decay"


@dataclass(frozen=True, slots=True)
class TrainingState:
    """What a run resumes from.

    Attributes:
        step: training steps done.
        tensors: by name, as given to `save`.
        facts: small JSON values, as given to `save`.
    """

    step: int
    tensors: dict[str, torch.Tensor]
    facts: dict[str, Any]


class RunFolder:
    """Reads and writes the files of one training run.

    Args:
        path: the run's folder; it is made if need be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def save(self, state: TrainingState, *, is_before_decay: bool = False) -> Path:
        """Write a checkpoint, then remove the older ones of its kind; return its folder."""
        kind = _BEFORE_DECAY if is_before_decay else _NEWEST
        final = self.path / f"{kind}-{state.step:08d}"
        partial = self.path / f"partial-{state.step:08d}"
        for leftover in (partial, final):
            shutil.rmtree(leftover, ignore_errors=True)
        partial.mkdir()
        save_file({name: tensor.cpu().contiguous() for name, tensor in state.tensors.items()}, partial / TENSORS_FILE)
        facts = {"step": state.step, "facts": state.facts}
        (partial / FACTS_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        for file in partial.iterdir():
            _flush_to_disk(file)
        partial.rename(final)
        _flush_to_disk(self.path)
        for older in self._checkpoints(kind):
            if older != final:
                shutil.rmtree(older)
        return final

    def load(self, *, is_before_decay: bool = False) -> TrainingState | None:
        """Return the newest checkpoint, or the one before the decay; None for a run that has none yet.

        Raises:
            CheckpointError: if its files are damaged.
        """
        checkpoints = self._checkpoints(_BEFORE_DECAY if is_before_decay else _NEWEST)
        if not checkpoints:
            return None
        newest = checkpoints[-1]
        try:
            saved = json.loads((newest / FACTS_FILE).read_text(encoding="utf-8"))
            tensors = load_file(newest / TENSORS_FILE)
            return TrainingState(int(saved["step"]), tensors, dict(saved["facts"]))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise CheckpointError(f"The checkpoint {newest} cannot be read: {error}") from error

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Append one line."""
        with (self.path / LOG_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")

    def read_log(self) -> list[dict[str, Any]]:
        """Return all lines of the log; a last line that a kill cut short is left out."""
        return read_log_lines(self.path / LOG_FILE)

    def forget_log_after(self, step: int) -> None:
        """Drop lines of steps that a resumed run does again."""
        kept = [json.dumps(line) + "\n" for line in self.read_log() if line["step"] <= step]
        if (self.path / LOG_FILE).exists():
            (self.path / LOG_FILE).write_text("".join(kept), encoding="utf-8")

    def _checkpoints(self, kind: str) -> list[Path]:
        return sorted(path for path in self.path.iterdir() if re.fullmatch(rf"{kind}-\d{{8}}", path.name))


def read_log_lines(path: Path) -> list[dict[str, Any]]:
    """Return all lines of a log, none if there is no such file; a last line that a kill cut short is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # what follows the last line end is unfinished
    return [json.loads(line) for line in lines]


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str = "optimizer") -> dict[str, torch.Tensor]:
    """Return the tensors of an optimizer's state as `prefix/<parameter index>/<name>`."""
    states: dict[int, dict[str, torch.Tensor]] = optimizer.state_dict()["state"]
    return {f"{prefix}/{index}/{name}": value for index, state in states.items() for name, value in state.items()}


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], prefix: str = "optimizer"
) -> None:
    """Put back what `optimizer_tensors` took; hyper-parameters stay those of `optimizer`.

    Raises:
        CheckpointError: if the tensors are not those of this optimizer's parameters.
    """
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(f"{prefix}/"):
            _, index, name = key.split("/")
            state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    known = {index for group in groups for index in group["params"]}
    if not set(state) <= known:
        raise CheckpointError(f"The optimizer has {len(known)} parameters, the checkpoint has state for {max(state)}.")
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def module_tensors(module: nn.Module, prefix: str = "model") -> dict[str, torch.Tensor]:
    """Return a module's parameters and buffers as `prefix/<name>`."""
    return {f"{prefix}/{name}": tensor.detach() for name, tensor in module.state_dict().items()}


def restore_module(module: nn.Module, tensors: Mapping[str, torch.Tensor], prefix: str = "model") -> None:
    """Put back what `module_tensors` took.

    Raises:
        CheckpointError: if names or shapes differ.
    """
    own = {key.removeprefix(f"{prefix}/"): value for key, value in tensors.items() if key.startswith(f"{prefix}/")}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        raise CheckpointError(f"The checkpoint does not fit the model: {error}") from error


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
