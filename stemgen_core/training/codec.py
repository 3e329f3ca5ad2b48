"""`stemgen train codec`: fit a codec of either kind to a corpus. Resumes where it stopped, with the same result."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from stemgen_core.training.audio_windows import AudioWindows, CorpusWindows
from stemgen_core.training.band_run import BAND_TRAINING_PRESETS, BandRun, BandTrainingConfig
from stemgen_core.training.codec_run import CodecRun, CodecRunConfig, check_sound, generator_of
from stemgen_core.training.encodec_run import ENCODEC_TRAINING_PRESETS, EncodecRun, EncodecTrainingConfig
from stemgen_core.types import SoundFormat

CODEC_TRAINING_PRESETS: dict[str, EncodecTrainingConfig | BandTrainingConfig] = {
    **ENCODEC_TRAINING_PRESETS,
    **BAND_TRAINING_PRESETS,
}


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


def train_codec(corpus_folder: Path, run_folder: Path, config: CodecRunConfig, **options: Any) -> CodecTrainingResult:
    """Train, or go on training, a codec on the stems and mixes of a corpus.

    Args:
        corpus_folder: as `stemgen synthesize` makes it; its held-out pieces are used for the held-out loss alone.
        run_folder: see `train_codec_on`.
        config: see there.
        options: the further ones of `train_codec_on`.

    Raises:
        InvalidRequestError: if the corpus is none, too small for held-out pieces, or of another rate than the codec.
        CheckpointError: if the folder holds another run or damaged files.
    """
    windows, held_out = (CorpusWindows.open(corpus_folder, split) for split in ("train", "heldout"))
    return train_codec_on(windows, held_out, run_folder, config, **options)


def train_codec_on(
    windows: AudioWindows,
    held_out_windows: AudioWindows,
    run_folder: Path,
    config: CodecRunConfig,
    *,
    device: str = "cpu",
    start_from: Path | None = None,
    report_progress: Callable[[int, float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> CodecTrainingResult:
    """Train, or go on training, the codec of one run.

    Args:
        windows: training audio.
        held_out_windows: audio of other pieces, for the held-out loss.
        run_folder: checkpoints, `log.jsonl` and the best codec are kept here; a run found here is resumed.
        config: of the run, and of its kind; a resumed run may only change `num_steps` and `num_loaders`.
        device: where to compute.
        start_from: a codec whose weights a new run begins with.
        report_progress: called with (steps done, loss) after each step.
        should_stop: asked after each step; True writes a checkpoint and returns.

    Raises:
        InvalidRequestError: if the audio's rate is not the codec's.
        CheckpointError: if the folder holds another run or damaged files, or `start_from` a codec of other sizes.
    """
    sizes = config.sizes
    check_sound(SoundFormat(sizes.sample_rate_hz, sizes.num_channels), windows, held_out_windows)
    run = _new_run(windows, held_out_windows, run_folder, config, device, start_from)
    loader = DataLoader(
        _StepBatches(windows, config),
        batch_size=None,
        sampler=range(run.step, config.num_steps),
        num_workers=config.num_loaders,
        prefetch_factor=4 if config.num_loaders else None,
        generator=generator_of(config.seed, 0),  # else one is drawn from the global random state
    )
    for batch in loader:
        loss = run.train_on(batch)
        if report_progress is not None:
            report_progress(run.step, loss)
        is_asked_to_stop = should_stop is not None and should_stop()
        if is_asked_to_stop or run.step % config.checkpoint_interval == 0 or run.step == config.num_steps:
            run.save()
        if is_asked_to_stop:
            break
    return CodecTrainingResult(run.step, run.step >= config.num_steps, run.held_out_loss, run.codec_path)


def _new_run(
    windows: AudioWindows,
    held_out: AudioWindows,
    path: Path,
    config: CodecRunConfig,
    device: str,
    start_from: Path | None,
) -> CodecRun[Any]:
    if isinstance(config, BandTrainingConfig):
        return BandRun(windows, held_out, path, config, device, start_from)
    if isinstance(config, EncodecTrainingConfig):
        return EncodecRun(windows, held_out, path, config, device, start_from)
    raise ValueError(f"no codec is trained by {type(config).__name__}")


class _StepBatches(Dataset[torch.Tensor]):
    """The batch of each step of a run, float32 [B, 1, L]."""

    def __init__(self, windows: AudioWindows, config: CodecRunConfig) -> None:
        self.windows = windows
        self.config = config

    def __getitem__(self, step: int) -> torch.Tensor:
        config = self.config
        generator = generator_of(config.seed, step)
        return self.windows.draw(config.batch_size, config.window_length, generator=generator)
