"""The model's judgement of a stem, against a slow loop."""

import pytest
import torch

from stemgen_core.codec.protocol import LevelRule
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.sampling.listening_score import HIDDEN_SHARES, listening_score
from tests.core.tiny_models import MASK, random_codes, random_features, toy_model

RULES = (LevelRule(0), LevelRule(2))
CONDITIONS = {"instrument": torch.tensor([1])}


def score(
    codes: torch.Tensor, features: torch.Tensor, model: StemTransformer | None = None, window_frames: int = 99
) -> float:
    return listening_score(model or toy_model(), features, codes, CONDITIONS, rules=RULES, window_frames=window_frames)


def log_probability(
    model: StemTransformer, seen: torch.Tensor, features: torch.Tensor, level: int, hears: bool
) -> torch.Tensor:
    hidden = model(features, seen, CONDITIONS, torch.tensor([hears]))
    return model.logits(hidden, level).log_softmax(-1)[0]  # [T, V]


@pytest.mark.parametrize("seed", range(8))
def test_it_is_the_mean_gain_over_the_hidden_codes_that_play(seed: int) -> None:
    model, codes, features = toy_model(seed), random_codes(seed, 1), random_features(seed, 1)

    result = score(codes, features, model)

    gains = []
    for rule in RULES:
        rng = torch.Generator().manual_seed(12)
        for share in HIDDEN_SHARES:
            hidden_frames = torch.rand(12, generator=rng).argsort() < max(1, round(share * 12))
            seen = codes.clone()
            seen[:, rule.level + 1 :] = MASK
            seen[0, rule.level, hidden_frames] = MASK
            with torch.inference_mode():
                heard, unheard = (log_probability(model, seen, features, rule.level, hears) for hears in (True, False))
            for frame in hidden_frames.nonzero()[:, 0].tolist():
                code = int(codes[0, rule.level, frame])
                if code != 0:
                    gains.append(float(heard[frame, code] - unheard[frame, code]))
    assert result == pytest.approx(sum(gains) / len(gains), abs=1e-5)


def test_a_long_stem_is_scored_window_by_window() -> None:
    codes, features = random_codes(3, 1, 30), random_features(3, 1, 30)

    whole = score(codes, features, window_frames=12)

    parts = [slice(0, 12), slice(12, 24), slice(24, 30)]
    each = [score(codes[..., part], features[..., part]) for part in parts]
    counts = [
        sum(
            int(
                (
                    codes[0, rule.level, part][torch.rand(n, generator=rng).argsort() < max(1, round(share * n))] != 0
                ).sum()
            )
            for rule in RULES
            for rng in [torch.Generator().manual_seed(n)]
            for share in HIDDEN_SHARES
        )
        for part, n in zip(parts, (12, 12, 6), strict=True)
    ]
    assert whole == pytest.approx(sum(s * c for s, c in zip(each, counts, strict=True)) / sum(counts), abs=1e-5)


def test_a_model_that_is_deaf_finds_nothing_gained() -> None:
    model = toy_model()
    features = torch.zeros_like(random_features(0, 1))
    assert model.embedding.features is not None
    with torch.no_grad():
        for parameter in model.embedding.features.parameters():
            parameter.zero_()
        model.embedding.no_context.zero_()

    assert score(random_codes(0, 1), features, model) == pytest.approx(0.0, abs=1e-6)


def test_a_stem_that_never_plays_has_no_score() -> None:
    assert score(torch.zeros(1, 3, 12, dtype=torch.int64), random_features(0, 1)) == 0.0
