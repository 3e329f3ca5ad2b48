"""Decoding against a slow loop, and what must hold for every decoding."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from stemgen_core.codec.protocol import LevelRule
from stemgen_core.errors import GenerationCancelledError
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.sampling.decode import DecodingProgress, decode_codes
from stemgen_core.sampling.schedule import frames_to_keep
from stemgen_core.sampling.settings import SamplingSettings
from tests.core.tiny_models import INSTRUMENT, MASK, TOY_SPEC, random_codes, random_features, seeded, toy_model

SEEDS = range(10)
RULES = (LevelRule(0), LevelRule(1), LevelRule(2))
PLAIN = SamplingSettings(num_steps=(5, 3, 2))
GUIDED = replace(PLAIN, context_guidance_scale=2.5, instrument_guidance_scale=1.5, num_guided_levels=2)
PAPER_FORM = replace(GUIDED, has_joint_guidance=False, num_guided_levels=3)


def count_passes(model: StemTransformer) -> list[int]:
    """Return a list that grows by the number of items of each pass."""
    batch_sizes: list[int] = []
    model.register_forward_hook(lambda _module, inputs, _output: batch_sizes.append(len(inputs[0])))
    return batch_sizes


def hidden(num_items: int, num_frames: int = 12) -> torch.Tensor:
    return torch.full((num_items, 3, num_frames), MASK)


def partly_known(seed: int, num_items: int) -> torch.Tensor:
    codes = random_codes(seed, num_items)
    return codes.masked_fill(torch.rand(codes.shape, generator=seeded(seed + 99)) < 0.6, MASK)


def decode(
    known: torch.Tensor,
    seeds: Sequence[int],
    settings: SamplingSettings = PLAIN,
    *,
    rules: Sequence[LevelRule] = RULES,
    model: StemTransformer | None = None,
    features: torch.Tensor | None = None,
    report: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> torch.Tensor:
    if features is None:
        features = torch.cat([random_features(seed, 1, known.shape[2]) for seed in seeds])
    num_steps = sum(settings.steps_at(index) for index in range(len(rules)))
    return decode_codes(
        model or toy_model(),
        features,
        known,
        {"instrument": torch.tensor(seeds) % 4},
        rules=rules,
        settings=settings,
        rngs=[seeded(seed) for seed in seeds],
        progress=DecodingProgress(num_steps, report, should_stop),
    )


@torch.no_grad()
def log_p(
    model: StemTransformer, features: torch.Tensor, codes: torch.Tensor, level: int, *, instrument: int, hears: bool
) -> torch.Tensor:
    """One plain pass for one item, finer levels hidden as in training: log-probabilities, [T, V]."""
    seen = codes.clone()
    seen[level + 1 :] = MASK
    output = model(features[None], seen[None], {"instrument": torch.tensor([instrument])}, torch.tensor([hears]))
    return model.logits(output, level)[0].log_softmax(-1)


def slow_scores(
    model: StemTransformer,
    features: torch.Tensor,
    codes: torch.Tensor,
    level: int,
    instrument: int,
    settings: SamplingSettings,
) -> torch.Tensor:
    absent = INSTRUMENT.absent_id
    everything = log_p(model, features, codes, level, instrument=instrument, hears=True)
    if level >= settings.num_guided_levels:
        return slow_nucleus(everything, everything, settings.top_p)
    only_context = log_p(model, features, codes, level, instrument=absent, hears=True)
    only_instrument = log_p(model, features, codes, level, instrument=instrument, hears=False)
    nothing = log_p(model, features, codes, level, instrument=absent, hears=False)
    context_scale, instrument_scale = settings.context_guidance_scale, settings.instrument_guidance_scale
    if settings.has_joint_guidance:
        away_from_deaf = (context_scale - 1) * (everything - only_instrument)
        guided = everything + away_from_deaf + (instrument_scale - 1) * (everything - only_context)
        return slow_nucleus(guided, everything, settings.top_p)
    rest = 1 - context_scale - instrument_scale
    guided = context_scale * only_context + instrument_scale * only_instrument + rest * nothing
    return slow_nucleus(guided, guided, settings.top_p)


def slow_nucleus(scores: torch.Tensor, reference: torch.Tensor, top_p: float) -> torch.Tensor:
    kept = torch.full_like(scores, -torch.inf)
    for frame, likely in enumerate(reference.softmax(-1).tolist()):
        reached = 0.0
        for code in sorted(range(len(likely)), key=lambda code: -likely[code]):
            if top_p < 1 and reached >= top_p:
                break
            kept[frame, code] = scores[frame, code]
            reached += likely[code]
    return kept


def slow_kinds(
    guided: torch.Tensor, plain: torch.Tensor, kinds: Sequence[int], settings: SamplingSettings
) -> torch.Tensor:
    """Scale whole kinds until their expected numbers are the wanted ones, then cut each kind down to its nucleus."""

    def expected(scores: torch.Tensor) -> list[float]:
        rows = scores.softmax(-1).tolist()
        return [sum(row[code] for row in rows for code in range(len(kinds)) if kinds[code] == k) for k in range(3)]

    guided, share = guided.double(), settings.density_guidance_share
    wanted = [g**share * p ** (1 - share) for g, p in zip(expected(guided), expected(plain.double()), strict=True)]
    wanted = [each * len(guided) / sum(wanted) for each in wanted]
    factors = [1.0, 1.0, 1.0]
    scaled = guided
    for _ in range(300):
        found = expected(scaled)
        factors = [f * w / e for f, w, e in zip(factors, wanted, found, strict=True)]
        scaled = guided + torch.tensor([math.log(factors[kind]) for kind in kinds], dtype=torch.float64)
    probabilities = scaled.softmax(-1)
    kept = torch.zeros_like(probabilities)
    for kind in range(3):
        codes = [code for code in range(len(kinds)) if kinds[code] == kind]
        inside = slow_nucleus(probabilities[:, codes].log(), plain[:, codes].double(), settings.top_p).exp()
        total = probabilities[:, codes].sum(-1, keepdim=True)
        kept[:, codes] = inside / inside.sum(-1, keepdim=True) * total
    return kept.log().float()


def slow_decode(
    model: StemTransformer,
    features: torch.Tensor,
    known: torch.Tensor,
    seed: int,
    settings: SamplingSettings,
    kinds: Sequence[int] | None = None,
) -> torch.Tensor:
    """Decode one item frame by frame, in plain Python."""
    rng, codes, num_frames = seeded(seed), known.clone(), known.shape[1]
    for level in range(3):
        for count in frames_to_keep(int((codes[level] == MASK).sum()), settings.steps_at(level)):
            scores = slow_scores(model, features, codes, level, seed % 4, settings)
            if kinds is not None:
                is_hidden = codes[level] == MASK  # only these have numbers to keep
                every_code = replace(settings, top_p=1.0)
                guided = slow_scores(model, features, codes, level, seed % 4, every_code)[is_hidden]
                plain = log_p(model, features, codes, level, instrument=seed % 4, hears=True)[is_hidden]
                scores[is_hidden] = slow_kinds(guided, plain, kinds, settings)
            for_code, for_rank = torch.rand(2, num_frames, generator=rng).tolist()
            ranked = []
            for n in range(num_frames):
                if codes[level, n] != MASK:
                    continue
                tempered = (scores[n].double() / settings.temperature).softmax(-1).tolist()
                total, code = 0.0, 0
                while (total := total + tempered[code]) <= for_code[n]:
                    code += 1
                confidence = float(scores[n].double().softmax(-1)[code])
                rho = (
                    settings.confidence_weight * confidence
                    + settings.causal_bias * (1 - n / num_frames)
                    + settings.noise_weight * for_rank[n]
                )
                ranked.append((rho, n, code))
            for _, n, code in sorted(ranked, reverse=True)[:count]:
                codes[level, n] = code
    return codes


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "settings",
    [
        PLAIN,
        GUIDED,
        PAPER_FORM,
        replace(GUIDED, temperature=0.3, noise_weight=0.1, confidence_weight=1.0),
        replace(PLAIN, temperature=1.7, confidence_weight=2.0, causal_bias=0.0, noise_weight=0.0),
        replace(PLAIN, causal_bias=5.0),
        replace(GUIDED, top_p=0.5),
        replace(PAPER_FORM, top_p=0.7),
        replace(PLAIN, top_p=1.0),
    ],
    ids=[
        "plain",
        "joint guidance",
        "equation 3",
        "cold and sure",
        "hot by confidence",
        "left to right",
        "guided in a nucleus",
        "equation 3 in a nucleus",
        "all codes",
    ],
)
def test_decoding_equals_the_slow_loop(settings: SamplingSettings, seed: int) -> None:
    known, features = partly_known(seed, 1), random_features(seed, 1)

    codes = decode(known, [seed], settings)

    assert torch.equal(codes[0], slow_decode(toy_model(), features[0], known[0], seed, settings))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("top_p", [0.7, 1.0])
def test_codes_that_say_what_they_do_are_decoded_as_the_slow_loop_does(seed: int, share: float, top_p: float) -> None:
    kinds = [number % 3 for number in range(TOY_SPEC.codebook_size)]
    rules = tuple(replace(rule, kinds=torch.tensor(kinds)) for rule in RULES)
    settings = replace(GUIDED, density_guidance_share=share, top_p=top_p)
    known, features = partly_known(seed, 1), random_features(seed, 1)

    codes = decode(known, [seed], settings, rules=rules)

    assert torch.equal(codes[0], slow_decode(toy_model(), features[0], known[0], seed, settings, kinds))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("settings", [PLAIN, GUIDED], ids=["plain", "guided"])
def test_known_codes_stay_and_hidden_ones_are_filled(settings: SamplingSettings, seed: int) -> None:
    known = partly_known(seed, 2)
    before = known.clone()

    codes = decode(known, [seed, seed + 1], settings)

    assert torch.equal(codes[known != MASK], known[known != MASK])
    assert ((codes >= 0) & (codes < TOY_SPEC.codebook_size)).all()
    assert torch.equal(known, before)  # the caller's grid is left alone


@pytest.mark.parametrize("seed", SEEDS)
def test_one_seed_is_one_variation(seed: int) -> None:
    features = random_features(seed, 1, 20)

    first, again = (decode(hidden(1, 20), [seed], features=features) for _ in range(2))
    other = decode(hidden(1, 20), [seed + 4], features=features)  # of the same instrument

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("settings", [PLAIN, GUIDED], ids=["plain", "guided"])
def test_an_item_does_not_depend_on_its_batch(settings: SamplingSettings, seed: int) -> None:
    known = partly_known(seed, 3)
    known[0, :, 2:] = 1  # one item has less to do than the others, and is done in fewer steps
    seeds = [seed, seed + 20, seed + 40]

    together = decode(known, seeds, settings)

    for item, own in enumerate(seeds):
        assert torch.equal(together[item], decode(known[item : item + 1], [own], settings)[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_only_allowed_codes_are_written(seed: int) -> None:
    allowed = torch.tensor([False, True, False, False, True, True, False, False])
    rules = (LevelRule(0, allowed), LevelRule(1), LevelRule(2, ~allowed))

    codes = decode(hidden(2), [seed, seed + 1], GUIDED, rules=rules)

    assert allowed[codes[:, 0]].all()
    assert not allowed[codes[:, 2]].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_levels_without_a_rule_are_left_alone(seed: int) -> None:
    known = hidden(1)
    known[:, 1] = 0

    codes = decode(known, [seed], rules=(LevelRule(0), LevelRule(2)))

    assert (codes[:, 1] == 0).all()
    assert (codes != MASK).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cold_temperature_takes_the_most_likely_code(seed: int) -> None:
    settings = replace(PLAIN, num_steps=(1,), temperature=1e-4)
    model, features = toy_model(), random_features(seed, 1)

    codes = decode(hidden(1), [seed], settings)

    known = hidden(1)[0]
    for level in range(3):
        known[level] = log_p(model, features[0], known, level, instrument=seed % 4, hears=True).argmax(-1)
    assert torch.equal(codes[0], known)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_follows_from_coarser_levels_is_settled_before_it_is_sampled(seed: int) -> None:
    def copy_the_first(codes: torch.Tensor) -> torch.Tensor:
        settled = codes.clone()
        settled[:, 1] = torch.where(settled[:, 0] < 4, settled[:, 0], settled[:, 1])
        return settled

    codes = decode(hidden(2), [seed, seed + 1], rules=(LevelRule(0), LevelRule(1, settle=copy_the_first), LevelRule(2)))

    is_settled = codes[:, 0] < 4
    assert torch.equal(codes[:, 1][is_settled], codes[:, 0][is_settled])


@pytest.mark.parametrize(
    ("settings", "branches"),
    [
        (PLAIN, (1, 1, 1)),
        (GUIDED, (3, 3, 1)),
        (PAPER_FORM, (3, 3, 3)),
        (replace(GUIDED, instrument_guidance_scale=1.0), (2, 2, 1)),
    ],
    ids=["plain", "joint", "paper", "context only"],
)
def test_one_pass_a_step_holds_all_branches(settings: SamplingSettings, branches: tuple[int, ...]) -> None:
    model = toy_model()
    batch_sizes = count_passes(model)

    decode(hidden(2), [0, 1], settings, model=model)

    expected = [2 * each for level, each in enumerate(branches) for _ in range(settings.steps_at(level))]
    assert batch_sizes == expected


@pytest.mark.parametrize("num_frames", [1, 2, 5, 40])
@pytest.mark.parametrize("settings", [PLAIN, replace(PLAIN, num_steps=(9, 9, 9))], ids=["few steps", "many steps"])
def test_progress_rises_to_one(settings: SamplingSettings, num_frames: int) -> None:
    shares: list[float] = []

    decode(hidden(1, num_frames), [0], settings, report=shares.append)

    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert all(later > former for former, later in pairwise(shares))


def test_nothing_hidden_needs_no_pass_and_still_reports_the_end() -> None:
    model, shares, known = toy_model(), [], random_codes(0, 1)
    batch_sizes = count_passes(model)

    codes = decode(known, [0], model=model, report=shares.append)

    assert torch.equal(codes, known)
    assert batch_sizes == []
    assert shares[-1] == 1.0


@pytest.mark.parametrize("num_done", [0, 1, 4, 6, 9])
def test_a_request_to_stop_is_obeyed_before_the_next_step(num_done: int) -> None:
    model, answers = toy_model(), [False] * num_done + [True]
    batch_sizes = count_passes(model)

    with pytest.raises(GenerationCancelledError, match="cancelled"):
        decode(hidden(1), [0], model=model, should_stop=lambda: answers.pop(0))

    assert len(batch_sizes) == num_done
    assert answers == []


def test_no_request_to_stop_lets_it_end() -> None:
    assert (decode(hidden(1), [0], should_stop=lambda: False) != MASK).all()


def test_every_item_needs_its_own_randomness() -> None:
    with pytest.raises(ValueError, match="got 1 generators for 2 items"):
        decode(hidden(2), [0], features=random_features(0, 2))


def test_decoding_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()

    decode(hidden(1), [0])

    assert torch.equal(torch.get_rng_state(), before)


def test_the_causal_bias_fixes_early_frames_first() -> None:
    order: list[int] = []
    model = toy_model()

    def note_what_is_known(_module: object, inputs: tuple[torch.Tensor, ...], _output: object) -> None:
        order.append(int((inputs[1][0, 0] != MASK).sum()))
        known = (inputs[1][0, 0] != MASK).tolist()
        assert known == sorted(known, reverse=True)

    model.register_forward_hook(note_what_is_known)

    decode(hidden(1), [0], replace(PLAIN, num_steps=(12,), causal_bias=10.0, noise_weight=0.0), model=model)

    assert order[:12] == list(range(12))
    assert math.isclose(order[-1], 12)
