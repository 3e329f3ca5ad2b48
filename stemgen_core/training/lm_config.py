"""What a run of the language model depends on beside the corpus, and its learning rate."""

from dataclasses import dataclass

import torch

from stemgen_core.model.precision import gains_by_bfloat16


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
        has_bfloat16: run the model in bfloat16 where autocast allows it and the processor gains by it.
        is_compiled: run the model through `torch.compile`; pays on a GPU after the first minute.
        num_loaders: processes that make examples ahead.
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
    is_compiled: bool = False
    num_loaders: int = 1

    def dtype_on(self, device: str) -> torch.dtype:
        """Return what the model is computed in: on a CPU bfloat16 only where the processor gains by it."""
        is_quicker = not device.startswith("cpu") or gains_by_bfloat16()
        return torch.bfloat16 if self.has_bfloat16 and is_quicker else torch.float32


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
