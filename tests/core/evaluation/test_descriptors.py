"""Descriptors of populations: empty, malformed, perfect, known values."""

import numpy as np
import pytest

from stemgen_core.evaluation import descriptors
from tests.core.listening_sounds import RATE_HZ, beat_times, hits, plucks, waveform

SCALE = [0, 4, 7, 0, 2, 4, 5, 7, 9, 7, 11, 0, 4, 0]


def describe_melody(start: int, bpm: float = 120.0) -> dict[str, np.ndarray]:
    times = beat_times(bpm, 6.0)
    return descriptors.describe(
        waveform(plucks([(time_s, start + SCALE[n % 14]) for n, time_s in enumerate(times)], 6.0))
    )


def test_silence_describes_nothing_but_its_lack_of_onsets() -> None:
    described = descriptors.describe(waveform(np.zeros(4 * RATE_HZ)))

    assert set(described) == set(descriptors.NAMES)
    measured = {name for name, histogram in described.items() if histogram.sum() > 0}
    assert measured == {"onset_rate"}
    assert described["onset_rate"][0] == 1


def test_empty_populations_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty, got 0 and 1"):
        descriptors.evaluate([], [describe_melody(60)])
    with pytest.raises(ValueError, match="one row or more"):
        descriptors.divergence(np.zeros((0, 3)), np.ones((1, 3)) / 3)


@pytest.mark.parametrize(
    ("histograms", "message"),
    [
        (np.full((1, 2), 0.7), "sum to 1"),
        (np.array([[1.5, -0.5]]), ">= 0"),
        (np.array([[np.nan, 1.0]]), "finite"),
        (np.ones((1, 3)) / 3, "same bins, got 2 and 3"),
    ],
)
def test_malformed_histograms_are_refused(histograms: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        descriptors.divergence(np.array([[0.5, 0.5]]), histograms)


def test_a_population_does_not_differ_from_itself() -> None:
    population = [describe_melody(60), describe_melody(67, 96.0)]

    assert descriptors.evaluate(population, population) == dict.fromkeys((*descriptors.NAMES, "mirdd"), 0.0)


def test_a_divergence_has_its_known_value() -> None:
    first, second = np.array([[1.0, 0.0]] * 3), np.array([[0.0, 1.0]] * 3)

    # A quarter on each bin: (3.25 / 3.5) ln(3.25 / 0.25) + (0.25 / 3.5) ln(0.25 / 3.25)
    assert descriptors.divergence(first, second) == pytest.approx(3.0 / 3.5 * np.log(13))


def test_what_is_unmeasured_takes_no_part() -> None:
    measured, unmeasured = np.array([[1.0, 0.0]] * 3), np.zeros((5, 2))

    assert descriptors.divergence(measured, np.concatenate([measured, unmeasured])) == 0.0


def test_a_transposition_moves_the_key_and_leaves_what_is_played_in_it() -> None:
    in_c, in_d = describe_melody(60), describe_melody(62)

    assert in_c["key"].argmax() == 0
    assert in_d["key"].argmax() == 2
    np.testing.assert_allclose(in_c["pitch_classes"], in_d["pitch_classes"], atol=0.04)
    assert in_c["pitch_classes"].argmax() in (0, 4, 7)


def test_tempo_and_onsets_fall_into_their_bins() -> None:
    slow, middling, fast = (
        descriptors.describe(waveform(hits(beat_times(bpm, 8.0), 8.0))) for bpm in (75.0, 125.0, 150.0)
    )

    assert slow["tempo"].argmax() < middling["tempo"].argmax()  # no octave apart, where either would be right
    assert slow["onset_rate"].argmax() < fast["onset_rate"].argmax()
    assert slow["onset_spacing"].argmax() == 6  # a beat
    assert slow["key"].sum() == 0  # noise has none


def test_every_histogram_is_one_or_nothing() -> None:
    for histogram in describe_melody(60).values():
        assert histogram.sum() == pytest.approx(1)


def test_brightness_rises_with_the_sound() -> None:
    low, high = describe_melody(40), describe_melody(76)

    assert low["brightness"].argmax() < high["brightness"].argmax()
