"""`stemgen train codec`: fit the audio-token codec to a corpus. Resumes where it stopped, with the same result."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from stemgen_core.codec.encodec import ENCODEC_PRESETS, EncodecCodec, EncodecConfig
from stemgen_core.errors import CheckpointError
from stemgen_core.training.audio_windows import AudioWindows, CorpusWindows
from stemgen_core.training.codebook import restart_dead_codes
from stemgen_core.training.codec_steps import (
    CODEC_FOLDER,
    MAX_GRADIENT_NORM,
    CodecTrainingResult,
    check_rates,
    generator_of,
    go_on,
)
from stemgen_core.training.reconstruction import ReconstructionLoss, ReconstructionWeights
from stemgen_core.training.run_folder import (
    RunFolder,
    TrainingState,
    module_tensors,
    optimizer_tensors,
    restore_module,
    restore_optimizer,
)

FINAL_RATE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class CodecTrainingConfig:
    """How to train a codec.

    Attributes:
        codec: its sizes.
        num_steps: optimizer steps of the whole run; the rate decays over them.
        batch_size: windows per step.
        window_s: length of a window in seconds.
        learning_rate: peak rate of AdamW.
        num_warmup_steps: steps over which the rate rises to its peak.
        commitment_weight: how strongly the encoder is drawn to the codebooks.
        reconstruction: weights of the reconstruction loss.
        restart_interval: steps between two restarts of dead codebook entries.
        held_out_interval: steps between two held-out losses.
        num_held_out_windows: windows that the held-out loss is taken over.
        checkpoint_interval: steps between two checkpoints.
        seed: of the first weights and of everything drawn.
    """

    codec: EncodecConfig = ENCODEC_PRESETS["small"]
    num_steps: int = 20_000
    batch_size: int = 16
    window_s: float = 1.0
    learning_rate: float = 3e-4
    num_warmup_steps: int = 200
    commitment_weight: float = 0.25
    reconstruction: ReconstructionWeights = field(default_factory=ReconstructionWeights)
    restart_interval: int = 50
    held_out_interval: int = 500
    num_held_out_windows: int = 32
    checkpoint_interval: int = 500
    seed: int = 0

    @property
    def window_length(self) -> int:
        """Audio samples per window, a whole number of frames."""
        hop_length = self.codec.hop_length
        return max(1, round(self.window_s * self.codec.sample_rate_hz / hop_length)) * hop_length


CODEC_TRAINING_PRESETS: dict[str, CodecTrainingConfig] = {
    "encodec_32khz": CodecTrainingConfig(codec=ENCODEC_PRESETS["encodec_32khz"], batch_size=64, num_steps=30_000),
    "small": CodecTrainingConfig(),
    "tiny": CodecTrainingConfig(
        codec=ENCODEC_PRESETS["tiny"],
        num_steps=20,
        batch_size=2,
        window_s=0.2,
        learning_rate=3e-3,
        num_warmup_steps=2,
        restart_interval=5,
        held_out_interval=10,
        num_held_out_windows=2,
        checkpoint_interval=10,
    ),
}


def train_codec(
    corpus_folder: Path,
    run_folder: Path,
    config: CodecTrainingConfig,
    *,
    device: str = "cpu",
    report_progress: Callable[[int, float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> CodecTrainingResult:
    """Train, or go on training, a codec on the stems and mixes of a corpus.

    Args:
        corpus_folder: as `stemgen synthesize` makes it; its held-out pieces are used for the held-out loss alone.
        run_folder: see `train_codec_on`, as for all further arguments.
        config: see there.
        device: see there.
        report_progress: see there.
        should_stop: see there.

    Raises:
        InvalidRequestError: if the corpus is none, too small for held-out pieces, or of another rate than the codec.
        CheckpointError: if the folder holds another run or damaged files.
    """
    return train_codec_on(
        CorpusWindows.open(corpus_folder, "train"),
        CorpusWindows.open(corpus_folder, "heldout"),
        run_folder,
        config,
        device=device,
        report_progress=report_progress,
        should_stop=should_stop,
    )


def train_codec_on(
    windows: AudioWindows,
    held_out_windows: AudioWindows,
    run_folder: Path,
    config: CodecTrainingConfig,
    *,
    device: str = "cpu",
    report_progress: Callable[[int, float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    num_loaders: int = 0,
) -> CodecTrainingResult:
    """Train, or go on training, the codec of one run.

    Args:
        windows: training audio.
        held_out_windows: audio of other pieces, for the held-out loss.
        run_folder: checkpoints, `log.jsonl` and the best codec are kept here; a run found here is resumed.
        config: of the run; a resumed run may only change `num_steps`.
        device: where to compute.
        report_progress: called with (steps done, loss) after each step.
        should_stop: asked after each step; True writes a checkpoint and returns.
        num_loaders: processes that draw windows ahead; 0 draws in this one. The result is the same.

    Raises:
        InvalidRequestError: if the audio's rate is not the codec's.
        CheckpointError: if the folder holds another run or damaged files.
    """
    check_rates(config.codec.sample_rate_hz, windows, held_out_windows)
    run = _CodecRun(held_out_windows, run_folder, config, device)
    loader = DataLoader(
        _StepBatches(windows, config),
        batch_size=None,
        sampler=range(run.step, config.num_steps),
        num_workers=num_loaders,
        prefetch_factor=4 if num_loaders else None,
        generator=generator_of(config.seed, 0),  # else one is drawn from the global random state
    )
    return go_on(
        run,
        (run.train_on(batch) for batch in loader),
        num_steps=config.num_steps,
        checkpoint_interval=config.checkpoint_interval,
        report_progress=report_progress,
        should_stop=should_stop,
    )


class _StepBatches(Dataset[torch.Tensor]):
    """The batch of each step of a run, float32 [B, 1, L]."""

    def __init__(self, windows: AudioWindows, config: CodecTrainingConfig) -> None:
        self.windows = windows
        self.config = config

    def __getitem__(self, step: int) -> torch.Tensor:
        config = self.config
        generator = generator_of(config.seed, step)
        return self.windows.draw(config.batch_size, config.window_length, generator=generator)


class _CodecRun:
    """The moving parts of one training run."""

    def __init__(self, held_out_windows: AudioWindows, path: Path, config: CodecTrainingConfig, device: str) -> None:
        self.config = config
        self.device = device
        self.folder = RunFolder(path)
        self.codec_path = path / CODEC_FOLDER
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self.codec = EncodecCodec(config.codec).to(device)
        self.loss = ReconstructionLoss(config.codec.sample_rate_hz, config.reconstruction).to(device)
        self.optimizer = torch.optim.AdamW(self.codec.model.parameters(), config.learning_rate, weight_decay=0.0)
        self.held_out = held_out_windows.draw(
            config.num_held_out_windows, config.window_length, generator=generator_of(config.seed, -1)
        ).to(device)
        self.step = 0
        self.held_out_loss: float | None = None
        self._resume()

    def train_on(self, batch: torch.Tensor) -> float:
        """Do one step on float32 [B, 1, L] and return its loss."""
        model, config = self.codec.model.train(), self.config
        batch = batch.to(self.device)
        num_restarted: list[int] = []
        if self.step % config.restart_interval == 0:
            quantizer, generator = model.get_submodule("quantizer"), generator_of(config.seed, -2 - self.step)
            num_restarted = restart_dead_codes(quantizer, model.get_submodule("encoder")(batch), generator=generator)
        learning_rate = config.learning_rate * _rate_share(self.step, config)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        result = model(batch)
        parts = self.loss(result.x, batch)
        loss = parts["total"] + config.commitment_weight * result.penalty
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        gradient_norm = nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
        self.optimizer.step()
        self.step += 1
        facts: dict[str, Any] = {"loss": float(loss.detach()), "gradient_norm": float(gradient_norm)}
        facts["learning_rate"] = self.optimizer.param_groups[0]["lr"]
        facts |= {name: float(part.detach()) for name, part in parts.items() if name != "total"}
        facts |= {"num_restarted": num_restarted} if num_restarted else {}
        if self.step % config.held_out_interval == 0 or self.step == config.num_steps:
            facts |= self._judge()
        self.folder.log(self.step, facts)
        return facts["loss"]

    def save(self) -> None:
        """Write a checkpoint."""
        tensors = module_tensors(self.codec.model) | optimizer_tensors(self.optimizer)
        facts = {"config": _comparable(self.config), "held_out_loss": self.held_out_loss}
        self.folder.save(TrainingState(self.step, tensors, facts))

    @torch.no_grad()
    def _judge(self) -> dict[str, Any]:
        """Measure the held-out loss and how much of each codebook is in use; keep the codec if it is the best."""
        model = self.codec.model.eval()
        total, used = 0.0, [set[int]() for _ in range(self.config.codec.num_codebooks)]
        for batch in self.held_out.split(self.config.batch_size):
            result = model(batch)
            total += float(self.loss(result.x, batch)["total"]) * len(batch)
            for level, codes in enumerate(result.codes.unbind(1)):  # [B, K, T] -> K x [B, T]
                used[level].update(codes.flatten().tolist())
        held_out_loss = total / len(self.held_out)
        if self.held_out_loss is None or held_out_loss < self.held_out_loss:
            self.held_out_loss = held_out_loss
            self.codec.save(self.codec_path)
        return {
            "held_out_loss": held_out_loss,
            "codebook_usage": [len(codes) / self.config.codec.codebook_size for codes in used],
        }

    def _resume(self) -> None:
        state = self.folder.load()
        self.folder.forget_log_after(state.step if state else 0)
        if state is None:
            return
        if state.facts.get("config") != _comparable(self.config):
            raise CheckpointError(
                f"{self.folder.path} holds a run with another configuration. Choose another folder for this one."
            )
        restore_module(self.codec.model, state.tensors)
        restore_optimizer(self.optimizer, state.tensors)
        self.step, self.held_out_loss = state.step, state.facts["held_out_loss"]


def _rate_share(step: int, config: CodecTrainingConfig) -> float:
    """Return the share of the peak rate at `step`: a linear rise, then a cosine fall to a tenth."""
    if step < config.num_warmup_steps:
        return (step + 1) / config.num_warmup_steps
    progress = (step - config.num_warmup_steps) / max(1, config.num_steps - config.num_warmup_steps)
    cosine = 0.5 * (1.0 + float(torch.cos(torch.tensor(min(1.0, progress) * torch.pi))))
    return FINAL_RATE_SHARE + (1.0 - FINAL_RATE_SHARE) * cosine


def _comparable(config: CodecTrainingConfig) -> dict[str, Any]:
    """Return the configuration as JSON values, without what a resumed run may change."""
    values = asdict(config)
    del values["num_steps"]
    values["codec"]["ratios"] = list(values["codec"]["ratios"])
    return values
