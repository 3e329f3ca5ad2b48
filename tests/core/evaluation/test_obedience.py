"""What kind of stem is heard: features, classifier, obedience. Empty, malformed, perfect, known values."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stemgen_core.errors import AudioFormatError, CheckpointError, InvalidRequestError
from stemgen_core.evaluation import obedience, timbre
from stemgen_core.evaluation.classifier import StemClassifier, train_classifier
from stemgen_core.evaluation.obedience import LabelledStem
from stemgen_core.types import Waveform
from tests.core.listening_sounds import RATE_HZ, beat_times, hits, plucks, waveform
from tests.core.toy_corpus import write_toy_corpus

NO_SEGMENT = np.zeros((0, timbre.NUM_FEATURES), np.float32)


def sound(kind: str, seed: int) -> Waveform:
    rng = np.random.default_rng(seed)
    times = beat_times(float(rng.uniform(90, 140)), 4.0)
    if kind == "drums":
        return waveform(hits(times, 4.0, seed))
    low = 36 if kind == "bass" else 72
    return waveform(plucks([(time_s, low + int(rng.integers(12))) for time_s in times], 4.0))


@pytest.fixture(scope="module")
def stems() -> list[LabelledStem]:
    return [
        LabelledStem(piece, kind, timbre.segment_features(sound(kind, 10 * piece + number)))
        for piece in range(10)
        for number in range(2)
        for kind in ("bass", "drums", "bells")
    ]


@pytest.fixture(scope="module")
def classifier(stems: list[LabelledStem]) -> StemClassifier:
    return obedience.train_on_corpus(stems, stems[:6])


# features -----------------------------------------------------------------------------------------------------------


def test_silence_has_no_segment() -> None:
    assert timbre.segment_features(waveform(np.zeros(RATE_HZ))).shape == (0, timbre.NUM_FEATURES)
    with pytest.raises(AudioFormatError, match="no audio"):
        timbre.segment_features(Waveform(torch.zeros(1, 0), RATE_HZ))


@pytest.mark.parametrize("features", [np.zeros(320), np.zeros((2, 3)), np.full((1, timbre.NUM_FEATURES), np.nan)])
def test_malformed_features_are_refused(features: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"shape \[N, 1152\]|finite"):
        timbre.validate(features)


def test_gain_changes_nothing_and_tails_are_left_out() -> None:
    loud = sound("bass", 1)
    quiet = replace(loud, samples=0.1 * loud.samples)
    with_tail = Waveform(torch.cat([loud.samples, torch.zeros(1, 4 * RATE_HZ)], 1), RATE_HZ)

    np.testing.assert_allclose(timbre.segment_features(loud), timbre.segment_features(quiet), atol=0.02)
    assert len(timbre.segment_features(loud)) == 2
    assert len(timbre.segment_features(with_tail)) <= 4


def test_a_sine_stands_in_the_band_of_its_frequency() -> None:
    time_s = np.arange(2 * RATE_HZ) / RATE_HZ
    bands = [
        int(timbre.log_mel(waveform(np.sin(2 * np.pi * hz * time_s))).mean(axis=0).argmax()) for hz in (110, 880, 7040)
    ]

    assert bands == [1, 17, 54]  # by the formula of the scale: 65 equal steps from 40 Hz to 11 kHz


def _tone(level_of: Callable[[np.ndarray], np.ndarray], duration_s: float = 2.5) -> Waveform:
    """Return a tone of 880 Hz whose amplitude is a function of time."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return waveform(level_of(time_s) * np.sin(2 * np.pi * 880 * time_s))


def _statistic(sound: Waveform, place: int, band: int = 17) -> float:
    """Return a statistic of the first segment, by default in the band of 880 Hz."""
    (first, *_) = timbre.segment_features(sound).reshape(-1, timbre.NUM_STATISTICS, timbre.NUM_BANDS)
    return float(first[place, band])


def test_what_dies_away_is_told_from_what_is_held() -> None:
    # Strokes every 0.5 s that lose 60 dB a second, and the same strokes held: 6 to 13 are moments since an onset.
    since_s = (0, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)
    dying = _tone(lambda time_s: 10 ** (-60 * (time_s % 0.5) / 20))
    held = _tone(lambda time_s: np.clip((0.46 - time_s % 0.5) / 0.04, 1e-3, 1.0))  # no click at the end

    lost = [20 * (_statistic(dying, 8, 17) - _statistic(dying, place, 17)) for place in range(8, 14)]

    np.testing.assert_allclose(lost[3:], [60 * (s - since_s[1]) for s in since_s[4:]], atol=2.5)
    assert abs(_statistic(held, 13) - _statistic(held, 10)) < 0.05
    assert _statistic(held, 6) < _statistic(held, 9) - 1  # just before: 60 dB less, blurred by the window


def _slow_onsets(levels: np.ndarray) -> tuple[list[int], list[float]]:
    """Return the frames where something begins, and how much each frame rises."""
    rises = [0.0] + [sum(max(0.0, b - a) for a, b in zip(*frames, strict=True)) for frames in pairwise(levels)]
    threshold = max(3.0, 0.25 * max(rises))
    onsets = [t for t in range(2, 168) if rises[t] >= threshold and rises[t] == max(rises[max(0, t - 4) : t + 5])]
    return onsets, rises


@pytest.mark.parametrize("frames_per_change", [1, 3, 20])  # sounds that crowd, and that stand alone
def test_moments_since_onsets_are_those_of_a_slow_reference(frames_per_change: int) -> None:
    rng = np.random.default_rng(3)
    changes = rng.uniform(-3, 0, (-(-200 // frames_per_change), timbre.NUM_BANDS))
    levels = np.repeat(changes, frames_per_change, axis=0)[:200] + 0.01 * rng.standard_normal((200, 64))
    onsets, rises = _slow_onsets(levels)
    expected = [
        sum(rises[t] * levels[t + moment] for t in onsets) / sum(rises[t] for t in onsets)
        for moment in (-2, 0, 1, 2, 4, 8, 16, 32)
    ]

    assert len(onsets) >= 8
    np.testing.assert_allclose(timbre._since_onsets(levels, levels.mean(0)), expected)


def test_where_nothing_begins_the_mean_stands_for_every_moment() -> None:
    still = np.zeros((200, timbre.NUM_BANDS))

    np.testing.assert_array_equal(timbre._since_onsets(still, still[0] - 1), np.full((8, 64), -1.0))


@pytest.mark.parametrize(("pace_hz", "place"), [(0.8, 14), (2.4, 15), (4.8, 16), (8.0, 17)])
@pytest.mark.parametrize("duration_s", [1.25, 2.5])
def test_changes_of_level_stand_at_their_pace_also_in_short_sounds(
    pace_hz: float, place: int, duration_s: float
) -> None:
    swelling = _tone(lambda time_s: 10 ** ((-15 + 15 * np.sin(2 * np.pi * pace_hz * time_s)) / 20), duration_s)

    found = [_statistic(swelling, each) for each in range(14, 18)]

    assert int(np.argmax(found)) == place - 14


# classifier ---------------------------------------------------------------------------------------------------------


def test_stems_that_are_worlds_apart_are_told_apart(classifier: StemClassifier) -> None:
    assert classifier.labels == ("bass", "bells", "drums")
    assert obedience.accuracy(classifier, "known").mean == 1
    assert obedience.accuracy(classifier, "unheard").num_items == 6
    assert classifier.hear(sound("drums", 999)) == "drums"
    assert classifier.hear(waveform(np.zeros(RATE_HZ))) is None


def test_probabilities_sum_to_one_and_embeddings_are_one_row_per_segment(classifier: StemClassifier) -> None:
    features = timbre.segment_features(sound("bass", 5))

    assert classifier.probabilities(NO_SEGMENT) is None
    assert sum((classifier.probabilities(features) or {}).values()) == pytest.approx(1)
    assert classifier.embed(features).shape == (len(features), 64)


def test_training_again_gives_the_same_classifier_and_leaves_the_global_seed_alone(stems: list[LabelledStem]) -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    features, labels = [stem.features for stem in stems], [stem.label for stem in stems]

    torch.manual_seed(1)
    first, again = (train_classifier(features, labels, seed=3) for _ in range(2))

    assert torch.equal(torch.rand(1), expected)
    assert first.probabilities(features[0]) == again.probabilities(features[0])


def test_a_saved_classifier_hears_the_same(classifier: StemClassifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / "a" / "classifier.safetensors")

    loaded = StemClassifier.load(tmp_path / "a" / "classifier.safetensors")

    features = timbre.segment_features(sound("bass", 5))
    assert loaded.probabilities(features) == classifier.probabilities(features)
    assert loaded.facts == classifier.facts


def test_files_that_are_no_classifier_are_told(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")

    with pytest.raises(CheckpointError, match="no classifier of this version"):
        StemClassifier.load(tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="There is no classifier at"):
        StemClassifier.load(tmp_path / "none.safetensors")


def test_a_classifier_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="two labels or more"):
        train_classifier([NO_SEGMENT], ["bass"])
    with pytest.raises(ValueError, match="got 1 stems and 2 labels"):
        train_classifier([NO_SEGMENT], ["bass", "drums"])
    with pytest.raises(InvalidRequestError, match="two labels with 12 stems or more"):
        obedience.train_on_corpus([LabelledStem(0, "bass", NO_SEGMENT)], [])


# obedience ----------------------------------------------------------------------------------------------------------


def test_nothing_asked_is_nothing_obeyed(classifier: StemClassifier) -> None:
    scores = obedience.evaluate(classifier, [], [])

    assert [len(values) for values in scores.values()] == [0, 0]
    with pytest.raises(ValueError, match="got 1 labels asked for and 0 heard"):
        obedience.obeyed(["bass"], [])


def test_what_was_asked_for_is_obeyed_and_silence_is_not(classifier: StemClassifier) -> None:
    kinds = ["bass", "drums", "bells"]
    heard = [*(sound(kind, 77) for kind in kinds), waveform(np.zeros(RATE_HZ)), sound("bass", 78)]

    scores = obedience.evaluate(classifier, heard, [*kinds, "bass", "kazoo"])

    np.testing.assert_array_equal(scores["obeyed"], [1, 1, 1, 0, np.nan])


def test_chance_is_how_many_requests_an_answer_would_have_served() -> None:
    asked = ["bass", "bass", "drums", "piano"]

    assert obedience.obeyed(asked, ["bass", "drums", "drums", None]).tolist() == [1, 0, 1, 0]
    assert obedience.by_chance(asked, ["bass", "drums", "drums", None]).tolist() == [0.5, 0.25, 0.25, 0]


def test_stems_of_a_corpus_carry_the_label_asked_for(tmp_path: Path) -> None:
    pieces = write_toy_corpus(tmp_path / "toy", num_training=2, num_held_out=0).pieces()
    counts: list[tuple[int, int]] = []

    heard = obedience.hear_stems(pieces, report_progress=lambda done, wanted: counts.append((done, wanted)))
    stems = obedience.label_stems(heard, obedience.instrument_of)
    genres = obedience.label_stems(heard, obedience.genre_of)
    none = obedience.label_stems(heard, lambda _piece, _stem: None)

    assert [(stem.piece, stem.label) for stem in stems] == [
        (piece, label) for piece in range(2) for label in ("bass", "piano", "drums")
    ]
    assert {stem.label for stem in genres} == {"toy"}
    assert none == []
    assert counts == [(1, 2), (2, 2)]


def test_roughened_stems_are_learnt_from_and_never_tested_with(tmp_path: Path) -> None:
    pieces = write_toy_corpus(tmp_path / "corpus", num_training=3, num_held_out=0).pieces("train")

    plain = obedience.label_stems(obedience.hear_stems(pieces), obedience.instrument_of)
    both = obedience.label_stems(obedience.hear_stems(pieces, has_rough=True), obedience.instrument_of)

    assert [stem.is_rough for stem in plain] == [False] * 9
    assert [stem.is_rough for stem in both] == [False, True] * 9
    assert not np.allclose(both[0].features[0], both[1].features[0], atol=0.05)


def test_its_accuracy_on_known_sounds_counts_no_roughened_stem(stems: list[LabelledStem]) -> None:
    noise = np.random.default_rng(0)
    rough = [
        replace(stem, is_rough=True, features=noise.normal(size=stem.features.shape).astype(np.float32))
        for stem in stems
    ]

    made = obedience.train_on_corpus([*stems, *rough], stems[:6])

    assert obedience.accuracy(made, "known").num_items == 6
