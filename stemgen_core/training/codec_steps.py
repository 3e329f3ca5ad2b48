"""How a codec's training run goes on: step by step, with checkpoints, until its end or until it is asked to stop."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from stemgen_core.errors import InvalidRequestError
from stemgen_core.training.audio_windows import AudioWindows

CODEC_FOLDER = "codec"
MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True, slots=True)
class CodecTrainingResult:
    """What a call of a codec's training reached.

    Attributes:
        step: steps done, all calls together.
        is_finished: False if it was asked to stop before.
        held_out_loss: of the codec in `codec_path`; None before the first.
        codec_path: folder of the codec, for `load_waveform_codec`.
    """

    step: int
    is_finished: bool
    held_out_loss: float | None
    codec_path: Path


class CodecRun(Protocol):
    """One training run."""

    step: int
    held_out_loss: float | None
    codec_path: Path

    def save(self) -> None:
        """Write a checkpoint."""
        ...


def go_on(
    run: CodecRun,
    losses: Iterator[float],
    *,
    num_steps: int,
    checkpoint_interval: int,
    report_progress: Callable[[int, float], None] | None,
    should_stop: Callable[[], bool] | None,
) -> CodecTrainingResult:
    """Do the steps that are left.

    Args:
        run: moves on by one step with each of `losses`.
        losses: the loss of each further step; asking for one does it.
        num_steps: of the whole run.
        checkpoint_interval: steps between two checkpoints.
        report_progress: called with (steps done, loss) after each step.
        should_stop: asked after each step; True writes a checkpoint and returns.
    """
    for loss in losses:
        if report_progress is not None:
            report_progress(run.step, loss)
        is_asked_to_stop = should_stop is not None and should_stop()
        if is_asked_to_stop or run.step % checkpoint_interval == 0 or run.step == num_steps:
            run.save()
        if is_asked_to_stop:
            break
    return CodecTrainingResult(run.step, run.step >= num_steps, run.held_out_loss, run.codec_path)


def check_rates(sample_rate_hz: int, *sources: AudioWindows) -> None:
    """Refuse audio of another rate than the codec's.

    Raises:
        InvalidRequestError: the message names both rates.
    """
    for source in sources:
        if source.sample_rate_hz != sample_rate_hz:
            raise InvalidRequestError(
                f"The codec is for {sample_rate_hz} Hz, the audio has {source.sample_rate_hz} Hz."
            )


def generator_of(seed: int, step: int) -> torch.Generator:
    """Return a generator for one step: randomness depends on the step alone, so nothing of it needs saving."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**63)
