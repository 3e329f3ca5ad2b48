"""What the measures of codecs say of sounds whose distance is known."""

import numpy as np
import pytest

from stemgen_core.evaluation.codec import (
    codebook_use,
    evaluate,
    log_spectral_distance_db,
    mel_distance_db,
    si_sdr_db,
)

RATE_HZ = 32_000


def noise(seed: int, level: float = 0.1) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(RATE_HZ)


@pytest.mark.parametrize("seed", range(3))
def test_equal_sounds_are_at_no_distance(seed: int) -> None:
    scores = evaluate(noise(seed), noise(seed), RATE_HZ)

    assert scores["log_spectral_distance_db"] == scores["mel_distance_db"] == 0
    assert scores["si_sdr_db"] > 80


@pytest.mark.parametrize("gain_db", [-6.0, 3.0, 12.0])
def test_a_gain_is_its_decibels_in_levels_and_nothing_in_si_sdr(gain_db: float) -> None:
    loud = noise(0, 1.0)  # far above the floor
    louder = loud * 10 ** (gain_db / 20)

    assert log_spectral_distance_db(loud, louder) == pytest.approx(abs(gain_db), rel=0.03)
    assert mel_distance_db(loud, louder, RATE_HZ) == pytest.approx(abs(gain_db), rel=0.03)
    assert si_sdr_db(loud, louder) > 80


@pytest.mark.parametrize("ratio_db", [0.0, 10.0, 30.0])
def test_added_noise_is_its_ratio_in_si_sdr(ratio_db: float) -> None:
    distorted = noise(0) + 10 ** (-ratio_db / 20) * noise(1)

    assert si_sdr_db(noise(0), distorted) == pytest.approx(ratio_db, abs=0.3)


def test_what_is_softer_than_the_floor_does_not_count() -> None:
    assert log_spectral_distance_db(noise(0, 1e-5), np.zeros(RATE_HZ)) < 0.5


def test_unlike_sounds_are_further_apart_than_like_ones() -> None:
    muffled = np.convolve(noise(0), np.ones(3) / 3, mode="same")
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)

    assert log_spectral_distance_db(noise(0), muffled) < log_spectral_distance_db(noise(0), tone)
    assert mel_distance_db(noise(0), muffled, RATE_HZ) < mel_distance_db(noise(0), tone, RATE_HZ)


def test_use_of_codebooks_is_share_and_perplexity() -> None:
    shares, perplexities = codebook_use(np.array([[0, 1, 2, 3] * 5, [7] * 20]), 8)

    assert shares == [0.5, 0.125]
    assert perplexities == pytest.approx([4.0, 1.0])


def test_sounds_of_other_lengths_or_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="need two"):
        log_spectral_distance_db(noise(0), noise(0)[:-1])
    with pytest.raises(ValueError, match="finite"):
        si_sdr_db(noise(0), np.full(RATE_HZ, np.nan))
