"""Roughened contexts: changed in sound, unchanged in what a stem must follow."""

import numpy as np
import pytest

from stemgen_core.corpus import roughening
from stemgen_core.corpus.roughening import Roughness, roughen

RATE_HZ = 32_000
STAGES = ("room", "equaliser", "compressor", "saturation", "codec", "clock", "noise", "level")
SEEDS = range(10)


def only(stage: str) -> Roughness:
    return Roughness(chance=1.0, **{name: float(name == stage) for name in STAGES})


def music(num_samples: int = 96_000) -> np.ndarray:
    """Return decaying tones on a beat of 0.5 s."""
    seconds = np.arange(num_samples) / RATE_HZ
    hz = 220 * 2 ** ((seconds // 0.5 % 4) / 4)
    return (0.3 * np.sin(2 * np.pi * hz * seconds) * np.exp(-8 * (seconds % 0.5))).astype(np.float32)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_changes_the_sound_and_keeps_length_type_and_range(stage: str) -> None:
    mix = music()
    before = mix.copy()

    for seed in SEEDS:
        rough = roughen(mix, RATE_HZ, np.random.default_rng(seed), only(stage))

        assert rough.dtype == np.float32
        assert rough.shape == mix.shape
        assert np.isfinite(rough).all()
        assert np.abs(rough).max() <= 1
        assert not np.array_equal(rough, mix)
    np.testing.assert_array_equal(mix, before)


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "clock"])
def test_the_music_stays_recognisable(stage: str) -> None:
    mix = music()

    found = [correlation(mix, roughen(mix, RATE_HZ, np.random.default_rng(seed), only(stage))) for seed in SEEDS]

    assert min(found) > 0.5
    assert np.mean(found) > 0.8


def test_the_same_state_of_chance_gives_the_same_sound_and_another_gives_another() -> None:
    mix = music()

    first, again, other = (roughen(mix, RATE_HZ, np.random.default_rng(seed)) for seed in (3, 3, 4))

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_onsets_stay_within_eight_milliseconds() -> None:
    clicks = np.zeros(3 * RATE_HZ, np.float32)
    places = np.arange(RATE_HZ // 2, clicks.size, RATE_HZ)
    clicks[places] = 0.8

    for seed in range(16):
        rough = np.abs(roughen(clicks, RATE_HZ, np.random.default_rng(seed), Roughness(chance=1.0, noise=0.0)))
        for place in places:
            around = rough[place - RATE_HZ // 4 : place + RATE_HZ // 4]
            first = int((around > 0.5 * around.max()).argmax())
            assert abs(first - RATE_HZ // 4) < 0.008 * RATE_HZ, seed


def test_silence_and_nothing_stay_what_they_are() -> None:
    assert not roughen(np.zeros(1000, np.float32), RATE_HZ, np.random.default_rng(0), Roughness(chance=1.0)).any()
    assert roughen(np.zeros(0, np.float32), RATE_HZ, np.random.default_rng(0)).size == 0


@pytest.mark.parametrize("num_samples", [1, 7, 1023, 1024, 1025, 50_001])
def test_any_length_is_taken(num_samples: int) -> None:
    mix = np.random.default_rng(1).standard_normal(num_samples).astype(np.float32) * 0.1

    everything = Roughness(chance=1.0, **dict.fromkeys(STAGES, 1.0))

    assert roughen(mix, RATE_HZ, np.random.default_rng(2), everything).size == num_samples


def test_the_lapped_transform_alone_is_lossless(monkeypatch: pytest.MonkeyPatch) -> None:
    mix = music(20_000)
    monkeypatch.setattr(roughening, "_CODEC_STEP", (1e-6, 1e-6))
    monkeypatch.setattr(roughening, "_CODEC_KEPT", (1.0, 1.0))

    again = roughening._coded(mix, np.random.default_rng(0))

    np.testing.assert_allclose(again, mix, atol=1e-4)


def test_some_contexts_are_left_as_they_are() -> None:
    mix = music(8_000)
    untouched = sum(np.array_equal(roughen(mix, RATE_HZ, np.random.default_rng(seed)), mix) for seed in range(300))

    assert 10 <= untouched <= 70


def test_a_compressor_turns_down_the_loud_and_not_the_soft() -> None:
    mix = np.concatenate([np.full(RATE_HZ, 0.01), np.full(RATE_HZ, 0.8), np.full(RATE_HZ, 0.01)]).astype(np.float32)

    ratios = []
    for seed in SEEDS:
        rough = roughen(mix, RATE_HZ, np.random.default_rng(seed), only("compressor"))
        ratios.append(rough[RATE_HZ + 8_000] / rough[8_000])

    assert max(ratios) < 0.8 / 0.01
    assert min(ratios) > 1
