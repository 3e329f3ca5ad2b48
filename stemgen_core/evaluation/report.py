"""A table of every score, for generated stems between random pairs and true pairs.

Conventions: an item is one context with the stem that belongs to it and, where a model was asked, the stem it made.
What can be measured on the true stem but not on the generated one (it is silent, or noise) counts as the mean of random
pairs, so that a stem gains nothing by not being there. The random pair of an item is its context with the true stem of
another piece's item, of the same instrument where there is one. Without generated stems the table says what the scores
themselves are worth.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from stemgen_core.evaluation import beat, chords, harmony, instrument, level
from stemgen_core.evaluation.controls import Interval, mean_interval, position, random_partners
from stemgen_core.evaluation.hearing import Heard, hear
from stemgen_core.evaluation.items import EvaluationItem, PieceFacts
from stemgen_core.instruments import find_instrument
from stemgen_core.score import Note
from stemgen_core.types import Waveform

# Scores of the pairing, which random pairs set the floor of; the others judge the stem itself.
PAIR_SCORES = (
    "beat_f1", "same_tempo", "tempo_agreement", "onset_agreement", "late_ms", "grid_agreement",
    "chroma_contrast", "key_score", "chord_agreement", "chord_energy", "chord_tone_share", "root_share",
)  # fmt: skip
NOTE_SCORES = ("chord_tone_share", "root_share")

_NO_AUDIO = Waveform(torch.zeros(1, 0), 1)


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One line of the table.

    Attributes:
        random: random pairs.
        true: true pairs.
        generated: generated stems; None without any.
        position: 0 = as random pairs, 1 = as true pairs; None without generated stems, or where the score cannot
            tell true pairs from random ones.
    """

    random: Interval
    true: Interval
    generated: Interval | None
    position: Interval | None


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The table.

    Attributes:
        num_items: contexts.
        rows: by score name, as the modules of this package name them.
    """

    num_items: int
    rows: dict[str, ScoreRow]

    def to_json(self) -> dict[str, Any]:
        """Return the table as JSON values; what could not be measured is null."""
        return {
            "num_items": self.num_items,
            "scores": {
                name: {part: interval_json(getattr(row, part)) for part in ("random", "true", "generated", "position")}
                for name, row in self.rows.items()
            },
        }

    def to_markdown(self) -> str:
        """Return the table for people: means with 95 % intervals."""
        lines = ["| score | random pairs | generated | true pairs | position |", "|---|---|---|---|---|"]
        for name, row in self.rows.items():
            cells = (interval_cell(part) for part in (row.random, row.generated, row.true, row.position))
            lines.append(f"| {name} | {' | '.join(cells)} |")
        return "\n".join([*lines, "", f"{self.num_items} items; means with 95 % bootstrap intervals.", ""])


@dataclass(frozen=True, slots=True)
class HeardItem:
    """An evaluation item after analysis; its audio is no longer needed.

    Attributes:
        item: for its facts; `hear_item` leaves its audio out.
        context: what was listened to.
        true: the stem that belongs there.
        generated: the stem that the model made; None without one.
        generated_context: what the model listened to, where that is not the context of the true stem.
    """

    item: EvaluationItem
    context: Heard
    true: Heard
    generated: Heard | None = None
    generated_context: Heard | None = None


def hear_item(item: EvaluationItem) -> HeardItem:
    """Analyse an item and let go of its audio.

    Raises:
        AudioFormatError: if audio is empty or not finite.
    """
    return HeardItem(
        item=replace(item, context=_NO_AUDIO, true_stem=_NO_AUDIO, generated_stem=None),
        context=hear(item.context),
        true=hear(item.true_stem),
        generated=None if item.generated_stem is None else hear(item.generated_stem),
    )


def evaluate_items(items: Iterable[EvaluationItem], seed: int = 0) -> EvaluationReport:
    """Score every item's generated, random and true stem.

    Args:
        items: consumed one by one; of their audio only the analysis is kept, so any number may stream by.
        seed: of the random pairing and the bootstrap.

    Raises:
        ValueError: if there are no items, all are of one piece, or only some have a generated stem.
        AudioFormatError: if audio is empty or not finite.
        InvalidRequestError: if an instrument does not exist.
        MissingDependencyError: if mir_eval is not installed.
    """
    return evaluate_heard([hear_item(item) for item in items], seed)


def evaluate_heard(items: Sequence[HeardItem], seed: int = 0) -> EvaluationReport:
    """Score items that were analysed already; arguments and errors as for `evaluate_items`."""
    num_generated = sum(one.generated is not None for one in items)
    if num_generated not in (0, len(items)) or not items:
        raise ValueError(f"{num_generated} of {len(items)} items have a generated stem; it must be all or none")
    partners = random_partners([one.item.piece for one in items], [one.item.instrument for one in items], seed)
    scores: dict[str, list[dict[str, float | None]]] = {"random": [], "true": [], "generated": []}
    for one, partner in zip(items, partners, strict=True):
        stranger, known, name = items[partner], one.item.facts, one.item.instrument
        stranger_name, stranger_notes = stranger.item.instrument, stranger.item.true_notes
        scores["random"].append(score_pair(one.context, stranger.true, stranger_name, known, stranger_notes))
        scores["true"].append(score_pair(one.context, one.true, name, known, one.item.true_notes))
        if one.generated is not None:
            context = one.generated_context or one.context
            scores["generated"].append(score_pair(context, one.generated, name, known, one.item.generated_notes))
    return EvaluationReport(len(items), {name: _row(name, scores, seed) for name in scores["true"][0]})


def score_pair(
    context: Heard, stem: Heard, name: str, known: PieceFacts | None, notes: Sequence[Note] | None
) -> dict[str, float | None]:
    """Return every score of one pair; None where there was nothing to measure.

    Args:
        context: what was listened to.
        stem: what was played to it.
        name: the instrument that was asked for.
        known: what is known of the piece.
        notes: of the stem; None where unknown; of drums they say nothing here.
    """
    if find_instrument(name).is_drums:
        notes = None
    known_beats_s = None if known is None else np.array(known.beats_s)
    in_harmony = harmony.evaluate(context.pitches, stem.pitches, None if known is None else known.chords, notes)
    if name != "bass":
        in_harmony["root_share"] = None  # only of a bass are roots expected
    return {
        **beat.evaluate(context.onsets, stem.onsets, known_beats_s),
        **in_harmony,
        **chords.evaluate(context.pitches, stem.pitches, None if known is None else known.chords),
        **level.evaluate(context.level, stem.level),
        **instrument.evaluate(name, stem.pitches),
    }


def _row(name: str, scores: dict[str, list[dict[str, float | None]]], seed: int) -> ScoreRow:
    values = {
        part: np.array([math.nan if (value := one[name]) is None else value for one in found], dtype=np.float64)
        for part, found in scores.items()
    }
    has_generated = len(values["generated"]) > 0
    can_place = has_generated and name in PAIR_SCORES
    writes_no_notes = name in NOTE_SCORES and np.isnan(values["generated"]).all()
    if can_place and not writes_no_notes and not np.isnan(values["random"]).all():
        is_missing = np.isnan(values["generated"]) & ~np.isnan(values["true"])
        values["generated"][is_missing] = np.nanmean(values["random"])
    return ScoreRow(
        random=mean_interval(values["random"], seed),
        true=mean_interval(values["true"], seed),
        generated=mean_interval(values["generated"], seed) if has_generated else None,
        position=position(values["generated"], values["random"], values["true"], seed) if can_place else None,
    )


def interval_json(interval: Interval | None) -> dict[str, float | int | None] | None:
    """Return an interval as JSON values; what could not be measured is null."""
    if interval is None:
        return None
    ends = {name: getattr(interval, name) for name in ("mean", "low", "high")}
    return {**{k: None if math.isnan(v) else round(v, 4) for k, v in ends.items()}, "num_items": interval.num_items}


def interval_cell(interval: Interval | None) -> str:
    """Return an interval as people read it: mean (low to high)."""
    if interval is None or interval.num_items == 0:
        return "-"
    return f"{interval.mean:.2f} ({interval.low:.2f} to {interval.high:.2f})"
