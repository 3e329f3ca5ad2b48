"""Genre by notes: what is too little, what can't be, what is plain, and what chance gives."""

import numpy as np
import pytest

from stemgen_core.evaluation.genre_style import GenreStyles, describe, kind_of
from stemgen_core.score import Note

BEATS = [0.5 * beat for beat in range(20)]


def straight(rng: np.random.Generator) -> list[Note]:
    """Play short notes on every half beat."""
    return [Note(0.25 * at, int(rng.integers(36, 48)), 0.1, 90) for at in range(36)]


def swung(rng: np.random.Generator) -> list[Note]:
    """Play long notes on the beat and on its last third."""
    return [Note(0.5 * (at // 2) + at % 2 / 3, int(rng.integers(36, 48)), 0.3, 90) for at in range(30)]


def learnt(num_stems: int = 12) -> GenreStyles:
    rng = np.random.default_rng(0)
    stems = [
        ("bass", name, play(rng)) for _ in range(num_stems) for name, play in (("house", straight), ("jazz", swung))
    ]
    return GenreStyles.learn([(i, g, f) for i, g, notes in stems if (f := describe(notes, BEATS)) is not None])


def test_too_little_says_nothing() -> None:
    assert describe([], BEATS) is None
    assert describe(straight(np.random.default_rng(0)), [0.0, 0.5]) is None


def test_one_genre_or_too_few_stems_can_not_be_learnt_from() -> None:
    with pytest.raises(ValueError, match="two genres"):
        GenreStyles.learn([])
    with pytest.raises(ValueError, match="two genres"):
        learnt(num_stems=2)


def test_a_stem_ranks_its_own_genre_first_and_leans_towards_it() -> None:
    styles, rng = learnt(), np.random.default_rng(7)
    house, jazz = describe(straight(rng), BEATS), describe(swung(rng), BEATS)

    assert house is not None
    assert jazz is not None
    assert styles.rank_of("bass", house, "house") == styles.rank_of("bass", jazz, "jazz") == 1.0
    assert styles.rank_of("bass", jazz, "house") == 0.0
    assert styles.leaning("bass", house, "house", "jazz") > 0 > styles.leaning("bass", jazz, "house", "jazz")
    assert styles.leaning("bass", house, "house", "jazz") == -styles.leaning("bass", house, "jazz", "house")


def test_tempo_is_no_part_of_the_description() -> None:
    notes = straight(np.random.default_rng(1))
    slower = [Note(1.3 * n.start_s, n.pitch, 1.3 * n.duration_s, n.velocity) for n in notes]

    described, described_slower = describe(notes, BEATS), describe(slower, [1.3 * beat for beat in BEATS])
    assert described is not None
    assert described_slower is not None
    np.testing.assert_allclose(described_slower, described, atol=0.03)


def test_random_labels_rank_in_the_middle() -> None:
    rng = np.random.default_rng(3)
    rows = [("bass", f"genre {n % 8}", rng.standard_normal(5) + n % 8) for n in range(160)]
    styles = GenreStyles.learn(rows)

    ranks = [styles.rank_of("bass", row, f"genre {rng.integers(8)}") for _, _, row in rows]

    assert np.mean(ranks) == pytest.approx(0.5, abs=0.08)


def test_only_like_parts_are_compared() -> None:
    assert {kind_of(name) for name in ("piano", "strings", "synth_lead")} == {"pitched"}
    assert (kind_of("drums"), kind_of("bass")) == ("drums", "bass")
    assert not learnt().knows("piano", "house")
