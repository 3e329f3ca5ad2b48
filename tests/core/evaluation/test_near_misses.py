"""Judging a score by near misses: empty, malformed, perfect, known values; and the near misses themselves."""

import numpy as np
import pytest

from stemgen_core.analysis.key import chroma
from stemgen_core.evaluation import near_misses
from stemgen_core.evaluation.near_misses import Candidate, score_all, shifted, transposed
from stemgen_core.score import Note
from tests.core.listening_sounds import RATE_HZ, plucks, waveform

NAN = float("nan")
STEM = Candidate(
    "bass", waveform(plucks([(0.5, 45), (1.5, 52)], 4.0)), (Note(0.5, 45, 0.5, 90), Note(1.5, 52, 0.5, 90))
)


def test_nothing_to_judge_is_no_verdict() -> None:
    assert near_misses.evaluate(np.zeros(0), np.zeros(0)) == {"told_apart": None, "area_under_curve": None}
    assert near_misses.evaluate(np.full(2, NAN), np.ones(2)) == {"told_apart": 0.5, "area_under_curve": None}


def test_malformed_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        near_misses.told_apart(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        near_misses.area_under_curve(np.array([np.inf]), np.zeros(1))
    with pytest.raises(ValueError, match="1 contexts and 2 stems"):
        score_all(lambda _context, _stem: 0.0, [STEM.audio], [STEM, STEM])


def test_a_score_that_knows_tells_all_apart_and_its_opposite_none() -> None:
    true, miss = np.array([3.0, 4.0]), np.array([1.0, 2.0])

    assert near_misses.evaluate(true, miss) == {"told_apart": 1.0, "area_under_curve": 1.0}
    assert near_misses.evaluate(miss, true) == {"told_apart": 0.0, "area_under_curve": 0.0}


def test_known_values() -> None:
    true, miss = np.array([1.0, 5.0, 2.0, NAN]), np.array([0.0, 4.0, 2.0, 1.0])

    assert near_misses.told_apart(true, miss).tolist() == [1.0, 1.0, 0.5, 0.5]
    # Of 3 x 4 pairs: 1 beats 0 and ties 1; 5 beats all; 2 beats 0 and 1 and ties 2.
    assert near_misses.area_under_curve(true, miss) == pytest.approx((1.5 + 4 + 2.5) / 12)


def test_a_score_without_a_stem_is_nan() -> None:
    scores = score_all(lambda _context, stem: float(len(stem.notes)), [STEM.audio] * 2, [STEM, None])

    assert scores[0] == 2
    assert np.isnan(scores[1])


def test_shifting_wraps_sound_and_notes_alike() -> None:
    moved = shifted(STEM, 3.0)

    assert [(note.start_s, note.pitch) for note in moved.notes] == [(0.5, 52), (3.5, 45)]
    np.testing.assert_array_equal(moved.audio.samples[0, 3 * RATE_HZ :], STEM.audio.samples[0, :RATE_HZ])


def test_transposing_moves_sound_and_notes_alike_and_keeps_the_time() -> None:
    moved = transposed(STEM, 3)

    assert [(note.start_s, note.pitch) for note in moved.notes] == [(0.5, 48), (1.5, 55)]
    assert moved.audio.samples.shape == STEM.audio.samples.shape
    before, after = (chroma(one.audio).energy.sum(axis=0) for one in (STEM, moved))
    assert int(after.argmax()) == (int(before.argmax()) + 3) % 12
