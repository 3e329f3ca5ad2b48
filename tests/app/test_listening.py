"""What holds of a context after the user put right what was heard."""

import pytest

from app.listening import FACTS, bar_edges_s, correct, hear, settle
from stemgen_core.errors import InvalidRequestError
from tests.app.fakes import noise_bursts

HEARD = {
    "duration_s": 8.0,
    "tempo_bpm": 120.4,
    "tempo_confidence": 0.8,
    "beats_per_bar": 4,
    "metre_confidence": 0.6,
    "first_downbeat_s": 0.009,
    "downbeat_confidence": 0.3,
    "key": "A minor",
    "key_confidence": 0.7,
}


def test_what_was_heard_holds_until_somebody_says_otherwise() -> None:
    analysis = settle(HEARD, {})

    assert (analysis["key"], analysis["beats_per_bar"], analysis["num_bars"]) == ("A minor", 4, 4)
    assert analysis["confidence"] == {"tempo_bpm": 0.8, "beats_per_bar": 0.6, "first_downbeat_s": 0.3, "key": 0.7}
    assert not analysis["is_edited"]


def test_a_clip_of_nearly_whole_bars_gets_the_tempo_at_which_they_are_whole() -> None:
    assert settle(HEARD, {})["tempo_bpm"] == pytest.approx(120)
    assert settle(HEARD | {"tempo_bpm": 110}, {})["tempo_bpm"] == 110
    assert settle(HEARD, {"tempo_bpm": 120.4})["tempo_bpm"] == 120.4


def test_a_beat_heard_just_after_the_start_is_the_start() -> None:
    assert settle(HEARD, {})["first_downbeat_s"] == 0
    assert settle(HEARD | {"first_downbeat_s": 0.4}, {})["first_downbeat_s"] == 0.4


def test_what_is_said_is_sure_and_leaves_what_was_heard_beside_it() -> None:
    analysis = correct(correct(settle(HEARD, {}), {"tempo_bpm": 60.2}), {"key": "none"})

    assert (analysis["tempo_bpm"], analysis["key"], analysis["num_bars"]) == (60.2, None, 2)
    assert (analysis["confidence"]["tempo_bpm"], analysis["confidence"]["beats_per_bar"]) == (1.0, 0.6)
    assert analysis["is_edited"]
    assert analysis["detected"] == HEARD


def test_taking_back_what_was_said_brings_back_what_was_heard() -> None:
    edited = correct(settle(HEARD, {}), {"tempo_bpm": 60, "key": "C major", "beats_per_bar": 3, "first_downbeat_s": 1})

    assert correct(edited, dict.fromkeys(FACTS)) == settle(HEARD, {})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tempo_bpm": 29}, "tempo must be 30 to 300"),
        ({"tempo_bpm": float("nan")}, "tempo must be 30 to 300"),
        ({"tempo_bpm": "fast"}, "tempo must be 30 to 300"),
        ({"beats_per_bar": 3.5}, "whole number"),
        ({"beats_per_bar": 13}, "must be 2 to 12"),
        ({"first_downbeat_s": 8.1}, "must be 0 to 8"),
        ({"key": "H major"}, "24 keys"),
        ({"duration_s": 3}, "Only tempo"),
    ],
)
def test_what_cannot_be_is_refused_in_words(changes: dict, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        correct(settle(HEARD, {}), changes)


def test_bars_are_the_places_to_take_a_clip_apart() -> None:
    assert bar_edges_s(settle(HEARD, {}), 8.0) == ("bar", [0, 2, 4, 6, 8])
    assert bar_edges_s(correct(settle(HEARD, {}), {"first_downbeat_s": 2.5}), 8.0) == (
        "bar",
        [0, 0.5, 2.5, 4.5, 6.5, 8],
    )


def test_an_analysis_that_knows_a_tempo_only_is_taken_apart_into_bars_of_four_from_the_start() -> None:
    assert bar_edges_s({"tempo_bpm": 120.0}, 5.0) == ("bar", [0, 2, 4, 5])
    assert bar_edges_s({"tempo_bpm": 120.0, "beats_per_bar": 2, "first_downbeat_s": None}, 2.0) == ("bar", [0, 1, 2])


def test_without_a_tempo_seconds_are() -> None:
    assert bar_edges_s(settle(HEARD | {"tempo_bpm": None}, {}), 3.2) == ("second", [0, 1, 2, 3.2])
    assert bar_edges_s(None, 1.0) == ("second", [0, 1.0])


def test_a_loop_is_heard() -> None:
    analysis = hear(noise_bursts(8 * 44_100, 44_100, 1))

    assert analysis["tempo_bpm"] == pytest.approx(120, abs=0.5)
    assert analysis["num_bars"] in (4, 5)
