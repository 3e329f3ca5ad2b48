"""`stemgen train codec --config bands`: codebooks by residual k-means, then the decoder by regression on spectra."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from stemgen_core.codec.band_codec import BAND_CODEC_PRESETS, BandCodec, BandCodecConfig, scale, spectrum_of
from stemgen_core.codec.token_level import at_token_level
from stemgen_core.errors import CheckpointError
from stemgen_core.training.audio_windows import AudioWindows, CorpusWindows
from stemgen_core.training.codec_steps import (
    CODEC_FOLDER,
    MAX_GRADIENT_NORM,
    CodecTrainingResult,
    check_rates,
    generator_of,
    go_on,
)
from stemgen_core.training.run_folder import (
    RunFolder,
    TrainingState,
    module_tensors,
    optimizer_tensors,
    restore_module,
    restore_optimizer,
)

FINAL_RATE_SHARE = 0.05
# About -65 dB of a full-scale sine: below this is as good as silence, and the logarithm need not tell it apart.
_MAGNITUDE_FLOOR = 0.25
_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class BandTrainingConfig:
    """How to fit a band codec.

    Attributes:
        codec: its sizes.
        num_codebook_windows: windows whose frames the codebooks are fitted to.
        num_rounds: of k-means per level.
        num_steps: optimizer steps of the decoder.
        batch_size: windows per step.
        window_s: length of a window in seconds.
        learning_rate: peak rate of AdamW.
        held_out_interval: steps between two held-out losses.
        num_held_out_windows: windows that the held-out loss is taken over.
        checkpoint_interval: steps between two checkpoints.
        seed: of everything drawn.
    """

    codec: BandCodecConfig = BAND_CODEC_PRESETS["bands"]
    num_codebook_windows: int = 2400
    num_rounds: int = 12
    num_steps: int = 3000
    batch_size: int = 16
    window_s: float = 1.28
    learning_rate: float = 1e-3
    held_out_interval: int = 250
    num_held_out_windows: int = 64
    checkpoint_interval: int = 250
    seed: int = 0

    @property
    def window_length(self) -> int:
        """Audio samples per window, a whole number of frames."""
        hop_length = self.codec.hop_length
        return max(4, round(self.window_s * self.codec.sample_rate_hz / hop_length)) * hop_length


BAND_TRAINING_PRESETS: dict[str, BandTrainingConfig] = {
    "bands": BandTrainingConfig(),
    "tiny-bands": BandTrainingConfig(
        codec=BAND_CODEC_PRESETS["tiny-bands"],
        num_codebook_windows=8,
        num_rounds=2,
        num_steps=20,
        batch_size=2,
        window_s=0.3,
        held_out_interval=10,
        num_held_out_windows=2,
        checkpoint_interval=10,
    ),
}


def train_band_codec(
    corpus_folder: Path,
    run_folder: Path,
    config: BandTrainingConfig,
    *,
    device: str = "cpu",
    report_progress: Callable[[int, float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> CodecTrainingResult:
    """Fit, or go on fitting, a band codec to the stems and mixes of a corpus.

    Arguments, result and errors are those of `stemgen_core.training.codec.train_codec`.
    """
    return train_band_codec_on(
        CorpusWindows.open(corpus_folder, "train"),
        CorpusWindows.open(corpus_folder, "heldout"),
        run_folder,
        config,
        device=device,
        report_progress=report_progress,
        should_stop=should_stop,
    )


def train_band_codec_on(
    windows: AudioWindows,
    held_out: AudioWindows,
    run_folder: Path,
    config: BandTrainingConfig,
    *,
    device: str = "cpu",
    report_progress: Callable[[int, float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> CodecTrainingResult:
    """Fit, or go on fitting, the codec of one run; arguments, result and errors are those of `train_codec_on`."""
    check_rates(config.codec.sample_rate_hz, windows, held_out)
    run = _BandRun(windows, held_out, run_folder, config, device)
    return go_on(
        run,
        (run.train_step() for _ in range(run.step, config.num_steps)),
        num_steps=config.num_steps,
        checkpoint_interval=config.checkpoint_interval,
        report_progress=report_progress,
        should_stop=should_stop,
    )


class _BandRun:
    """The moving parts of one run."""

    def __init__(
        self, windows: AudioWindows, held_out: AudioWindows, path: Path, config: BandTrainingConfig, device: str
    ) -> None:
        self.windows, self.config, self.device = windows, config, device
        self.folder = RunFolder(path)
        self.codec_path = path / CODEC_FOLDER
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self.codec = BandCodec(config.codec).to(device)
        self.optimizer = torch.optim.AdamW(self.codec.decoder.parameters(), config.learning_rate, weight_decay=0.0)
        self.held_out = self._draw(held_out, config.num_held_out_windows, -1)
        self.step = 0
        self.held_out_loss: float | None = None
        if not self._resume():
            self.codec.codebooks = self._fit_codebooks()

    def train_step(self) -> float:
        """Do one step and return its loss."""
        config, decoder = self.config, self.codec.decoder.train()
        loss = self._loss(self._draw(self.windows, config.batch_size, self.step))
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * _rate_share(self.step, config.num_steps)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), MAX_GRADIENT_NORM)
        self.optimizer.step()
        self.step += 1
        facts: dict[str, float] = {"loss": float(loss.detach())}
        if self.step % config.held_out_interval == 0 or self.step == config.num_steps:
            facts["held_out_loss"] = self.held_out_loss = self._judge()
            self.codec.save(self.codec_path)
        self.folder.log(self.step, facts)
        return facts["loss"]

    def save(self) -> None:
        """Write a checkpoint."""
        tensors = module_tensors(self.codec.decoder) | optimizer_tensors(self.optimizer)
        tensors["codebooks"] = self.codec.codebooks
        facts = {"config": _comparable(self.config), "held_out_loss": self.held_out_loss}
        self.folder.save(TrainingState(self.step, tensors, facts))

    def _loss(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the mean absolute difference of logarithms of magnitudes, in nats."""
        predicted = self.codec.decoder(self.codec.levels_of(self.codec.encode(batch)))
        wanted = spectrum_of(batch, self.config.codec.hop_length)
        # Both sides get the floor, so that how silent silence is does not matter.
        return (_above_floor(predicted.exp()) - _above_floor(wanted)).abs().mean()

    @torch.no_grad()
    def _judge(self) -> float:
        self.codec.decoder.eval()
        losses = [float(self._loss(batch)) * len(batch) for batch in self.held_out.split(self.config.batch_size)]
        return sum(losses) / len(self.held_out)

    def _draw(self, windows: AudioWindows, num_windows: int, step: int) -> torch.Tensor:
        """Return windows as they are when they become codes, float32 [B, 1, L]."""
        config = self.config
        drawn = windows.draw(num_windows, config.window_length, generator=generator_of(config.seed, step))
        return torch.stack([at_token_level(one, config.codec.sample_rate_hz) for one in drawn]).to(self.device)

    def _fit_codebooks(self) -> torch.Tensor:
        config = self.config
        analysis = self.codec.analysis
        rows = []
        for start in range(0, config.num_codebook_windows, 32):
            count = min(32, config.num_codebook_windows - start)
            levels = scale(analysis(self._draw(self.windows, count, -1000 - start)))  # [B, F, T]
            rows.append(levels.transpose(1, 2).flatten(0, 1))
        return fit_codebooks(
            torch.cat(rows),
            num_codebooks=config.codec.num_codebooks,
            codebook_size=config.codec.codebook_size,
            num_rounds=config.num_rounds,
            generator=generator_of(config.seed, -2),
        )

    def _resume(self) -> bool:
        state = self.folder.load()
        self.folder.forget_log_after(state.step if state else 0)
        if state is None:
            return False
        if state.facts.get("config") != _comparable(self.config):
            raise CheckpointError(
                f"{self.folder.path} holds a run with another configuration. Choose another folder for this one."
            )
        self.codec.codebooks = state.tensors.pop("codebooks").to(self.device)
        restore_module(self.codec.decoder, state.tensors)
        restore_optimizer(self.optimizer, state.tensors)
        self.step, self.held_out_loss = state.step, state.facts["held_out_loss"]
        return True


def fit_codebooks(
    rows: torch.Tensor, *, num_codebooks: int, codebook_size: int, num_rounds: int, generator: torch.Generator
) -> torch.Tensor:
    """Fit codebooks one after the other to what the coarser ones leave, by k-means.

    Args:
        rows: float32 [N, F].
        num_codebooks: K.
        codebook_size: V; fewer rows than that are used more than once.
        num_rounds: of k-means per level.
        generator: source of randomness, on the CPU.

    Returns:
        float32 [K, V, F].
    """
    codebooks = []
    for _ in range(num_codebooks):
        order = torch.randperm(len(rows), generator=generator)
        entries = rows[order.repeat(-(-codebook_size // len(rows)))[:codebook_size].to(rows.device)].clone()  # [V, F]
        for _ in range(num_rounds):
            nearest = _nearest(rows, entries)  # [N]
            sums = torch.zeros_like(entries).index_add_(0, nearest, rows)
            counts = torch.bincount(nearest, minlength=codebook_size)
            is_used = counts > 0
            entries[is_used] = sums[is_used] / counts[is_used, None]
            unused = int((~is_used).sum())
            if unused:  # an entry that nothing is near to starts again where something is
                again = torch.randint(len(rows), (unused,), generator=generator)
                entries[~is_used] = rows[again.to(rows.device)]
        rows = rows - entries[_nearest(rows, entries)]
        codebooks.append(entries)
    return torch.stack(codebooks)


def _nearest(rows: torch.Tensor, entries: torch.Tensor) -> torch.Tensor:
    norms = entries.square().sum(1)
    return torch.cat([(norms - 2 * chunk @ entries.T).argmin(1) for chunk in rows.split(_CHUNK)])


def _above_floor(magnitude: torch.Tensor) -> torch.Tensor:
    return (magnitude + _MAGNITUDE_FLOOR).log()


def _rate_share(step: int, num_steps: int) -> float:
    """Return the share of the peak rate at `step`: level for the first half, then straight down."""
    progress = step / max(1, num_steps)
    return 1.0 if progress < 0.5 else FINAL_RATE_SHARE + (1 - FINAL_RATE_SHARE) * 2 * (1 - progress)


def _comparable(config: BandTrainingConfig) -> dict[str, object]:
    """Return the configuration as JSON values, without what a resumed run may change."""
    values = asdict(config)
    del values["num_steps"]
    return values
