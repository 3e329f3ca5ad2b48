"""Triads and their agreement: empty, malformed, perfect, known values."""

import numpy as np
import pytest

from stemgen_core.analysis.key import Chroma
from stemgen_core.corpus.piece import ChordSpan
from stemgen_core.evaluation import chords

C, A_MINOR, G = (0, 4, 7), (9, 0, 4), (7, 11, 2)
NOTHING = Chroma(np.zeros((20, 12), np.float32), 0.0, 10.0, 0.0)


def sounding(*tones_by_second: tuple[int, ...], pitchedness: float = 0.9) -> Chroma:
    energy = np.zeros((10 * len(tones_by_second), 12), np.float32)
    for second, tones in enumerate(tones_by_second):
        energy[10 * second : 10 * (second + 1), list(tones)] = 1
    return Chroma(energy, pitchedness, 10.0, 100.0)


def test_nothing_has_no_triad_and_no_agreement() -> None:
    assert chords.triad_of(np.zeros(12)) == -1
    assert chords.triad_of(np.ones(12)) == -1
    assert chords.triad_of(np.array([1.0] * 3 + [0.0] * 9)) == -1  # a cluster
    assert chords.triads_over_time(NOTHING).tolist() == [-1, -1]
    assert chords.evaluate(NOTHING, sounding(C)) == {"chord_agreement": None}
    assert chords.chord_agreement(sounding(C), NOTHING) is None
    assert chords.chord_agreement(sounding(C), sounding(C), ()) is None


@pytest.mark.parametrize("classes", [np.zeros(11), np.full(12, np.nan), np.full(12, -1.0), np.zeros((12, 1))])
def test_malformed_pitch_classes_are_refused(classes: np.ndarray) -> None:
    with pytest.raises(ValueError, match="12 finite numbers >= 0"):
        chords.triad_of(classes)


@pytest.mark.parametrize("root", range(12))
def test_each_triad_is_found_and_agrees_with_itself(root: int) -> None:
    for number, intervals in enumerate(((0, 4, 7), (0, 3, 7))):
        tones = tuple((root + step) % 12 for step in intervals)
        sound = sounding(tones, tones)

        assert chords.triads_over_time(sound).tolist() == [root + 12 * number] * 2
        assert chords.chord_agreement(sound, sound) == 1.0
        assert chords.chord_agreement(NOTHING, sound, [ChordSpan(0.0, 2.0, root, "", tones)]) == 1.0


def test_agreement_is_the_share_of_the_time_with_the_same_root_and_third() -> None:
    known = [ChordSpan(0.0, 3.0, 0, "", C), ChordSpan(3.0, 4.0, 9, "m", A_MINOR)]

    assert chords.chord_agreement(sounding(C), sounding(C, C, C, G), known) == pytest.approx(0.75)
    assert chords.chord_agreement(sounding(C, A_MINOR), sounding(C, C)) == pytest.approx(0.5)
    # A seventh has the root and third of its triad; a parallel minor has not.
    seventh = [ChordSpan(0.0, 1.0, 0, "7", (0, 4, 7, 10))]
    assert chords.chord_agreement(sounding(C), sounding(C), seventh) == 1.0
    assert chords.chord_agreement(sounding(C), sounding((0, 3, 7)), seventh) == 0.0


def test_where_the_stem_rests_nothing_is_asked_of_it() -> None:
    assert chords.chord_agreement(sounding(C, C), sounding(C, ())) == 1.0
    assert chords.chord_agreement(sounding(C, ()), sounding(C, C)) == 1.0


def test_labels_are_mir_evals() -> None:
    assert chords.label_of((9, 0, 4)) == "A:(1,b3,5)"
    assert chords.label_of((10, 2, 5, 8)) == "A#:(1,3,5,b7)"
