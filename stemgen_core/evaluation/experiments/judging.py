"""Which score should choose among variations? Judged by true pairs against near misses, on held-out pieces."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from stemgen_core.analysis.fit import measure_fit
from stemgen_core.corpus.storage import CorpusPiece
from stemgen_core.evaluation.controls import mean_interval, random_partners
from stemgen_core.evaluation.experiments.bench import Bench, Report
from stemgen_core.evaluation.held_out import MIN_NOTES, MIN_RMS
from stemgen_core.evaluation.items import PieceFacts, facts_of_window
from stemgen_core.evaluation.near_misses import (
    KINDS,
    SHIFTS_BEATS,
    TRANSPOSITIONS,
    Candidate,
    PairScorer,
    evaluate,
    score_all,
    shifted,
    told_apart,
    transposed,
)
from stemgen_core.evaluation.tables import Cell, Table
from stemgen_core.instruments import find_instrument
from stemgen_core.score import crop_notes
from stemgen_core.types import Waveform

_MIN_DISTANCE_S = 2.0  # between the two windows of a piece, beside whole bars


@dataclass(frozen=True, slots=True)
class Case:
    """A context, the stem that belongs to it, and the same stem's notes at another time of the piece.

    Attributes:
        piece: index in the corpus.
        context: mono.
        true: the stem that belongs there.
        elsewhere: the same stem in another window; None where the piece is too short or it rests there.
        facts: of the window.
    """

    piece: str
    context: Waveform
    true: Candidate
    elsewhere: Candidate | None
    facts: PieceFacts


def draw_case(entry: CorpusPiece, offered: Sequence[str], window_s: float, rng: np.random.Generator) -> Case | None:
    """Cut a window with a target and a context out of a piece; None where too little plays."""
    rate_hz = round(entry.audio.shape[1] / entry.piece.duration_s)
    length, total = round(window_s * rate_hz), entry.audio.shape[1]
    if total < length:
        return None
    start = int(rng.integers(total - length + 1))
    playing = {
        index: stem
        for index in range(len(entry.piece.stems))
        if (stem := _cut(entry, index, start, length, rate_hz)) is not None
    }
    targets = [index for index, stem in playing.items() if stem.instrument in offered]
    if len(playing) < 2 or not targets:
        return None
    target = int(rng.choice(targets))
    others = [index for index in playing if index != target]
    heard = rng.choice(others, size=int(rng.integers(1, len(others) + 1)), replace=False)
    context = torch.stack([playing[int(index)].audio.samples for index in heard]).sum(0)
    starts = [
        other
        for other in range(0, total - length + 1, rate_hz // 10)
        if abs(other - start) >= _MIN_DISTANCE_S * rate_hz
    ]
    elsewhere = _cut(entry, target, int(rng.choice(starts)), length, rate_hz) if starts else None
    facts = facts_of_window(entry.piece, start / rate_hz, (start + length) / rate_hz)
    return Case(str(entry.index), Waveform(context, rate_hz), playing[target], elsewhere, facts)


def _cut(entry: CorpusPiece, index: int, start: int, length: int, rate_hz: int) -> Candidate | None:
    """Return a stem in a window, or None where it hardly plays."""
    stem = entry.piece.stems[index]
    notes = tuple(crop_notes(stem.notes, start / rate_hz, (start + length) / rate_hz))
    samples = entry.audio[index, start : start + length].astype(np.float32) / 32_768
    if len(notes) < MIN_NOTES or float(np.sqrt(np.square(samples).mean())) < MIN_RMS:
        return None
    return Candidate(stem.instrument, Waveform(torch.from_numpy(samples[None]), rate_hz), notes)


def near_misses(cases: Sequence[Case], seed: int) -> dict[str, list[Candidate | None]]:
    """Return for each kind a near miss of every case; None where there is none of that kind (drums have no key)."""
    rng = np.random.default_rng(seed)
    partners = random_partners([case.piece for case in cases], [case.true.instrument for case in cases], seed)
    found: dict[str, list[Candidate | None]] = {kind: [] for kind in KINDS}
    for case, partner in zip(cases, partners, strict=True):
        beats_s = case.facts.beats_s
        beat_s = float(np.median(np.diff(beats_s))) if len(beats_s) > 1 else 0.5
        is_drums = find_instrument(case.true.instrument).is_drums
        semitones = int(rng.choice(TRANSPOSITIONS))
        found["other_piece"].append(cases[partner].true)
        found["other_window"].append(case.elsewhere)
        found["shifted"].append(shifted(case.true, float(rng.choice(SHIFTS_BEATS)) * beat_s))
        found["transposed"].append(None if is_drums else transposed(case.true, semitones))
    return found


def fit_score(context: Waveform, stem: Candidate) -> float | None:
    """Return the mean of the agreements that the studio shows, 0..1; None where neither could be measured."""
    fit = measure_fit(context, stem.audio)
    agreements = [value for value in (fit.onset_agreement, fit.harmony_agreement) if value is not None]
    return float(np.mean(agreements)) if agreements else None


def run(bench: Bench, report: Report) -> list[Table]:
    """Let every score that could choose tell true stems from near misses."""
    plan = bench.plan
    rng = np.random.default_rng(plan.seed)
    cases: list[Case] = []
    for number in range(20 * plan.size.judged):
        if len(cases) < plan.size.judged:
            entry = bench.held_out[number % len(bench.held_out)]
            case = draw_case(entry, bench.offered, plan.window_s, rng)
            cases += [] if case is None else [case]
    misses = near_misses(cases, plan.seed)
    scorers: dict[str, PairScorer] = {"fit (agreements on audio)": fit_score}
    scorers |= {name: partial(bench.score_pair, judge) for name, judge in bench.judges.items()}
    rows: list[tuple[Cell, ...]] = []
    apart: dict[str, dict[str, np.ndarray]] = {}
    total = len(scorers) * (1 + len(KINDS))
    for number, (name, scorer) in enumerate(scorers.items()):
        first = number * (1 + len(KINDS))
        found, apart[name] = _judge(name, scorer, cases, misses, lambda done, first=first: report(first + done, total))
        rows += found
    model, *others = bench.judges
    return [
        Table(
            "judging",
            "Choosing well: which score tells true pairs from near misses?",
            f"{len(cases)} held-out windows. *Told apart*: the true stem scores higher than its near miss in the same"
            " context; 0.5 is chance. *Area*: any true stem above any near miss (one threshold for all contexts)."
            " Near misses: a stem of the same instrument of another piece; the same stem at another time of the piece"
            " (in music that repeats it may fit as well); shifted by 0.15 to 0.43 of a beat; transposed by 1 to 6"
            " semitones (no drums).",
            ("score", "near miss", "told apart", "area under curve", "s per pair"),
            tuple(rows),
        ),
        *(_compare(name, apart[name], model, apart[model]) for name in others),
    ]


def _compare(name: str, apart: dict[str, np.ndarray], other: str, apart_by_other: dict[str, np.ndarray]) -> Table:
    """Say by how much one score tells more near misses apart than another, on the same pairs."""
    gains = {kind: apart[kind] - apart_by_other[kind] for kind in KINDS}
    gains["all"] = np.nanmean(np.stack(list(gains.values())), axis=0)  # windows are drawn together with all their kinds
    return Table(
        "judging_gain",
        f"The {name} against the {other}",
        f"Told apart by the {name} less by the {other}, window by window; all: the mean of a window's kinds.",
        ("near miss", "gain"),
        tuple((kind, mean_interval(gain)) for kind, gain in gains.items()),
    )


def _judge(
    name: str,
    scorer: PairScorer,
    cases: Sequence[Case],
    misses: dict[str, list[Candidate | None]],
    report: Callable[[int], None],
) -> tuple[list[tuple[Cell, ...]], dict[str, np.ndarray]]:
    """Return a row of the table per kind, and per kind whether each case was told apart, nan where it is no case."""
    contexts, started = [case.context for case in cases], time.monotonic()
    true = score_all(scorer, contexts, [case.true for case in cases])
    seconds = (time.monotonic() - started) / max(1, len(cases))
    rows: list[tuple[Cell, ...]] = []
    apart: dict[str, np.ndarray] = {}
    for number, kind in enumerate(KINDS):
        report(number + 1)
        # A case without such a near miss is no case; a score without an answer is half right.
        which = [index for index, miss in enumerate(misses[kind]) if miss is not None]
        scores = score_all(scorer, [contexts[index] for index in which], [misses[kind][index] for index in which])
        area = evaluate(true[which], scores)["area_under_curve"]
        apart[kind] = np.full(len(cases), np.nan)
        apart[kind][which] = told_apart(true[which], scores)
        rows.append((name, kind, mean_interval(apart[kind]), area, seconds))
    report(1 + len(KINDS))
    return rows, apart
