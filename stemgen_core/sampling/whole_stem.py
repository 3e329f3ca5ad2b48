"""The codes of a whole stem, of any length: window by window, and anew where they would hardly sound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from stemgen_core.codec.protocol import LevelRule
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.sampling.candidates import candidate_rngs, choose_best, draft_candidates
from stemgen_core.sampling.decode import DecodingProgress
from stemgen_core.sampling.drafts import draft_until_it_sounds
from stemgen_core.sampling.judge import StemJudge
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.sampling.windows import plan_windows


@dataclass(frozen=True, slots=True)
class WholeStem:
    """What the codes of a stem follow from, beside settings and seed.

    Attributes:
        heard: float [1, F, T] features or int64 [1, K, T] codes of the context, of any length.
        known: int64 [1, K, T], the mask token where to generate; everything else stays.
        conditions: per field int64 [1], or float [1, values + 1].
        rules: the levels to generate, coarse to fine.
    """

    heard: torch.Tensor
    known: torch.Tensor
    conditions: Mapping[str, torch.Tensor]
    rules: Sequence[LevelRule]


@dataclass(frozen=True, slots=True)
class StemWriter:
    """Writes codes with a model, and lets a judge choose among candidates.

    Attributes:
        model: in evaluation mode.
        judge: asked where there are several candidates.
        window_frames: T that the model was trained on.
    """

    model: StemTransformer
    judge: StemJudge
    window_frames: int

    def write(
        self,
        stem: WholeStem,
        settings: SamplingSettings,
        seed: int,
        progress: DecodingProgress,
        *,
        first_candidate: int = 0,
    ) -> tuple[torch.Tensor, tuple[int, ...]]:
        """Write every window that has something hidden, each continuing the best candidate of the last.

        Args:
            stem: what to write.
            settings: how.
            seed: of the variation.
            progress: its number of steps grows by those of this draft.
            first_candidate: number of the first candidate.

        Returns:
            int64 [1, K, T], and which candidate was kept of each window.

        Raises:
            GenerationCancelledError: if the caller asked to stop.
        """
        codes, rules = stem.known.clone(), stem.rules
        hidden = (codes == self.model.config.spec.mask_token_id).any(1)[0]  # [T]
        spans = plan_windows(codes.shape[2], self.window_frames)
        windows = [slice(start, end) for start, end in spans if hidden[start:end].any()]
        progress.num_steps += len(windows) * sum(settings.steps_at(index) for index in range(len(rules)))
        rngs = candidate_rngs(seed, settings.num_candidates, first=first_candidate)
        chosen = []
        for window in windows:
            heard = stem.heard[..., window]
            drafts = draft_candidates(
                self.model,
                heard,
                codes[..., window],
                stem.conditions,
                rules=rules,
                settings=settings,
                rngs=rngs,
                progress=progress,
            )
            best = choose_best(self.judge, heard, drafts, stem.conditions, rules=rules, progress=progress)
            codes[..., window] = best.codes
            chosen.append(first_candidate + best.candidate)
        return codes, tuple(chosen)

    def write_sounding(
        self, stem: WholeStem, settings: SamplingSettings, seed: int, progress: DecodingProgress
    ) -> tuple[torch.Tensor, tuple[int, ...]]:
        """Write a stem, and anew if it hardly plays; see `write` and `draft_until_it_sounds`."""

        def draft(changed: SamplingSettings, first: int) -> tuple[torch.Tensor, tuple[int, ...]]:
            return self.write(stem, changed, seed, progress, first_candidate=first)

        frame_rate_hz = self.model.config.spec.frame_rate_hz
        return draft_until_it_sounds(draft, settings, stem.rules, frame_rate_hz=frame_rate_hz)
