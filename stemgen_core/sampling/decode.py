"""From a hidden grid of codes to a generated one, level by level, coarse to fine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch.nn.functional import one_hot

from stemgen_core.codec.protocol import BEGINS, LevelRule
from stemgen_core.conditioning import CONTEXT_SOURCE
from stemgen_core.errors import GenerationCancelledError
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.sampling.guidance import (
    GuidanceBranch,
    combine_logits,
    keep_density,
    keep_nucleus,
    keep_nucleus_of_kinds,
    plan_branches,
)
from stemgen_core.sampling.ranking import keep_best, rank_frames
from stemgen_core.sampling.schedule import frames_to_keep
from stemgen_core.sampling.settings import MIN_STEPS, SamplingSettings


@dataclass(slots=True)
class DecodingProgress:
    """Counts steps, reports them and passes on a request to stop.

    Attributes:
        num_steps: steps to come in all.
        report: called with the share done, 0..1, after each step.
        should_stop: asked before each step.
        must_hurry: asked before each step from the fourth on; once it says so, every level is finished in one step.
        max_steps: passes of the model after which to hurry in any case; None = never.
        hurried_after: after how many passes it began to hurry; None = not yet.
    """

    num_steps: int
    report: Callable[[float], None] | None = None
    should_stop: Callable[[], bool] | None = None
    must_hurry: Callable[[], bool] | None = None
    max_steps: int | None = None
    hurried_after: int | None = field(default=None, init=False)
    num_done: int = field(default=0, init=False)
    num_passes: int = field(default=0, init=False)

    def check(self) -> None:
        """Raise GenerationCancelledError if the caller wants to stop."""
        if self.should_stop is not None and self.should_stop():
            raise GenerationCancelledError("The generation was cancelled.")

    def is_hurried(self) -> bool:
        """Return whether the level is to be finished in this step; asked once before each pass of the model."""
        if self.hurried_after is None and self.num_passes >= MIN_STEPS:
            is_over = self.max_steps is not None and self.num_passes >= self.max_steps
            if is_over or (self.must_hurry is not None and self.must_hurry()):
                self.hurried_after = self.num_passes
        self.num_passes += 1
        return self.hurried_after is not None

    def advance(self, num_steps: int = 1) -> None:
        """Count finished steps and report."""
        self.num_done += num_steps
        if self.report is not None:
            self.report(min(self.num_done / self.num_steps, 1.0))


@torch.inference_mode()
def decode_codes(
    model: StemTransformer,
    context: torch.Tensor,
    known: torch.Tensor,
    conditions: Mapping[str, torch.Tensor],
    *,
    rules: Sequence[LevelRule],
    settings: SamplingSettings,
    rngs: Sequence[torch.Generator],
    progress: DecodingProgress,
) -> torch.Tensor:
    """Generate the hidden codes.

    Args:
        model: in evaluation mode.
        context: float [B, F, T] features or int64 [B, K, T] codes.
        known: int64 [B, K, T], the mask token where to generate; everything else stays.
        conditions: per field int64 [B], the value or the field's `absent_id`, or float [B, values + 1], how much of
            each; a field left out is not given.
        rules: the levels to generate, coarse to fine; other levels must be known.
        settings: how.
        rngs: one source of randomness per item, so that an item doesn't depend on its batch.
        progress: for reports and cancelling.

    Returns:
        int64 [B, K, T] without mask tokens on the levels of `rules`.

    Raises:
        GenerationCancelledError: if the caller asked to stop.
        ValueError: if there are not as many generators as items.

    Source: StemGen (arXiv:2312.08723), sampling.
    """
    if len(rngs) != known.shape[0]:
        raise ValueError(f"got {len(rngs)} generators for {known.shape[0]} items")
    codes = known.clone()
    for index, rule in enumerate(rules):
        if rule.settle is not None:
            codes = rule.settle(codes)
        is_guided = index < settings.num_guided_levels
        branches = _branches(conditions, settings if is_guided else None)
        passes = _Passes(model, context, conditions, branches)
        _decode_level(passes, codes, rule, settings, settings.steps_at(index), rngs, progress)
    return codes


def _branches(conditions: Mapping[str, torch.Tensor], settings: SamplingSettings | None) -> list[GuidanceBranch]:
    """Plan the passes over the context and the fields that are given; all fields share the instrument's scale."""
    if settings is None:
        return plan_branches(dict.fromkeys([CONTEXT_SOURCE, *conditions], 1.0), is_joint=True)
    scales = dict.fromkeys(conditions, settings.instrument_guidance_scale)
    scales[CONTEXT_SOURCE] = settings.context_guidance_scale
    return plan_branches(scales, is_joint=settings.has_joint_guidance)


@dataclass(frozen=True, slots=True)
class _Passes:
    """The model with fixed inputs: one call runs all branches of the guidance as one batch."""

    model: StemTransformer
    context: torch.Tensor
    conditions: Mapping[str, torch.Tensor]
    branches: list[GuidanceBranch]

    def __call__(
        self, codes: torch.Tensor, is_masked: torch.Tensor, rule: LevelRule, settings: SamplingSettings
    ) -> torch.Tensor:
        """Return guided log-probabilities of the masked frames, -inf = impossible, [M, V], items in order."""
        # In training finer levels are always hidden, also where a window continues one or a level is never used.
        index = torch.arange(codes.shape[1], device=codes.device)[:, None]
        codes = codes.masked_fill(index > rule.level, self.model.config.spec.mask_token_id)
        batch_size, num_branches = codes.shape[0], len(self.branches)
        conditions = {}
        for condition in self.model.config.fields:
            absent = torch.full((batch_size,), condition.absent_id, device=codes.device)
            given = self.conditions.get(condition.name, absent)
            if given.dim() == 2:
                absent = one_hot(absent, condition.num_values + 1).to(given)
            conditions[condition.name] = torch.cat(
                [given if condition.name in branch.visible else absent for branch in self.branches]
            )
        has_context = torch.tensor([CONTEXT_SOURCE in branch.visible for branch in self.branches], device=codes.device)
        hidden = self.model(
            torch.cat([self.context] * num_branches),
            torch.cat([codes] * num_branches),
            conditions,
            has_context.repeat_interleave(batch_size),
        )  # [branches * B, T, D]
        # Only the hidden frames need scores: the head is the widest layer.
        wanted = hidden.unflatten(0, (num_branches, batch_size))[:, is_masked]  # [branches, M, D]
        logits = self.model.logits(wanted, rule.level)  # [branches, M, V]
        if rule.allowed is not None:
            logits = logits.masked_fill(~rule.allowed, -torch.inf)
        if rule.kinds is not None and settings.density:
            # The same in every branch: it is no source's doing.
            logits = logits + settings.density * (rule.kinds == BEGINS)
        guided = combine_logits(list(logits), self.branches)
        num_sources = 1 + len(self.conditions)
        with_all = [
            each for each, branch in zip(logits, self.branches, strict=True) if len(branch.visible) == num_sources
        ]
        plain = with_all[0] if with_all else guided
        if rule.kinds is None:
            return keep_nucleus(guided, plain, settings.top_p)
        scores = keep_density(guided, plain, rule.kinds, is_masked.nonzero()[:, 0], settings.density_guidance_share)
        return keep_nucleus_of_kinds(scores, plain, rule.kinds, settings.top_p)


def _decode_level(
    passes: _Passes,
    codes: torch.Tensor,
    rule: LevelRule,
    settings: SamplingSettings,
    num_steps: int,
    rngs: Sequence[torch.Generator],
    progress: DecodingProgress,
) -> None:
    """Generate the hidden codes of one level in place."""
    mask_token_id = passes.model.config.spec.mask_token_id
    row = codes[:, rule.level]  # [B, T], a view
    plans = [frames_to_keep(int(item.sum()), num_steps) for item in row == mask_token_id]
    for step in range(num_steps):
        progress.check()
        is_masked = row == mask_token_id  # [B, T]
        num_to_keep = torch.tensor([plan[step] if step < len(plan) else 0 for plan in plans])
        if not is_masked.any():
            progress.advance(num_steps - step)
            return
        is_hurried = progress.is_hurried()
        scores = passes(codes, is_masked, rule, settings)  # [M, V]
        # An item that is done draws no more, or its next level would depend on how long the others take.
        draws = torch.stack(
            [
                torch.rand(2, row.shape[1], generator=rng) if is_hidden else torch.zeros(2, row.shape[1])
                for rng, is_hidden in zip(rngs, is_masked.any(1).tolist(), strict=True)
            ]
        )  # [B, 2, T]
        sampled, confidence = sample_codes(scores, draws[:, 0][is_masked], settings.temperature)
        ranking = rank_frames(
            torch.zeros(row.shape).masked_scatter(is_masked, confidence),
            draws[:, 1],
            confidence_weight=settings.confidence_weight,
            causal_bias=settings.causal_bias,
            noise_weight=settings.noise_weight,
        )
        is_kept = is_masked if is_hurried else keep_best(ranking, is_masked, num_to_keep)
        candidates = row.masked_scatter(is_masked, sampled)
        row.copy_(torch.where(is_kept, candidates, row))
        progress.advance()


def sample_codes(scores: torch.Tensor, draws: torch.Tensor, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Sample by the inverse of the cumulative distribution: one uniform number per frame, no multinomial.

    Args:
        scores: float [M, V], log-probabilities up to a constant; -inf = impossible.
        draws: float [M], uniform in [0, 1).
        temperature: > 0.

    Returns:
        Codes, int64 [M]; and their probability before temperature, float [M], which ranking must use: a low temperature
        would make every frame look sure.
    """
    cumulative = (scores / temperature).softmax(-1).cumsum(-1)  # [M, V]
    # Scaled by the last value, which rounding leaves a little off 1, so that no draw falls behind the end.
    sampled = torch.searchsorted(cumulative, (draws * cumulative[:, -1])[:, None], right=True)[:, 0]
    confidence = scores.softmax(-1).gather(-1, sampled[:, None])[:, 0]
    return sampled, confidence
