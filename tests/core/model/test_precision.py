"""Blocks that multiply in bfloat16: the same model, a little rounded."""

from pathlib import Path

import pytest
import torch
from torch import nn

from stemgen_core import generator as door
from stemgen_core.generator import StemGenerator
from stemgen_core.model.precision import HalfLinear, gains_by_bfloat16, halve_blocks
from tests.core.tiny_models import random_codes, random_features, toy_model, write_score_bundle

CONDITIONS = {"instrument": torch.tensor([1, 2])}


def logits(model: nn.Module, seed: int) -> torch.Tensor:
    with torch.inference_mode():
        hidden = model(random_features(seed), random_codes(seed), CONDITIONS, torch.tensor([True, False]))
        return model.logits(hidden, 0)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("seed", range(6))
def test_halved_blocks_say_nearly_the_same_in_single_precision(seed: int) -> None:
    whole, halved = toy_model(seed), toy_model(seed)
    halve_blocks(halved)

    before, after = logits(whole, seed), logits(halved, seed)

    assert after.dtype == torch.float32
    assert not torch.equal(before, after)
    assert float((before - after).abs().max()) < 0.06 * float(before.abs().max())


def test_every_linear_layer_of_every_block_is_halved_and_no_other() -> None:
    model = toy_model()
    halve_blocks(model)

    inside = [type(module) for module in model.blocks.modules() if isinstance(module, nn.Linear | HalfLinear)]
    assert inside == [HalfLinear] * 4 * len(model.blocks)
    assert all(isinstance(head, nn.Linear) for head in model.heads)


def test_a_bias_is_added() -> None:
    linear = nn.Linear(4, 3)
    inputs = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))

    torch.testing.assert_close(HalfLinear(linear)(inputs).float(), linear(inputs), atol=0.05, rtol=0.05)


@pytest.mark.parametrize("has_it", [True, False])
def test_a_loaded_model_is_halved_only_where_the_processor_gains(
    has_it: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_score_bundle(tmp_path)
    monkeypatch.setattr(door, "gains_by_bfloat16", lambda: has_it)

    model = StemGenerator.load(tmp_path).bundle.model

    assert any(isinstance(module, HalfLinear) for module in model.modules()) == has_it


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({}, False),
        ({"avx512_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"avx512_bf16": True, "cpu_name": "AMD EPYC"}, True),
        ({"avx512_bf16": True, "cpu_name": "Intel Xeon"}, False),
        ({"avx512_bf16": True, "cpu_name": "Intel Xeon", "amx_bf16": True}, True),
    ],
)
def test_a_processor_gains_by_bfloat16_where_it_multiplies_it_faster(
    capabilities: dict[str, bool | str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)

    assert gains_by_bfloat16() is expected
