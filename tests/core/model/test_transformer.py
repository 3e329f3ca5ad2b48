"""Shapes, what may influence what, and numbers that must not drift."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stemgen_core.codec.context_features import NUM_FEATURES as NUM_BANDS
from stemgen_core.codec.score_tokens import SCORE_SPEC
from stemgen_core.conditioning import ConditionField
from stemgen_core.model.config import SIZES, ModelConfig, build_config
from stemgen_core.model.embedding import TokenTables
from stemgen_core.model.transformer import StemTransformer, rotary_table, rotate
from stemgen_core.types import CodecSpec
from tests.core.tiny_models import (
    INSTRUMENT,
    MASK,
    TOY_SPEC,
    random_codes,
    random_features,
    seeded,
    toy_config,
    toy_model,
)

ENCODEC = CodecSpec("encodec", 32_000, 640, 4, 2048)
FIELDS = (ConditionField("instrument", 18),)
GOLDEN = Path(__file__).parents[2] / "golden" / "toy_transformer.json"
EVERYTHING = torch.tensor([True, True])


def score_config(size: str) -> ModelConfig:
    return build_config(SIZES[size], SCORE_SPEC, fields=FIELDS, context_codec="bands", num_context_features=NUM_BANDS)


def audio_config(size: str) -> ModelConfig:
    return build_config(SIZES[size], ENCODEC, fields=FIELDS, context_codec="encodec", num_context_features=None)


@torch.no_grad()
def run(
    model: StemTransformer,
    context: torch.Tensor,
    codes: torch.Tensor,
    instrument: tuple[int, ...] = (0, 1),
    has_context: torch.Tensor = EVERYTHING,
) -> torch.Tensor:
    return model(context, codes, {"instrument": torch.tensor(instrument)}, has_context)


@pytest.mark.parametrize("size", sorted(SIZES))
@pytest.mark.parametrize("build", [score_config, audio_config], ids=["score", "audio"])
def test_every_size_gives_a_vector_per_frame_and_scores_per_code(build: object, size: str) -> None:
    config = score_config(size) if build is score_config else audio_config(size)
    spec = config.spec
    with torch.device("meta"):  # shapes alone: no memory, no arithmetic
        model = StemTransformer(config)
        codes = torch.zeros(2, spec.num_codebooks, 30, dtype=torch.int64)
        context = codes if config.num_context_features is None else torch.zeros(2, config.num_context_features, 30)
        conditions, has_context = {"instrument": torch.zeros(2, dtype=torch.int64)}, torch.ones(2, dtype=torch.bool)

        hidden = model(context, codes, conditions, has_context)

    assert hidden.shape == (2, 30, SIZES[size].dim)
    for level in range(spec.num_codebooks):
        assert model.logits(hidden, level).shape == (2, 30, spec.codebook_size)


def test_the_papers_size_has_about_250_million_parameters() -> None:
    with torch.device("meta"):
        model = StemTransformer(audio_config("paper"))

    count = sum(parameter.numel() for parameter in model.parameters())

    assert 0.85 * 250e6 < count < 1.15 * 250e6
    assert (model.config.dim, model.config.num_heads, model.config.num_layers) == (1024, 16, 20)


def test_the_instrument_table_has_a_row_per_category_and_one_for_not_given() -> None:
    model = StemTransformer(score_config("tiny"))

    assert model.embedding.conditions["instrument"].weight.shape[0] == 18 + 1  # pyright: ignore


@pytest.mark.parametrize("seed", range(10))
def test_a_late_change_of_the_context_alters_early_frames(seed: int) -> None:
    model, codes, context = toy_model(seed), random_codes(seed), random_features(seed)
    changed = context.clone()
    changed[:, :, -1] += 1

    difference = (run(model, context, codes) - run(model, changed, codes)).abs().amax(-1)  # [B, T]

    assert (difference > 1e-6).all()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("frame", [0, 11])
def test_a_change_of_one_code_alters_every_frame(frame: int, seed: int) -> None:
    model, codes, context = toy_model(seed), random_codes(seed), random_features(seed)
    for level in range(3):
        changed = codes.clone()
        changed[:, level, frame] = (changed[:, level, frame] + 1) % 8

        difference = (run(model, context, codes) - run(model, context, changed)).abs().amax(-1)

        assert (difference > 1e-7).all()


@pytest.mark.parametrize("seed", range(10))
def test_without_context_nothing_of_it_is_heard(seed: int) -> None:
    model, codes = toy_model(seed), random_codes(seed)
    deaf_first = torch.tensor([False, True])

    one = run(model, random_features(1), codes, has_context=deaf_first)
    two = run(model, random_features(2), codes, has_context=deaf_first)

    assert torch.equal(one[0], two[0])
    assert not torch.allclose(one[1], two[1], atol=1e-3)


@pytest.mark.parametrize("seed", range(10))
def test_the_instrument_and_its_absence_are_told_apart(seed: int) -> None:
    model, codes, context = toy_model(seed), random_codes(seed, 1), random_features(seed, 1)

    outputs = [run(model, context, codes, (value,), EVERYTHING[:1]) for value in range(INSTRUMENT.num_values + 1)]

    for index, output in enumerate(outputs):
        assert not any(torch.allclose(output, other, atol=1e-3) for other in outputs[:index])


@pytest.mark.parametrize("seed", range(10))
def test_a_batch_equals_its_items_alone(seed: int) -> None:
    model, codes, context = toy_model(seed), random_codes(seed), random_features(seed)

    together = run(model, context, codes)

    for item in range(2):
        alone = run(model, context[item : item + 1], codes[item : item + 1], (item,), EVERYTHING[:1])
        torch.testing.assert_close(together[item], alone[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("seed", range(10))
def test_context_and_target_share_tables_where_they_share_tokens(seed: int) -> None:
    model = toy_model(seed, toy_config(num_features=None))
    first, second = random_codes(seed), random_codes(seed + 50)

    embedded = model.embedding(first, second, {"instrument": torch.tensor([0, 1])}, EVERYTHING)
    exchanged = model.embedding(second, first, {"instrument": torch.tensor([0, 1])}, EVERYTHING)

    assert torch.equal(embedded[..., :8], exchanged[..., 8:])
    assert torch.equal(embedded[..., 8:], exchanged[..., :8])


@pytest.mark.parametrize("seed", range(10))
def test_the_embedding_is_the_sum_written_out(seed: int) -> None:
    model, codes, context = toy_model(seed), random_codes(seed), random_features(seed)
    embedding = model.embedding
    assert embedding.features is not None

    embedded = embedding(context, codes, {"instrument": torch.tensor([3, 4])}, torch.tensor([True, False]))

    for item, row in ((0, 3), (1, 4)):
        condition = embedding.conditions["instrument"].weight[row]  # pyright: ignore
        for t in range(12):
            target = sum(embedding.tokens.tables[k].weight[codes[item, k, t]] for k in range(3))  # pyright: ignore
            heard = embedding.features(context[item, :, t]) if item == 0 else embedding.no_context
            expected = torch.cat([heard + condition, target + condition])
            torch.testing.assert_close(embedded[item, t], expected, atol=1e-5, rtol=1e-5)


def test_the_mask_token_has_a_row_of_its_own() -> None:
    tables = TokenTables(TOY_SPEC, 4)

    assert all(table.weight.shape[0] == TOY_SPEC.codebook_size + 1 for table in tables.tables)  # pyright: ignore
    assert tables(torch.full((1, 3, 2), MASK)).shape == (1, 2, 4)


@pytest.mark.parametrize("seed", range(10))
def test_attention_sees_only_how_far_frames_are_apart(seed: int) -> None:
    query, key = torch.randn(2, 1, 1, 1, 16, generator=seeded(seed))
    table = rotary_table(40, 16, torch.device("cpu"))

    def product(query_frame: int, key_frame: int) -> float:
        turned = (
            rotate(query, table[:, query_frame : query_frame + 1]),
            rotate(key, table[:, key_frame : key_frame + 1]),
        )
        return float((turned[0] * turned[1]).sum())

    for distance in (-7, 0, 3):
        near, far = product(10, 10 + distance), product(30, 30 + distance)
        assert near == pytest.approx(far, abs=1e-4)
    assert product(10, 10) != pytest.approx(product(10, 15), abs=1e-3)


@pytest.mark.parametrize("seed", range(10))
def test_rotation_keeps_lengths_and_leaves_the_first_frame(seed: int) -> None:
    heads = torch.randn(2, 2, 25, 8, generator=seeded(seed))

    turned = rotate(heads, rotary_table(25, 8, torch.device("cpu")))

    torch.testing.assert_close(turned.norm(dim=-1), heads.norm(dim=-1))
    assert torch.equal(turned[:, :, 0], heads[:, :, 0])


def test_dropout_works_in_training_only() -> None:
    model = toy_model(0, toy_config(dropout=0.5))
    codes, context = random_codes(0), random_features(0)

    quiet = [run(model, context, codes) for _ in range(2)]
    model.train()
    with torch.random.fork_rng():
        noisy = [run(model, context, codes) for _ in range(2)]

    assert torch.equal(*quiet)
    assert not torch.equal(*noisy)


def test_a_context_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="context has 11 frames, target 12"):
        run(toy_model(), random_features(0, 2, 11), random_codes(0))


def test_codes_of_another_layout_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 3 codebooks, got 2"):
        run(toy_model(), random_features(0), random_codes(0)[:, :2])


def test_a_width_that_does_not_split_is_refused() -> None:
    with pytest.raises(ValueError, match="dim 20 must be a multiple of twice num_heads 3"):
        replace(toy_config(), dim=20, num_heads=3)


@pytest.mark.parametrize("size", sorted(SIZES))
def test_the_feed_forward_width_is_eight_thirds_in_steps_of_64(size: str) -> None:
    width = SIZES[size].feed_forward_dim

    assert width % 64 == 0
    assert 0 <= width - 8 * SIZES[size].dim / 3 < 64


def test_depth_does_not_change_the_size_of_the_output_at_the_start() -> None:
    sizes = []
    for num_layers in (1, 12):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = StemTransformer(replace(toy_config(), num_layers=num_layers))
        hidden = model.embedding(random_features(0), random_codes(0), {"instrument": torch.tensor([0, 1])}, EVERYTHING)
        rotation = rotary_table(12, 8, torch.device("cpu"))
        for block in model.blocks:
            hidden = block(hidden, rotation)
        sizes.append(float(hidden.detach().std()))

    assert sizes[1] == pytest.approx(sizes[0], rel=0.3)


def test_a_seeded_toy_model_gives_the_stored_numbers() -> None:
    golden = json.loads(GOLDEN.read_text())
    codes = random_codes(7).masked_fill(torch.rand(2, 3, 12, generator=seeded(8)) < 0.5, MASK)
    for name, config in (("features", toy_config()), ("codes", toy_config(num_features=None))):
        model = toy_model(3, config)
        context = random_features(5) if name == "features" else random_codes(5)

        hidden = run(model, context, codes, (2, INSTRUMENT.absent_id), torch.tensor([True, False]))

        torch.testing.assert_close(hidden[:, ::4, ::3], torch.tensor(golden[name]["hidden"]), atol=2e-4, rtol=1e-3)
        scores = torch.stack([model.logits(hidden[:, 5], level) for level in range(3)])
        torch.testing.assert_close(scores, torch.tensor(golden[name]["logits"]), atol=2e-4, rtol=1e-3)
