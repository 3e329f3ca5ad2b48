"""Ranges of the decoding settings, and the presets."""

from dataclasses import replace
from typing import Any

import pytest

from stemgen_core.errors import InvalidRequestError
from stemgen_core.sampling.settings import PRESETS, SamplingSettings, settings_from_preset


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_steps": ()}, "Steps must be 1 to 512 per level"),
        ({"density_guidance_share": -0.1}, "Density guidance share must be 0 to 1, got -0.1"),
        ({"density_guidance_share": 1.5}, "Density guidance share must be 0 to 1, got 1.5"),
        ({"num_steps": (4, 0)}, r"Steps must be 1 to 512 per level, got \(4, 0\)"),
        ({"num_steps": (513,)}, "Steps must be 1 to 512"),
        ({"temperature": 0.0}, "Temperature must be above 0 and at most 2, got 0"),
        ({"temperature": 2.1}, "at most 2, got 2.1"),
        ({"temperature": float("nan")}, "Temperature must be above 0"),
        ({"context_guidance_scale": -0.1}, "Context guidance scale must be 0 to 6, got -0.1"),
        ({"context_guidance_scale": 6.5}, "Context guidance scale must be 0 to 6"),
        ({"instrument_guidance_scale": float("nan")}, "Instrument guidance scale must be 0 to 6"),
        ({"confidence_weight": -1.0}, "Confidence weight must be 0 to 10, got -1"),
        ({"causal_bias": 11.0}, "Causal bias must be 0 to 10, got 11"),
        ({"noise_weight": float("inf")}, "Noise weight must be 0 to 10"),
        ({"num_guided_levels": -1}, "Guided levels must be 0 or more, got -1"),
    ],
    ids=str,
)
def test_values_out_of_range_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        SamplingSettings(**change)


@pytest.mark.parametrize(
    "change",
    [{"num_steps": (1, 512)}, {"temperature": 2.0}, {"context_guidance_scale": 0.0}, {"context_guidance_scale": 6.0}],
    ids=str,
)
def test_the_ends_of_the_ranges_are_in_them(change: dict[str, Any]) -> None:
    assert SamplingSettings(**change)


def test_the_last_number_of_steps_serves_all_further_levels() -> None:
    settings = SamplingSettings(num_steps=(16, 8, 4))

    assert [settings.steps_at(level) for level in range(6)] == [16, 8, 4, 4, 4, 4]


def test_the_papers_preset_is_what_the_paper_states() -> None:
    paper = PRESETS["paper"]

    assert [paper.steps_at(level) for level in range(4)] == [128, 64, 32, 32]
    assert (paper.context_guidance_scale, paper.instrument_guidance_scale) == (3.0, 3.0)
    assert (paper.confidence_weight, paper.causal_bias, paper.noise_weight) == (0.1, 0.1, 1.0)
    assert not paper.has_joint_guidance
    assert paper.num_guided_levels >= 4


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_without_changes_is_itself(name: str) -> None:
    assert settings_from_preset(name, temperature=None, num_steps=None) == PRESETS[name]


def test_given_fields_replace_the_presets() -> None:
    changed = settings_from_preset("fast", temperature=0.5, causal_bias=0.0, num_steps=None)

    assert changed == replace(PRESETS["fast"], temperature=0.5, causal_bias=0.0)


def test_an_unknown_preset_is_named_with_the_known_ones() -> None:
    with pytest.raises(
        InvalidRequestError, match=r"no preset called 'best'\. Choose one of: fast, balanced, tight, wild, paper"
    ):
        settings_from_preset("best")
