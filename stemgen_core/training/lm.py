"""`stemgen train lm`: train the language model of either family on a corpus."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from stemgen_core.checkpoint import BundleManifest, load_bundle, save_bundle
from stemgen_core.conditioning import drop_sources
from stemgen_core.corpus.genre_table import GENRES
from stemgen_core.corpus.storage import Corpus, CorpusPiece
from stemgen_core.errors import CheckpointError, InvalidRequestError
from stemgen_core.instruments import INSTRUMENTS
from stemgen_core.masking import mask_target
from stemgen_core.model.config import SIZES
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.training.examples import TARGETS_PER_CONTEXT, ExampleBatch, ExampleBatches
from stemgen_core.training.families import TrainingFamily
from stemgen_core.training.objective import masked_loss
from stemgen_core.training.run_folder import (
    RunFolder,
    TrainingState,
    module_tensors,
    optimizer_tensors,
    restore_module,
    restore_optimizer,
)

HELD_OUT_SEED = 1_234_567
MIN_STEMS_PER_INSTRUMENT = 20  # fewer in the corpus: the bundle doesn't offer the instrument


@dataclass(frozen=True, slots=True)
class LmTrainingConfig:
    """Everything a run depends on beside the corpus.

    Attributes:
        size: a name of `SIZES`.
        num_steps: of the whole schedule.
        batch_size: B.
        window_frames: T; 250 are 10 s.
        learning_rate: peak.
        num_warmup_steps: linear rise to the peak.
        decay_share: share of the steps, at the end, in which the rate falls to zero.
        weight_decay: of matrices.
        condition_dropout: probability of hiding the context, and the instrument, from an example.
        extra_dropout: the same for each further field (genre, stem category).
        ema_decay: of the averaged weights, which are what a bundle gets.
        seed: of weights, examples, masks and dropout.
        evaluate_every: steps between held-out loss and listening scores.
        num_held_out_batches: for the held-out loss; listening uses the first.
        patience: evaluations without a better listening score before the run goes straight to its decay; 0 = never.
        optimizer: "adamw", the paper's; or "muon" for the blocks' matrices with AdamW for the rest (decision 0012).
        has_bfloat16: run the model in bfloat16 where autocast allows it.
    """

    size: str = "small"
    num_steps: int = 3_000
    batch_size: int = 16
    window_frames: int = 250
    learning_rate: float = 2e-3
    num_warmup_steps: int = 100
    decay_share: float = 0.35
    weight_decay: float = 0.05
    condition_dropout: float = 0.15
    extra_dropout: float = 0.5
    ema_decay: float = 0.998
    seed: int = 0
    evaluate_every: int = 250
    num_held_out_batches: int = 4
    patience: int = 0
    optimizer: str = "muon"
    has_bfloat16: bool = True


def learning_rate_at(step: int, config: LmTrainingConfig, decay_start: int | None = None) -> float:
    """Return the rate of a step: linear warm-up, constant, linear decay to zero.

    Args:
        step: 0-based.
        config: of the run.
        decay_start: step at which the decay begins; None = as planned.

    Source: StemGen (arXiv:2312.08723), training: warm-up, constant, decay. Differs: lengths scaled to the budget.
    """
    num_decay_steps = max(round(config.num_steps * config.decay_share), 1)
    if decay_start is None:
        decay_start = config.num_steps - num_decay_steps
    if step < min(config.num_warmup_steps, decay_start):
        return config.learning_rate * (step + 1) / config.num_warmup_steps
    return config.learning_rate * min(1.0, max(0.0, 1 - (step - decay_start) / num_decay_steps))


class LmTrainer:
    """One run: model, optimiser, averaged weights and the step they stand at.

    Args:
        family: what is heard and written.
        corpus: where examples come from.
        run_path: folder of the run; a run that stands there is taken up.
        config: the run's, if it is taken up; another number of steps moves the decay.
        device: of the model.
        start_from: a bundle whose weights a new run begins with; fields that it lacks start untrained.

    Raises:
        CheckpointError: if the run's checkpoint, or the bundle, is damaged or of another shape.
    """

    def __init__(
        self,
        family: TrainingFamily,
        corpus: Corpus,
        run_path: Path,
        config: LmTrainingConfig,
        device: str = "cpu",
        *,
        start_from: Path | None = None,
    ) -> None:
        if config.size not in SIZES:
            raise InvalidRequestError(f"There is no size called {config.size!r}. Choose one of: {', '.join(SIZES)}.")
        self.family = family
        self.config = config
        self.device = device
        self.folder = RunFolder(run_path)
        self.training_pieces: list[CorpusPiece] = corpus.pieces("train")
        self.held_out_pieces: list[CorpusPiece] = corpus.pieces("heldout")
        torch.manual_seed(config.seed)
        self.model_config = family.model_config(config.size)
        self.model = StemTransformer(self.model_config).to(device)
        self.average = StemTransformer(self.model_config).to(device).eval().requires_grad_(False)
        if start_from is not None:
            _take_weights(self.model, start_from)
        self.average.load_state_dict(self.model.state_dict())
        self.optimizers = _build_optimizers(self.model, config)
        self.step = 0
        self.decay_start = config.num_steps - max(round(config.num_steps * config.decay_share), 1)
        self.seconds_spent = 0.0
        self._resume()
        self._held_out = self._held_out_batches()

    def run(self, *, max_seconds: float | None = None, report: Callable[[int, dict[str, float]], None]) -> bool:
        """Train until the schedule ends or the time is up; the state is saved either way.

        Args:
            max_seconds: of this leg, by the wall clock; None = until the end.
            report: called with the step and what was logged.

        Returns:
            Whether the schedule is at its end.
        """
        started = time.monotonic()
        examples = self._batches(self.training_pieces, self.config.seed, is_rough=True)
        steps = range(self.step, self.num_steps)
        loader = DataLoader(
            examples,
            batch_size=None,
            sampler=steps,
            num_workers=1 if steps else 0,
            prefetch_factor=4 if steps else None,
        )
        clock = time.monotonic()
        for batch in loader:
            values = self.train_step(batch)
            self.seconds_spent += time.monotonic() - clock
            clock = time.monotonic()
            if self.step % 25 == 0:
                values |= {"learning_rate": self._rate(self.step - 1), "seconds": self.seconds_spent}
                self.folder.log(self.step, values)
                report(self.step, values)
            if self.step % self.config.evaluate_every == 0 or self.step == self.num_steps:
                held_out = self.evaluate()
                self.folder.log(self.step, held_out)
                report(self.step, held_out)
                self._bring_decay_forward()
                self.save()
                clock = time.monotonic()
            is_late = max_seconds is not None and time.monotonic() - started > max_seconds
            if is_late or self.step >= self.num_steps:
                break
        self.save()
        return self.step >= self.num_steps

    @property
    def num_steps(self) -> int:
        """Steps of the schedule, fewer than planned where the decay came early."""
        return self.decay_start + max(round(self.config.num_steps * self.config.decay_share), 1)

    def train_step(self, batch: ExampleBatch) -> dict[str, float]:
        """Make one optimiser step; return the losses, in nats per code."""
        rng = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._rate(self.step)
            optimizer.zero_grad(set_to_none=True)
        self.model.train()
        loss, per_level = self._loss(self.model, batch, rng, self.config.condition_dropout)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        # Early on the average would drag the random start along, so its memory grows with the run.
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for averaged, current in zip(self.average.parameters(), self.model.parameters(), strict=True):
                averaged.lerp_(current, 1 - decay)
        return {"loss": loss.item()} | {f"loss_level_{level}": value for level, value in per_level.items()}

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Held-out loss with the true and with a swapped context, and listening scores, of the averaged weights."""
        losses, swapped = [], []
        for index, batch in enumerate(self._held_out):
            for context, kept in ((batch.context, losses), (batch.context.roll(TARGETS_PER_CONTEXT, 0), swapped)):
                rng = torch.Generator().manual_seed(HELD_OUT_SEED + index)
                other = replace(batch, context=context)
                kept.append(self._loss(self.average, other, rng, 0.0)[0].item())
        return {
            "held_out_loss": sum(losses) / len(losses),
            "held_out_loss_other_context": sum(swapped) / len(swapped),
        } | self.family.score(self.average, self.held_out_pieces, self._held_out[:2])

    def save(self) -> None:
        """Write a checkpoint."""
        tensors = module_tensors(self.model) | module_tensors(self.average, "average")
        for index, optimizer in enumerate(self.optimizers):
            tensors |= optimizer_tensors(optimizer, f"optimizer{index}")
        facts = {
            "config": asdict(self.config),
            "seconds_spent": self.seconds_spent,
            "decay_start": self.decay_start,
        }
        self.folder.save(TrainingState(self.step, tensors, facts))

    def write_bundle(self, folder: Path, facts: dict[str, object]) -> BundleManifest:
        """Write the averaged weights as a bundle.

        Args:
            folder: of the bundle; the sounds must lie in it already.
            facts: more to say in the manifest about the training.
        """
        self.family.write_codec(folder)
        names = [stem.instrument for entry in self.training_pieces for stem in entry.piece.stems]
        offered = tuple(
            instrument.name for instrument in INSTRUMENTS if names.count(instrument.name) >= MIN_STEMS_PER_INSTRUMENT
        )
        training = {
            "steps": self.step,
            "seconds": round(self.seconds_spent),
            "pieces": len(self.training_pieces),
            "config": asdict(self.config),
        }
        manifest = BundleManifest(
            self.family.name,
            self.model_config,
            self.config.window_frames,
            offered,
            genres=tuple(GENRES),
            training=training | facts,
        )
        return save_bundle(folder, manifest, self.average)

    def _loss(
        self, model: StemTransformer, batch: ExampleBatch, rng: torch.Generator, dropout: float
    ) -> tuple[torch.Tensor, dict[int, float]]:
        masked = mask_target(
            batch.codes,
            self.model_config.spec,
            batch.levels,
            rng,
            first_level_share=self.family.first_level_share,
        )
        conditions, has_context = drop_sources(
            batch.conditions,
            self.model_config.fields,
            dropout=dropout,
            # Most people name an instrument and nothing else, so the other fields are seldom given (decision 0050).
            field_dropout=None
            if dropout == 0
            else {field.name: self.config.extra_dropout for field in self.model_config.fields[1:]},
            rng=rng,
        )
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.config.has_bfloat16):
            hidden = model(
                batch.context.to(self.device),
                masked.codes.to(self.device),
                {name: value.to(self.device) for name, value in conditions.items()},
                has_context.to(self.device),
            )
            return masked_loss(model, hidden, batch.codes.to(self.device), masked)

    def _rate(self, step: int) -> float:
        return learning_rate_at(step, self.config, self.decay_start)

    def _bring_decay_forward(self) -> None:
        """Start the decay now if the listening score has not risen for `patience` evaluations."""
        scores = [line["listening"] for line in self.folder.read_log() if "listening" in line]
        patience = self.config.patience
        is_due = patience and self.step < self.decay_start and len(scores) > patience
        if is_due and max(scores[-patience:]) <= max(scores[:-patience]):
            self.decay_start = self.step

    def _batches(self, pieces: list[CorpusPiece], seed: int, *, is_rough: bool) -> ExampleBatches:
        return self.family.batches(
            pieces,
            batch_size=self.config.batch_size,
            window_frames=self.config.window_frames,
            seed=seed,
            is_rough=is_rough,
        )

    def _held_out_batches(self) -> list[ExampleBatch]:
        batches = self._batches(self.held_out_pieces, HELD_OUT_SEED, is_rough=False)
        return [batches[index] for index in range(self.config.num_held_out_batches)]

    def _resume(self) -> None:
        state = self.folder.load()
        if state is None:
            return
        restore_module(self.model, state.tensors)
        restore_module(self.average, state.tensors, "average")
        for index, optimizer in enumerate(self.optimizers):
            restore_optimizer(optimizer, state.tensors, f"optimizer{index}")
        self.step = state.step
        if state.facts["config"]["num_steps"] == self.config.num_steps:  # else the schedule was changed on purpose
            self.decay_start = state.facts["decay_start"]
        self.seconds_spent = state.facts["seconds_spent"]
        self.folder.forget_log_after(self.step)


def _take_weights(model: StemTransformer, bundle_path: Path) -> None:
    """Fill a model with a bundle's weights; only the tables of fields that the bundle lacks stay as they are.

    Raises:
        CheckpointError: if anything else is missing, or shapes differ.
    """
    bundle = load_bundle(bundle_path)
    if bundle.manifest.config.spec != model.config.spec:
        raise CheckpointError(
            f"The model at {bundle_path} speaks {bundle.manifest.config.spec}, not this codec's tokens."
        )
    weights = bundle.model.state_dict()
    new_fields = {field.name for field in model.config.fields} - {field.name for field in bundle.manifest.config.fields}
    own = model.state_dict()
    new_tables = {name for name in own if name.startswith(tuple(f"embedding.conditions.{f}." for f in new_fields))}
    unlike = sorted(
        name
        for name in weights.keys() | own.keys() - new_tables
        if name not in weights or name not in own or weights[name].shape != own[name].shape
    )
    if unlike:
        raise CheckpointError(f"The model at {bundle_path} has another shape than this run's: {', '.join(unlike[:5])}.")
    model.load_state_dict(own | weights)


def _build_optimizers(model: StemTransformer, config: LmTrainingConfig) -> list[torch.optim.Optimizer]:
    """AdamW for all, or Muon for the matrices of the blocks; tables, norms and other vectors are not decayed."""
    named = list(model.named_parameters())
    matrices = [value for name, value in named if name.startswith("blocks") and value.ndim == 2]
    heads = [value for name, value in named if name.startswith("heads")]
    others = [value for name, value in named if not name.startswith(("blocks", "heads")) or value.ndim < 2]
    adamw_groups = [
        {"params": heads, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if config.optimizer == "muon":
        muon = torch.optim.Muon(
            matrices, lr=config.learning_rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        return [muon, torch.optim.AdamW(adamw_groups, lr=config.learning_rate, betas=(0.9, 0.98))]
    if config.optimizer != "adamw":
        raise InvalidRequestError(f"The optimizer must be adamw or muon, got {config.optimizer!r}.")
    adamw_groups[0]["params"] = heads + matrices
    return [torch.optim.AdamW(adamw_groups, lr=config.learning_rate, betas=(0.9, 0.98))]
