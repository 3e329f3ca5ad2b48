"""Held-out pieces in the held-out soundfont: does the model listen, obey, follow a swap, and sound like the corpus?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stemgen_core.audio import mix_waveforms, to_mono
from stemgen_core.evaluation import diversity, obedience, swap
from stemgen_core.evaluation.controls import mean_interval, random_partners
from stemgen_core.evaluation.experiments.bench import Bench, Report
from stemgen_core.evaluation.experiments.populations import Populations
from stemgen_core.evaluation.hearing import Heard, hear
from stemgen_core.evaluation.held_out import held_out_items
from stemgen_core.evaluation.items import EvaluationItem
from stemgen_core.evaluation.report import EvaluationReport, HeardItem, evaluate_heard, hear_item
from stemgen_core.evaluation.tables import Cell, Table, score_cells
from stemgen_core.generator import GenerationRequest
from stemgen_core.types import Waveform

SCORE_HEADER = ("score", "random pairs", "generated", "true pairs", "position")
_VARIATIONS = 3
_SEED_STEP = 10_007  # from one variation of an item to the next


@dataclass(frozen=True, slots=True)
class _Made:
    """Items with what was generated for them, and their analysis."""

    items: list[EvaluationItem]
    heard: list[HeardItem]
    partners: list[int]


def run(bench: Bench, report: Report) -> list[Table]:
    """Generate for held-out windows and measure everything that can be measured on them."""
    size = bench.plan.size
    total = size.items + size.swaps + (_VARIATIONS - 1) * size.varied
    made = _make(bench, lambda done, _: report(done, total))
    pairs = evaluate_heard(made.heard, bench.plan.seed)
    tables = [pair_table(pairs), _obedience_table(bench, made)]
    tables.append(_swap_table(bench, made, lambda done: report(size.items + done, total)))
    tables.append(_diversity_table(bench, made, lambda done: report(size.items + size.swaps + done, total)))
    tables.append(_population_table(bench, made))
    return tables


def _make(bench: Bench, report: Report) -> _Made:
    plan = bench.plan
    items, heard = [], []
    for item in held_out_items(
        bench.generator,
        bench.held_out,
        num_items=plan.size.items,
        window_s=plan.window_s,
        settings=plan.settings,
        seed=plan.seed,
        report_progress=report,
    ):
        heard.append(hear_item(item))
        generated = None if item.generated_stem is None else to_mono(item.generated_stem)
        items.append(replace(item, generated_stem=generated))
    partners = random_partners([item.piece for item in items], [item.instrument for item in items], plan.seed)
    return _Made(items, heard, partners)


def pair_table(report: EvaluationReport) -> Table:
    """Return the table of every score between random pairs and true pairs."""
    return Table(
        "listening",
        "Does it listen? Held-out pieces, held-out soundfont",
        f"{report.num_items} windows from a fully hidden start; means with 95 % bootstrap intervals. Random pairs: the"
        " context with a stem of another piece, of the same instrument where there is one. Position: 0 = as random"
        " pairs, 1 = as true pairs. Lower is better for `late_ms`.",
        SCORE_HEADER,
        tuple((name, *score_cells(row)) for name, row in report.rows.items()),
    )


def generated_stem(item: EvaluationItem) -> Waveform:
    """Return the generated stem of an item that has one.

    Raises:
        ValueError: if it has none.
    """
    if item.generated_stem is None:
        raise ValueError(f"the item of piece {item.piece} has no generated stem")
    return item.generated_stem


def _obedience_table(bench: Bench, made: _Made) -> Table:
    classifier = bench.classifier("instrument")
    asked = [item.instrument for item in made.items]
    generated = obedience.evaluate(classifier, [generated_stem(item) for item in made.items], asked)
    true = obedience.evaluate(classifier, [item.true_stem for item in made.items], asked)
    rows: list[tuple[Cell, ...]] = [
        (
            "all",
            mean_interval(generated["by_chance"]),
            mean_interval(generated["obeyed"]),
            mean_interval(true["obeyed"]),
            obedience.accuracy(classifier, "known"),
        )
    ]
    for name in sorted(set(asked)):
        which = np.array([one == name for one in asked])
        cells = (mean_interval(each[which]) for each in (generated["by_chance"], generated["obeyed"], true["obeyed"]))
        rows.append((f"{name} ({int(which.sum())})", *cells, None))
    unheard = obedience.accuracy(classifier, "unheard")
    return Table(
        "obedience",
        "Is it the instrument that was asked for?",
        "A classifier (log-mel statistics, two hidden layers; "
        f"{classifier.facts['num_stems']} stems of training pieces) says which of {len(classifier.labels)} instruments"
        " it hears; share that is heard as asked for. *Chance* answers another item's request. *Known sounds*: its"
        " accuracy on true stems of pieces it never heard in the training soundfonts, which is the ceiling of generated"
        f" stems; in the held-out soundfont its accuracy is {unheard.mean:.2f} ({unheard.low:.2f} to"
        f" {unheard.high:.2f}, {unheard.num_items} stems).",
        ("asked for", "chance", "generated", "true stems, held-out sounds", "true stems, known sounds"),
        tuple(rows),
    )


def _swap_table(bench: Bench, made: _Made, report: Callable[[int], None]) -> Table:
    scores: dict[str, list[dict[str, float | None]]] = {"random": [], "generated": [], "true": []}
    chosen = np.random.default_rng(bench.plan.seed).permutation(len(made.items))[: bench.plan.size.swaps]
    for done, index in enumerate(chosen.tolist()):
        item, partner = made.items[index], made.partners[index]
        here, there = made.heard[index], made.heard[partner]
        request = GenerationRequest(item.instrument, item.seed, bench.plan.settings)
        moved = hear(bench.generator.generate(made.items[partner].context, request).stem)
        if here.generated is None:
            raise ValueError(f"item {index} has no generated stem")
        scores["generated"].append(swap.evaluate(here.context, there.context, here.generated, moved))
        scores["true"].append(swap.evaluate(here.context, there.context, here.true, there.true))
        strangers = _strangers(made, index, partner)
        scores["random"].append(swap.evaluate(here.context, there.context, *strangers))
        report(done + 1)
    rows = tuple(
        (name, *(mean_interval(_column(scores[part], name)) for part in ("random", "generated", "true")))
        for name in swap.SCORES
    )
    return Table(
        "swap",
        "Context swap: same seed, other context",
        "Share of cases in which the stem agrees with the new context better than the stem made for the old one"
        " (*follows*), and with the old context worse (*leaves*); ties count one half. Random: two stems of other"
        " pieces, 0.5 by construction but for luck. True: the stems that belong to the two contexts.",
        ("score", "random pairs", "generated", "true pairs"),
        rows,
    )


def _strangers(made: _Made, index: int, partner: int) -> tuple[Heard, Heard]:
    """Return the true stems of two items that have to do with neither context."""
    own = {made.items[index].piece, made.items[partner].piece}
    others = [one for one, item in enumerate(made.items) if item.piece not in own] or [index]
    rng = np.random.default_rng(index)
    first, second = rng.choice(others, 2)
    return made.heard[first].true, made.heard[second].true


def _column(rows: Sequence[dict[str, float | None]], name: str) -> np.ndarray:
    return np.array([np.nan if row[name] is None else row[name] for row in rows], np.float64)


def _diversity_table(bench: Bench, made: _Made, report: Callable[[int], None]) -> Table:
    names = ("onset_distance", "chroma_distance")
    generated: list[dict[str, float | None]] = []
    between: list[dict[str, float | None]] = []
    count = 0
    for index in range(min(bench.plan.size.varied, len(made.items))):
        item, heard, partner = made.items[index], made.heard[index], made.heard[made.partners[index]]
        variations = [heard.generated] if heard.generated is not None else []
        for number in range(1, _VARIATIONS):
            request = GenerationRequest(item.instrument, item.seed + _SEED_STEP * number, bench.plan.settings)
            variations.append(hear(bench.generator.generate(item.context, request).stem))
            count += 1
            report(count)
        generated.append(_distances(variations))
        between.append(_distances([heard.true, partner.true]))
    rows = tuple((name, *(mean_interval(_column(part, name)) for part in (generated, between))) for name in names)
    return Table(
        "diversity",
        "How different are variations of one request?",
        f"Means over {_VARIATIONS} variations of {len(generated)} requests; 0 = the same, 1 = nothing in common. Beside"
        " them: true stems of two different pieces, as different as stems get.",
        ("distance", "variations of one request", "stems of two pieces"),
        rows,
    )


def _distances(sounds: Sequence[Heard]) -> dict[str, float | None]:
    return dict(diversity.evaluate([one.onsets for one in sounds], [one.pitches for one in sounds]))


def _population_table(bench: Bench, made: _Made) -> Table:
    populations = Populations.of_bench(bench, len(made.items))
    generated = [mix_waveforms([item.context, generated_stem(item)]) for item in made.items]
    true = [mix_waveforms([item.context, item.true_stem]) for item in made.items]
    random = [
        mix_waveforms([item.context, made.items[partner].true_stem])
        for item, partner in zip(made.items, made.partners, strict=True)
    ]
    return populations.table(random, generated, true, [generated_stem(item) for item in made.items])
