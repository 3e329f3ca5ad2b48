"""Of several candidates the one that listens best is kept, and the seed alone decides what the candidates are."""

from dataclasses import replace

import pytest
import torch

from stemgen_core.codec.protocol import LevelRule
from stemgen_core.errors import GenerationCancelledError, InvalidRequestError
from stemgen_core.sampling.candidates import ChosenCodes, candidate_rngs, choose_best, draft_candidates
from stemgen_core.sampling.decode import DecodingProgress, decode_codes
from stemgen_core.sampling.judge import ModelJudge, StemJudge
from stemgen_core.sampling.listening_score import listening_score
from stemgen_core.sampling.settings import MAX_CANDIDATES, SamplingSettings
from tests.core.tiny_models import MASK, TableJudge, random_features, seeded, toy_model

RULES = (LevelRule(0), LevelRule(2))
SETTINGS = SamplingSettings(num_steps=(3, 2), context_guidance_scale=2.0)
CONDITIONS = {"instrument": torch.tensor([1])}


def hidden(num_frames: int = 12) -> torch.Tensor:
    codes = torch.zeros(1, 3, num_frames, dtype=torch.int64)
    codes[:, [0, 2]] = MASK
    return codes


def best_of(num_candidates: int, seed: int = 0, judge: StemJudge | None = None) -> ChosenCodes:
    model, context, progress = toy_model(seed), random_features(seed, 1), DecodingProgress(5)
    drafts = draft_candidates(
        model, context, hidden(), CONDITIONS,
        rules=RULES, settings=SETTINGS, rngs=candidate_rngs(seed, num_candidates), progress=progress,
    )  # fmt: skip
    return choose(judge or ModelJudge(model, 12), drafts, context, progress)


def choose(
    judge: StemJudge,
    drafts: torch.Tensor,
    context: torch.Tensor | None = None,
    progress: DecodingProgress | None = None,
) -> ChosenCodes:
    heard = random_features(0, 1) if context is None else context
    return choose_best(judge, heard, drafts, CONDITIONS, rules=RULES, progress=progress or DecodingProgress(5))


def alone(seed: int, rng: torch.Generator) -> torch.Tensor:
    progress = DecodingProgress(5)
    return decode_codes(
        toy_model(seed), random_features(seed, 1), hidden(), CONDITIONS,
        rules=RULES, settings=SETTINGS, rngs=[rng], progress=progress,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_the_candidate_with_the_highest_score_is_kept(seed: int) -> None:
    drafts = [alone(seed, rng) for rng in candidate_rngs(seed, 4)]
    scores = [
        listening_score(
            toy_model(seed), random_features(seed, 1), draft, CONDITIONS, rules=RULES, window_frames=12
        )
        for draft in drafts
    ]  # fmt: skip

    chosen = best_of(4, seed)

    assert chosen.candidate == scores.index(max(scores))
    assert torch.equal(chosen.codes, drafts[chosen.candidate])
    assert chosen.score == pytest.approx(max(scores), abs=1e-5)


def test_it_is_not_always_the_same_candidate() -> None:
    assert len({best_of(4, seed).candidate for seed in range(12)}) > 1


@pytest.mark.parametrize("seed", range(5))
def test_a_single_candidate_is_what_the_seed_alone_gives(seed: int) -> None:
    chosen = best_of(1, seed)

    assert torch.equal(chosen.codes, alone(seed, seeded(seed)))
    assert (chosen.candidate, chosen.score) == (0, None)


def test_more_candidates_begin_with_the_same_ones() -> None:
    few, many = (
        [torch.rand(3, generator=rng).tolist() for rng in candidate_rngs(7, count)] for count in (2, MAX_CANDIDATES)
    )

    assert many[:2] == few


def test_no_candidate_of_a_seed_is_one_of_the_next_seeds() -> None:
    draws = [
        tuple(torch.rand(3, generator=rng).tolist()) for seed in range(40) for rng in candidate_rngs(seed, 4)
    ]  # fmt: skip

    assert len(set(draws)) == len(draws)


def one_note_each(*codes: int) -> torch.Tensor:
    drafts = torch.zeros(len(codes), 3, 12, dtype=torch.int64)
    drafts[:, 0, 4] = torch.tensor(codes)
    return drafts


def test_a_stem_that_never_plays_is_never_preferred() -> None:
    judge = TableJudge({0: 9.0, 3: -0.5, 2: -0.25})

    chosen = choose(judge, one_note_each(0, 3, 2, 0))

    assert (chosen.candidate, chosen.score) == (2, -0.25)


def test_of_two_equally_good_candidates_the_first_is_kept() -> None:
    assert choose(TableJudge({3: 0.5, 2: 0.5, 1: 0.25}), one_note_each(1, 3, 2)).candidate == 1


def test_where_none_plays_the_first_is_kept_and_scores_nothing() -> None:
    chosen = choose(TableJudge({0: 9.0}), one_note_each(0, 0, 0))

    assert (chosen.candidate, chosen.score) == (0, 0.0)


@pytest.mark.parametrize("best", range(4))
def test_the_judge_alone_decides_which_draft_goes_on(best: int) -> None:
    judge = TableJudge({code: float(code == best + 1) for code in range(1, 5)})

    chosen = choose(judge, one_note_each(1, 2, 3, 4))

    assert (chosen.candidate, chosen.score) == (best, 1.0)
    assert chosen.codes[0, 0, 4] == best + 1


def test_nobody_is_asked_where_there_is_nothing_to_choose() -> None:
    judge = TableJudge({})

    chosen = choose(judge, one_note_each(3))

    assert (chosen.candidate, chosen.score, judge.num_asked) == (0, None, 0)


def test_a_request_to_stop_is_obeyed_between_two_scores() -> None:
    answers = [False, True]
    judge = TableJudge({1: 0.0, 2: 0.0, 3: 0.0})

    with pytest.raises(GenerationCancelledError):
        choose(judge, one_note_each(1, 2, 3), progress=DecodingProgress(5, None, lambda: answers.pop(0)))
    assert answers == []
    assert judge.num_asked == 1


@pytest.mark.parametrize("count", [0, -1, MAX_CANDIDATES + 1])
def test_a_number_of_candidates_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(InvalidRequestError, match=f"Candidates must be 1 to {MAX_CANDIDATES}, got {count}"):
        replace(SETTINGS, num_candidates=count)
