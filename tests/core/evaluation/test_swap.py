"""Context swap: empty, malformed, perfect, known values, over made-up pieces."""

import numpy as np
import pytest

from stemgen_core.evaluation import swap
from stemgen_core.evaluation.hearing import Heard, hear
from tests.core.listening_sounds import RATE_HZ, random_piece, waveform


@pytest.fixture(scope="module")
def pieces() -> list[tuple[Heard, Heard]]:
    """Return contexts and the basses that belong to them."""
    return [
        (hear(waveform(context)), hear(waveform(stem)))
        for context, stem, _ in (random_piece(seed, 6.0) for seed in range(3))
    ]


SILENCE = hear(waveform(np.zeros(6 * RATE_HZ)))


def test_what_could_not_be_measured_prefers_nothing() -> None:
    assert swap.preferred(None, 0.5) is None
    assert swap.preferred(0.5, None) is None
    assert swap.evaluate(SILENCE, SILENCE, SILENCE, SILENCE) == dict.fromkeys(swap.SCORES)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_agreements_that_are_no_numbers_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"finite numbers|must be numbers"):
        swap.preferred(value, 0.5)


def test_stems_that_belong_to_their_contexts_follow_and_leave(pieces: list[tuple[Heard, Heard]]) -> None:
    (old, made_for_old), (new, made_for_new) = pieces[:2]

    assert swap.evaluate(old, new, made_for_old, made_for_new) == dict.fromkeys(swap.SCORES, 1.0)


def test_a_stem_that_stays_the_same_neither_follows_nor_leaves(pieces: list[tuple[Heard, Heard]]) -> None:
    (old, made_for_old), (new, _) = pieces[:2]

    assert swap.evaluate(old, new, made_for_old, made_for_old) == dict.fromkeys(swap.SCORES, 0.5)


def test_a_stem_that_moves_the_wrong_way_scores_nothing(pieces: list[tuple[Heard, Heard]]) -> None:
    (old, made_for_old), (new, made_for_new) = pieces[:2]

    assert swap.evaluate(old, new, made_for_new, made_for_old) == dict.fromkeys(swap.SCORES, 0.0)


def test_a_stem_that_falls_silent_has_not_followed(pieces: list[tuple[Heard, Heard]]) -> None:
    (old, made_for_old), (new, _) = pieces[:2]

    assert swap.evaluate(old, new, made_for_old, SILENCE) == dict.fromkeys(swap.SCORES, 0.0)


def test_following_and_leaving_are_told_apart() -> None:
    assert swap.preferred(0.9, 0.2) == 1.0
    assert swap.preferred(0.2, 0.9) == 0.0
    assert swap.preferred(0.4, 0.4) == 0.5
