"""More stems drafted than kept: of several candidates the one that a judge scores highest goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stemgen_core.codec.protocol import LevelRule
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.sampling.decode import DecodingProgress, decode_codes
from stemgen_core.sampling.drafts import sounding_share
from stemgen_core.sampling.judge import StemJudge
from stemgen_core.sampling.settings import SamplingSettings


@dataclass(frozen=True, slots=True)
class ChosenCodes:
    """The candidate that was kept.

    Attributes:
        codes: int64 [1, K, T].
        candidate: which one it is, 0 .. candidates - 1.
        score: what the judge gave it; None where there was nothing to choose.
    """

    codes: torch.Tensor
    candidate: int
    score: float | None


def candidate_rngs(seed: int, num_candidates: int, *, first: int = 0) -> list[torch.Generator]:
    """Return a source of randomness for each candidate of a variation.

    Number 0 is seeded with the seed itself, so that a variation of one candidate is what it was before there were
    several. The others are hashed from it: the next seed belongs to the next variation.

    Args:
        seed: of the variation.
        num_candidates: how many.
        first: number of the first of them.
    """
    numbers = range(first, first + num_candidates)
    seeds = [int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) if number else seed for number in numbers]
    return [torch.Generator().manual_seed(each) for each in seeds]


def draft_candidates(
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
    """Generate the hidden codes once per generator, all in one batch.

    Args:
        model: in evaluation mode.
        context: float [1, F, T] features or int64 [1, K, T] codes.
        known: int64 [1, K, T], the mask token where to generate; everything else stays.
        conditions: per field int64 [1], or float [1, values + 1].
        rules: the levels to generate, coarse to fine.
        settings: how.
        rngs: one per candidate.
        progress: for reports and cancelling; a step of all candidates is one step.

    Returns:
        int64 [candidates, K, T].

    Raises:
        GenerationCancelledError: if the caller asked to stop.
    """
    count = len(rngs)
    return decode_codes(
        model,
        context.repeat(count, 1, 1),
        known.repeat(count, 1, 1),
        {name: values.repeat_interleave(count, 0) for name, values in conditions.items()},
        rules=rules,
        settings=settings,
        rngs=rngs,
        progress=progress,
    )


def choose_best(
    judge: StemJudge,
    context: torch.Tensor,
    drafts: torch.Tensor,
    conditions: Mapping[str, torch.Tensor],
    *,
    rules: Sequence[LevelRule],
    progress: DecodingProgress,
) -> ChosenCodes:
    """Return the draft with the highest score; the first of equals, and never one that rests throughout.

    Args:
        judge: asked only where there is something to choose.
        context: float [1, F, T] features or int64 [1, K, T] codes.
        drafts: int64 [candidates, K, T], without mask tokens.
        conditions: per field int64 [1], or float [1, values + 1].
        rules: the levels that the stem uses, coarse to fine.
        progress: for cancelling.

    Raises:
        GenerationCancelledError: if the caller asked to stop.
    """
    if len(drafts) == 1:
        return ChosenCodes(drafts, 0, None)
    scores = []
    for draft in drafts.split(1):
        progress.check()
        is_heard = sounding_share(draft, rules, frame_rate_hz=1) > 0
        scores.append(judge.score(context, draft, conditions, rules=rules) if is_heard else -np.inf)
    best = int(np.argmax(scores))  # the first of equals
    return ChosenCodes(drafts[best : best + 1], best, max(scores) if max(scores) > -np.inf else 0.0)
