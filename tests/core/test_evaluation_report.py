"""Controls and the table: what stands between random pairs and true pairs."""

import json
from dataclasses import replace

import numpy as np
import pytest

from stemgen_core.corpus.piece import ChordSpan, Piece
from stemgen_core.evaluation.controls import mean_interval, position, random_partners
from stemgen_core.evaluation.items import EvaluationItem, facts_of_window
from stemgen_core.evaluation.report import evaluate_items
from stemgen_core.types import Waveform
from tests.core.listening_sounds import RATE_HZ, random_piece, waveform

SILENT = waveform(np.zeros(6 * RATE_HZ))


@pytest.fixture(scope="module")
def items() -> list[EvaluationItem]:
    pieces = [random_piece(seed, 6.0) for seed in range(6)]
    return [
        EvaluationItem(str(seed), "bass", waveform(context), waveform(stem))
        for seed, (context, stem, _) in enumerate(pieces)
    ]


def _with_generated(items: list[EvaluationItem], stems: list[Waveform]) -> list[EvaluationItem]:
    return [replace(item, generated_stem=stem) for item, stem in zip(items, stems, strict=True)]


def test_true_stems_as_generated_stand_at_one(items: list[EvaluationItem]) -> None:
    report = evaluate_items(_with_generated(items, [item.true_stem for item in items]))

    for name in ("onset_agreement", "chroma_contrast"):
        placed = report.rows[name].position
        assert placed is not None, name
        assert placed.mean == pytest.approx(1)


def test_stems_of_other_pieces_as_generated_stand_near_zero(items: list[EvaluationItem]) -> None:
    report = evaluate_items(_with_generated(items, [items[index - 1].true_stem for index in range(len(items))]))

    for name in ("onset_agreement", "chroma_contrast"):
        placed = report.rows[name].position
        assert placed is not None, name
        assert abs(placed.mean) < 0.35, name


def test_silence_stands_at_zero_and_gains_nothing_by_being_left_out(items: list[EvaluationItem]) -> None:
    all_silent = evaluate_items(_with_generated(items, [SILENT] * len(items)))
    one_plays = evaluate_items(_with_generated(items, [items[0].true_stem, *[SILENT] * (len(items) - 1)]))

    for report, most in ((all_silent, 1e-6), (one_plays, 0.4)):
        placed = report.rows["onset_agreement"].position
        assert placed is not None
        assert 0 <= round(placed.mean, 6) <= most
    generated = all_silent.rows["is_silent"].generated
    assert generated is not None
    assert generated.mean == 1


def test_without_generated_stems_the_table_judges_the_scores(items: list[EvaluationItem]) -> None:
    report = evaluate_items(items)

    row = report.rows["onset_agreement"]
    assert row.true.low > row.random.high
    assert (row.generated, row.position) == (None, None)


def test_the_table_is_valid_json_and_has_a_line_per_score(items: list[EvaluationItem]) -> None:
    report = evaluate_items(items[:3])

    value = json.loads(json.dumps(report.to_json(), allow_nan=False))

    assert value["num_items"] == 3
    assert value["scores"]["grid_agreement"]["true"]["mean"] is None  # nothing is known of these pieces
    lines = [line for line in report.to_markdown().splitlines() if line.startswith("| ")]
    assert len(lines) == len(report.rows) + 1


def test_items_without_a_control_are_refused(items: list[EvaluationItem]) -> None:
    with pytest.raises(ValueError, match="0 of 0 items"):
        evaluate_items([])
    with pytest.raises(ValueError, match="1 of 2 items have a generated stem"):
        evaluate_items([items[0], replace(items[1], generated_stem=SILENT)])
    with pytest.raises(ValueError, match="at least 2 pieces"):
        evaluate_items([items[0], items[0]])


def test_random_partners_are_of_another_piece_and_the_same_instrument_where_possible() -> None:
    pieces, instruments = list("aabbcc"), ["bass", "drums"] * 2 + ["bass", "organ"]

    for seed in range(20):
        partners = random_partners(pieces, instruments, seed)
        assert all(pieces[partner] != piece for piece, partner in zip(pieces, partners, strict=True))
        assert [instruments[partner] for partner in partners[:5]] == instruments[:5]


def test_partners_of_unequal_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="got 1 pieces and 2 instruments"):
        random_partners(["a"], ["bass", "drums"])


def test_an_interval_of_nothing_is_nan_and_of_equal_values_a_point() -> None:
    assert mean_interval(np.array([np.nan])).num_items == 0
    assert np.isnan(mean_interval(np.zeros(0)).mean)
    point = mean_interval(np.array([2.0, np.nan, 2.0]))
    assert (point.mean, point.low, point.high, point.num_items) == (2.0, 2.0, 2.0, 2)


def test_a_bootstrap_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    intervals = [mean_interval(np.random.default_rng(seed).normal(3.0, 1.0, 40), seed) for seed in range(200)]

    assert np.mean([one.low <= 3.0 <= one.high for one in intervals]) == pytest.approx(0.95, abs=0.05)


def test_infinite_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="finite numbers or nan"):
        mean_interval(np.array([np.inf]))


def test_half_way_is_a_half() -> None:
    random, true = np.linspace(0, 0.1, 30), np.linspace(0.9, 1.0, 30)

    placed = position((random + true) / 2, random, true)

    assert placed is not None
    assert (placed.mean, placed.low, placed.high) == (pytest.approx(0.5), pytest.approx(0.5), pytest.approx(0.5))


def test_lower_is_better_scores_are_placed_too() -> None:
    placed = position(np.full(9, 20.0), np.full(9, 60.0), np.full(9, 10.0))

    assert placed is not None
    assert placed.mean == pytest.approx(0.8)


def test_a_score_that_cannot_tell_places_nothing() -> None:
    noise = np.random.default_rng(0).normal(size=(3, 50))

    assert position(*noise) is None
    assert position(np.full(4, np.nan), np.zeros(4), np.ones(4)) is None
    with pytest.raises(ValueError, match="one length, got 1, 2 and 2"):
        position(np.zeros(1), np.zeros(2), np.ones(2))


def test_facts_of_a_window_are_timed_from_its_start() -> None:
    chords = (ChordSpan(0.0, 2.0, 0, "", (0, 4, 7)), ChordSpan(2.0, 4.0, 7, "", (7, 11, 2)))
    piece = Piece(1, "pop", 60.0, 4, 0, "major", chords, (0.0, 1.0, 2.0, 3.0), (0.0,), (), 4.0)

    facts = facts_of_window(piece, 1.0, 2.5)

    assert facts.beats_s == (0.0, 1.0)
    assert [(chord.start_s, chord.end_s) for chord in facts.chords] == [(0.0, 1.0), (1.0, 1.5)]
    with pytest.raises(ValueError, match=r"must end after it starts, got 2\.0 to 1\.0 s"):
        facts_of_window(piece, 2.0, 1.0)
