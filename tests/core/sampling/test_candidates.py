"""Of several candidates the one that listens best is kept, and the seed alone decides what the candidates are."""

from dataclasses import replace

import pytest
import torch

from stemgen_core.codec.protocol import LevelRule
from stemgen_core.errors import GenerationCancelledError, InvalidRequestError
from stemgen_core.sampling import candidates
from stemgen_core.sampling.candidates import ChosenCodes, candidate_rngs, decode_best
from stemgen_core.sampling.decode import DecodingProgress, decode_codes
from stemgen_core.sampling.listening_score import listening_score
from stemgen_core.sampling.settings import MAX_CANDIDATES, SamplingSettings
from tests.core.tiny_models import MASK, random_features, seeded, toy_model

RULES = (LevelRule(0), LevelRule(2))
SETTINGS = SamplingSettings(num_steps=(3, 2), context_guidance_scale=2.0)
CONDITIONS = {"instrument": torch.tensor([1])}


def hidden(num_frames: int = 12) -> torch.Tensor:
    codes = torch.zeros(1, 3, num_frames, dtype=torch.int64)
    codes[:, [0, 2]] = MASK
    return codes


def best_of(num_candidates: int, seed: int = 0, *, rules: tuple[LevelRule, ...] = RULES) -> ChosenCodes:
    return decode_best(
        toy_model(seed),
        random_features(seed, 1),
        hidden(),
        CONDITIONS,
        rules=rules,
        settings=SETTINGS,
        rngs=candidate_rngs(seed, num_candidates),
        progress=DecodingProgress(5),
    )


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


def test_a_stem_that_never_plays_is_never_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    drafts = torch.zeros(3, 3, 12, dtype=torch.int64)
    drafts[1:, 0, 4] = torch.tensor([3, 2])
    scores = {3: -0.5, 2: -0.25}
    monkeypatch.setattr(candidates, "decode_codes", lambda *_, **__: drafts)
    monkeypatch.setattr(candidates, "listening_score", lambda _m, _c, codes, *_, **__: scores[int(codes[0, 0, 4])])

    chosen = best_of(3)

    assert (chosen.candidate, chosen.score) == (2, -0.25)


def test_where_none_plays_the_first_is_kept_and_scores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        candidates, "decode_codes", lambda *_, **__: torch.zeros(3, 3, 12, dtype=torch.int64)
    )  # fmt: skip

    chosen = best_of(3)

    assert (chosen.candidate, chosen.score) == (0, 0.0)


def test_a_request_to_stop_is_obeyed_between_two_scores() -> None:
    answers = [False] * 6 + [True]  # five steps, one score

    with pytest.raises(GenerationCancelledError):
        decode_best(
            toy_model(), random_features(0, 1), hidden(), CONDITIONS, rules=RULES, settings=SETTINGS,
            rngs=candidate_rngs(0, 3), progress=DecodingProgress(5, None, lambda: answers.pop(0)),
        )  # fmt: skip
    assert answers == []


@pytest.mark.parametrize("count", [0, -1, MAX_CANDIDATES + 1])
def test_a_number_of_candidates_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(InvalidRequestError, match=f"Candidates must be 1 to {MAX_CANDIDATES}, got {count}"):
        replace(SETTINGS, num_candidates=count)
