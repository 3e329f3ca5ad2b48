"""What the training runs of all codecs share: their configuration, and how they go on, are judged and are taken up."""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import nn

from stemgen_core.codec.waveform_codec import WaveformCodec
from stemgen_core.errors import CheckpointError, InvalidRequestError
from stemgen_core.training.audio_windows import AudioWindows
from stemgen_core.training.run_folder import (
    RunFolder,
    TrainingState,
    module_tensors,
    optimizer_tensors,
    restore_module,
    restore_optimizer,
)
from stemgen_core.types import SoundFormat

CODEC_FOLDER = "codec"
MAX_GRADIENT_NORM = 1.0


class CodecSizes(Protocol):
    """What a run must know of a codec's configuration."""

    @property
    def sample_rate_hz(self) -> int:
        """Audio samples per second."""
        ...

    @property
    def num_channels(self) -> int:
        """C of the audio."""
        ...

    @property
    def hop_length(self) -> int:
        """Audio samples per frame."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecRunConfig(ABC):
    """How to train a codec of any kind.

    Attributes:
        num_steps: optimizer steps of the whole run; the rate decays over them.
        batch_size: windows per step.
        window_s: length of a window in seconds.
        learning_rate: peak rate of AdamW.
        held_out_interval: steps between two held-out losses.
        num_held_out_windows: windows that the held-out loss is taken over.
        checkpoint_interval: steps between two checkpoints.
        seed: of the first weights and of everything drawn.
        num_loaders: processes that draw windows ahead; 0 draws in this one. The result is the same.
    """

    num_steps: int = 20_000
    batch_size: int = 16
    window_s: float = 1.0
    learning_rate: float = 3e-4
    held_out_interval: int = 500
    num_held_out_windows: int = 32
    checkpoint_interval: int = 500
    seed: int = 0
    num_loaders: int = 0

    @property
    @abstractmethod
    def sizes(self) -> CodecSizes:
        """The codec's configuration."""

    @property
    def window_length(self) -> int:
        """Audio samples per window, a whole number of frames, at least four."""
        hop_length = self.sizes.hop_length
        return max(4, round(self.window_s * self.sizes.sample_rate_hz / hop_length)) * hop_length

    def comparable(self) -> dict[str, Any]:
        """Return the configuration as JSON values, without what a resumed run may change."""
        values = json.loads(json.dumps(asdict(self)))
        del values["num_steps"], values["num_loaders"]
        return values


Config = TypeVar("Config", bound=CodecRunConfig)


class CodecRun(ABC, Generic[Config]):
    """The moving parts of one run.

    Args:
        windows: training audio, for what has to be fitted before the first step.
        held_out: audio of other pieces.
        path: of the run; a run found here is taken up.
        config: of the run.
        device: where to compute.
        start_from: of a codec whose weights a new run begins with; None begins anew.

    Raises:
        CheckpointError: if the folder holds another run or damaged files, or `start_from` no codec of this shape.
    """

    def __init__(
        self,
        windows: AudioWindows,
        held_out: AudioWindows,
        path: Path,
        config: Config,
        device: str,
        start_from: Path | None = None,
    ) -> None:
        self.config, self.device = config, device
        self.folder = RunFolder(path)
        self.codec_path = path / CODEC_FOLDER
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self._build(start_from)
        self.optimizer = torch.optim.AdamW(self._trained_parameters(), config.learning_rate, weight_decay=0.0)
        self.held_out = self._prepare(
            held_out.draw(config.num_held_out_windows, config.window_length, generator=generator_of(config.seed, -1))
        )
        self.step = 0
        self.held_out_loss: float | None = None
        if not self._resume() and start_from is None:
            self._fit(windows)

    @property
    @abstractmethod
    def codec(self) -> WaveformCodec:
        """What is trained."""

    @property
    @abstractmethod
    def trained(self) -> nn.Module:
        """The network that the checkpoints hold."""

    @abstractmethod
    def _build(self, start_from: Path | None) -> None:
        """Make the codec and what else has weights."""

    def _trained_parameters(self) -> list[nn.Parameter]:
        """Return those that the optimizer moves, in order."""
        return [parameter for parameter in self.trained.parameters() if parameter.requires_grad]

    @abstractmethod
    def _loss(self, batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, Any]]:
        """Return what to call `backward` on, and what else the log should hold of this step."""

    @abstractmethod
    def _held_out_losses(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss of a batch, and its codes, int64 [B, K, T]."""

    @abstractmethod
    def _rate_share(self) -> float:
        """Return the share of the peak rate of the next step."""

    def _fit(self, windows: AudioWindows) -> None:
        """Do what a new run needs before its first step."""

    def _prepare(self, windows: torch.Tensor) -> torch.Tensor:
        """Return windows, float32 [B, 1, L], as the codec gets them, on the device."""
        return windows.to(self.device)

    def _is_kept_anyway(self) -> bool:
        """Whether the held-out loss says nothing of this codec."""
        return False

    def _more_tensors(self) -> dict[str, torch.Tensor]:
        """Return what a checkpoint holds beside the network and its optimizer."""
        return {}

    def _restore_more(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take back what `_more_tensors` returned."""

    def train_on(self, batch: torch.Tensor) -> float:
        """Do one step on float32 [B, 1, L] and return its loss."""
        self.trained.train()
        learning_rate = self.config.learning_rate * self._rate_share()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        loss, more_facts = self._loss(self._prepare(batch))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        gradient_norm = nn.utils.clip_grad_norm_(self.trained.parameters(), MAX_GRADIENT_NORM)
        self.optimizer.step()
        self.step += 1
        facts: dict[str, Any] = {"loss": float(loss.detach()), "gradient_norm": float(gradient_norm)}
        facts |= {"learning_rate": learning_rate} | more_facts
        if self.step % self.config.held_out_interval == 0 or self.step == self.config.num_steps:
            facts |= self._judge()
        self.folder.log(self.step, facts)
        return facts["loss"]

    def save(self) -> None:
        """Write a checkpoint."""
        tensors = module_tensors(self.trained) | optimizer_tensors(self.optimizer) | self._more_tensors()
        facts = {"config": self.config.comparable(), "held_out_loss": self.held_out_loss}
        self.folder.save(TrainingState(self.step, tensors, facts))

    @torch.no_grad()
    def _judge(self) -> dict[str, Any]:
        """Measure the held-out loss and how much of each codebook is in use; keep the codec if it is the best."""
        self.trained.eval()
        spec = self.codec.spec
        total, used = 0.0, [set[int]() for _ in range(spec.num_codebooks)]
        for batch in self.held_out.split(self.config.batch_size):
            loss, codes = self._held_out_losses(batch)
            total += float(loss) * len(batch)
            for level, level_codes in enumerate(codes.unbind(1)):  # [B, K, T] -> K x [B, T]
                used[level].update(level_codes.flatten().tolist())
        held_out_loss = total / len(self.held_out)
        if self.held_out_loss is None or held_out_loss < self.held_out_loss or self._is_kept_anyway():
            self.held_out_loss = held_out_loss
            self.codec.save(self.codec_path)
        return {
            "held_out_loss": held_out_loss,
            "codebook_usage": [len(codes) / spec.codebook_size for codes in used],
        }

    def _resume(self) -> bool:
        state = self.folder.load()
        self.folder.forget_log_after(state.step if state else 0)
        if state is None:
            return False
        if state.facts.get("config") != self.config.comparable():
            raise CheckpointError(
                f"{self.folder.path} holds a run with another configuration. Choose another folder for this one."
            )
        self._restore_more(state.tensors)
        restore_module(self.trained, state.tensors)
        restore_optimizer(self.optimizer, state.tensors)
        self.step, self.held_out_loss = state.step, state.facts["held_out_loss"]
        return True


def check_sound(sound: SoundFormat, *sources: AudioWindows) -> None:
    """Refuse audio of another format than the codec's.

    Raises:
        InvalidRequestError: the message names both rates, or both numbers of channels.
    """
    for source in sources:
        if source.num_channels != sound.num_channels:
            raise InvalidRequestError(
                f"The codec is for {sound.num_channels} channels, the audio has {source.num_channels}. Make the corpus"
                " with as many: stemgen synthesize --channels."
            )
        if source.sample_rate_hz != sound.sample_rate_hz:
            raise InvalidRequestError(
                f"The codec is for {sound.sample_rate_hz} Hz, the audio has {source.sample_rate_hz} Hz."
            )


def generator_of(seed: int, step: int) -> torch.Generator:
    """Return a generator for one step: randomness depends on the step alone, so nothing of it needs saving."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**63)
