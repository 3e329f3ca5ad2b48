"""`stemgen train lm`: train the language model of either family on a corpus."""

import copy
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from stemgen_core.checkpoint import BundleManifest, save_bundle
from stemgen_core.conditioning import drop_sources
from stemgen_core.corpus.genre_table import GENRES
from stemgen_core.corpus.storage import Corpus, CorpusPiece
from stemgen_core.errors import InvalidRequestError
from stemgen_core.instruments import INSTRUMENTS
from stemgen_core.masking import MaskedTarget, mask_target
from stemgen_core.model.config import SIZES
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.training.conditions import SELDOM_GIVEN
from stemgen_core.training.examples import TARGETS_PER_CONTEXT, ExampleBatch
from stemgen_core.training.families import TrainingFamily
from stemgen_core.training.lm_config import LmTrainingConfig, learning_rate_at
from stemgen_core.training.optimizers import build_optimizers, take_weights
from stemgen_core.training.processes import Processes, SharedLoss
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
class HeldOut:
    """What a model is scored on: pieces that it never sees in training, and examples cut from them."""

    pieces: list[CorpusPiece]
    batches: list[ExampleBatch]


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
        _need_sound(family, corpus)
        self.family = family
        self.config = config
        self.device = device
        self.processes = Processes.join(device)
        self.processes.share(config.batch_size)  # a batch that can't be shared out is refused before anything is made
        self.folder = RunFolder(run_path)
        self.training_pieces: list[CorpusPiece] = corpus.pieces("train")
        torch.manual_seed(config.seed)
        self.model_config = family.model_config(config.size)
        self.model = StemTransformer(self.model_config)
        family.prepare(self.model)
        self.model.to(device)
        self.average = StemTransformer(self.model_config).to(device).eval().requires_grad_(False)
        if start_from is not None:
            take_weights(self.model, start_from)
        self.average.load_state_dict(self.model.state_dict())
        self.optimizers = build_optimizers(self.model, config)
        if config.is_compiled:
            self.model.compile(dynamic=True)  # windows differ in length
        self.step = 0
        self.decay_start = config.num_steps - max(round(config.num_steps * config.decay_share), 1)
        self.seconds_spent = 0.0
        self._resume()
        self._shared_loss = SharedLoss(self.model, self.processes).wrapped(device)
        self._held_out = self.held_out_of(corpus)

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
        num_loaders = self.config.num_loaders if steps else 0
        loader = DataLoader(
            examples,
            batch_size=None,
            sampler=steps,
            num_workers=num_loaders,
            prefetch_factor=4 if num_loaders else None,
        )
        clock = time.monotonic()
        for batch in loader:
            values = self.train_step(batch)
            self.seconds_spent += time.monotonic() - clock
            clock = time.monotonic()
            if self.step % 25 == 0:
                self._log(values | {"learning_rate": self._rate(self.step - 1), "seconds": self.seconds_spent}, report)
            if self.step % self.config.evaluate_every == 0 or self.step == self.num_steps:
                if self.processes.is_first:
                    self._log(self.evaluate(), report)
                self.processes.wait()
                self._bring_decay_forward()
                self.save()
                clock = time.monotonic()
            if self.step == self.decay_start:
                self.save(is_before_decay=True)
            if self._is_late(started, max_seconds) or self.step >= self.num_steps:
                break
        self.save()
        return self.step >= self.num_steps

    def _log(self, values: dict[str, float], report: Callable[[int, dict[str, float]], None]) -> None:
        if self.processes.is_first:
            self.folder.log(self.step, values)
            report(self.step, values)

    def _is_late(self, started: float, max_seconds: float | None) -> bool:
        """Whether this leg's time is up; by the first process's clock, so that all stop at the same step."""
        if max_seconds is None:
            return False
        is_late = self.processes.is_first and time.monotonic() - started > max_seconds
        return bool(self.processes.sum(torch.tensor([float(is_late)], device=self.device)).item())

    @property
    def num_steps(self) -> int:
        """Steps of the schedule, fewer than planned where the decay came early."""
        return self.decay_start + max(round(self.config.num_steps * self.config.decay_share), 1)

    def train_step(self, batch: ExampleBatch) -> dict[str, float]:
        """Make one optimiser step; return the losses over the whole batch, in nats per code."""
        rng = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._rate(self.step)
            optimizer.zero_grad(set_to_none=True)
        self.model.train()
        loss, per_level = self._loss(self._shared_loss, batch, rng, self.config.condition_dropout)
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
        sums = torch.zeros(self.model_config.spec.num_codebooks, 2, dtype=torch.float64, device=self.device)
        for level, level_sums in per_level.items():
            sums[level] = torch.tensor(level_sums)
        sums = self.processes.sum(sums).cpu()
        losses = {f"loss_level_{level}": (total / count).item() for level, (total, count) in enumerate(sums) if count}
        return {"loss": (sums[:, 0].sum() / sums[:, 1].sum()).item()} | losses

    @torch.no_grad()
    def evaluate(self, held_out: HeldOut | None = None) -> dict[str, float]:
        """Held-out loss with the true and with a swapped context, and listening scores, of the averaged weights.

        Args:
            held_out: of any corpus; None: of the run's own.
        """
        held_out = held_out or self._held_out
        losses, swapped = [], []
        for index, batch in enumerate(held_out.batches):
            for context, kept in ((batch.context, losses), (batch.context.roll(TARGETS_PER_CONTEXT, 0), swapped)):
                rng = torch.Generator().manual_seed(HELD_OUT_SEED + index)
                other = replace(batch, context=context)
                kept.append(self._loss(SharedLoss(self.average, Processes()), other, rng, 0.0)[0].item())
        return {
            "held_out_loss": sum(losses) / len(losses),
            "held_out_loss_other_context": sum(swapped) / len(swapped),
        } | self.family.score(copy.deepcopy(self.average).cpu(), held_out.pieces, held_out.batches[:2])

    def held_out_of(self, corpus: Corpus) -> HeldOut:
        """Cut examples from a corpus's held-out pieces, the same for every run of the same shape.

        Raises:
            InvalidRequestError: if the corpus has another format than the model, or nothing is held out.
        """
        _need_sound(self.family, corpus)
        pieces = corpus.pieces("heldout")
        batches = self._batches(pieces, HELD_OUT_SEED, is_rough=False)
        return HeldOut(pieces, [batches[index] for index in range(self.config.num_held_out_batches)])

    def save(self, *, is_before_decay: bool = False) -> None:
        """Write a checkpoint; the one before the decay is kept, so that a longer schedule can go on from it."""
        if not self.processes.is_first:
            return
        tensors = module_tensors(self.model) | module_tensors(self.average, "average")
        for index, optimizer in enumerate(self.optimizers):
            tensors |= optimizer_tensors(optimizer, f"optimizer{index}")
        facts = {
            "config": asdict(self.config),
            "seconds_spent": self.seconds_spent,
            "decay_start": self.decay_start,
        }
        self.folder.save(TrainingState(self.step, tensors, facts), is_before_decay=is_before_decay)

    def write_bundle(
        self, folder: Path, facts: dict[str, object], *, base: BundleManifest | None = None
    ) -> BundleManifest:
        """Write the averaged weights as a bundle.

        Args:
            folder: of the bundle; the sounds must lie in it already.
            facts: more to say in the manifest about the training.
            base: of the bundle that was fine-tuned; what it offers is offered still.
        """
        self.family.write_codec(folder)
        enough = _enough_of([stem.instrument for entry in self.training_pieces for stem in entry.piece.stems])
        offered = {*enough, *(() if base is None else base.instruments)}
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
            tuple(instrument.name for instrument in INSTRUMENTS if instrument.name in offered),
            genres=tuple(GENRES) if base is None else base.genres,
            training=training | facts,
        )
        return save_bundle(folder, manifest, self.average)

    def _loss(
        self, loss: nn.Module, batch: ExampleBatch, rng: torch.Generator, dropout: float
    ) -> tuple[torch.Tensor, dict[int, tuple[float, int]]]:
        """Return what to call `backward` on, and per level the summed loss and the number of codes."""
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
            # Most people name an instrument and nothing else, so genre and category are seldom given (decision 0050);
            # the sound is always there, by the seed.
            field_dropout=None
            if dropout == 0
            else {field.name: self.config.extra_dropout for field in self.model_config.fields if field in SELDOM_GIVEN},
            rng=rng,
        )
        is_half = self.config.dtype_on(self.device) is torch.bfloat16
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=is_half):
            return loss(
                batch.context.to(self.device),
                batch.codes.to(self.device),
                MaskedTarget(*(each.to(self.device) for each in (masked.codes, masked.level, masked.generate_mask))),
                {name: value.to(self.device) for name, value in conditions.items()},
                has_context.to(self.device),
            )

    def _rate(self, step: int) -> float:
        return learning_rate_at(step, self.config, self.decay_start)

    def _bring_decay_forward(self) -> None:
        """Start the decay now if the listening score has not risen for `patience` evaluations."""
        scores = [line["listening"] for line in self.folder.read_log() if "listening" in line]
        patience = self.config.patience
        is_due = patience and self.step < self.decay_start and len(scores) > patience
        if is_due and max(scores[-patience:]) <= max(scores[:-patience]):
            self.decay_start = self.step

    def _batches(self, pieces: list[CorpusPiece], seed: int, *, is_rough: bool) -> Dataset[ExampleBatch]:
        return self.family.batches(
            pieces,
            batch_size=self.config.batch_size,
            window_frames=self.config.window_frames,
            seed=seed,
            is_rough=is_rough,
        )

    def _resume(self) -> None:
        state = self.folder.load()
        if state is None:
            return
        if self.decay_start > state.facts["decay_start"] and state.step > state.facts["decay_start"]:
            state = self.folder.load(is_before_decay=True) or state
        restore_module(self.model, state.tensors)
        restore_module(self.average, state.tensors, "average")
        for index, optimizer in enumerate(self.optimizers):
            restore_optimizer(optimizer, state.tensors, f"optimizer{index}")
        self.step = state.step
        if state.facts["config"]["num_steps"] == self.config.num_steps:  # else the schedule was changed on purpose
            self.decay_start = state.facts["decay_start"]
        self.seconds_spent = state.facts["seconds_spent"]
        self.folder.forget_log_after(self.step)


def _enough_of(names: list[str]) -> set[str]:
    """Return the instruments that a corpus has enough of; all that it has where there is enough of none.

    Args:
        names: of the instruments of all stems.
    """
    counts = Counter(names)
    enough = {name for name, count in counts.items() if count >= MIN_STEMS_PER_INSTRUMENT}
    return enough or set(counts)


def _need_sound(family: TrainingFamily, corpus: Corpus) -> None:
    """Refuse a corpus of another format than the model's.

    Raises:
        InvalidRequestError: the message says how to make one of the right format.
    """
    if corpus.sound != family.sound:
        raise InvalidRequestError(
            f"The corpus in {corpus.folder} is {corpus.sound}, the model needs {family.sound}. Make one with"
            f" `stemgen synthesize --rate {family.sound.sample_rate_hz} --channels {family.sound.num_channels}`."
        )
