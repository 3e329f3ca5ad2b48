"""Asked for by genre or by stem category, as the paper's `mingus` model is: does the stem become what was asked for?

Conventions: held-out windows, each asked for a drawn value that has nothing to do with its context. A classifier of the
label says what it hears; beside it stands what it hears in the same windows, seeds and instruments where the value was
not asked for.
"""

from dataclasses import replace

import numpy as np

from stemgen_core.audio import to_mono
from stemgen_core.evaluation import obedience
from stemgen_core.evaluation.controls import mean_interval
from stemgen_core.evaluation.experiments.bench import Bench, Report
from stemgen_core.evaluation.held_out import held_out_windows
from stemgen_core.evaluation.items import EvaluationItem
from stemgen_core.evaluation.tables import Cell, Table
from stemgen_core.generator import GenerationRequest

_CATEGORIES_OF = {"drums": ("percussive",), "percussive": ("percussive",), "bass": ("bass",)}
_OTHER_CATEGORIES = ("melodic", "harmonic")


def run(bench: Bench, report: Report) -> list[Table]:
    """Ask for drawn genres and categories; without rows for what the model was not trained to be asked for."""
    plan = bench.plan
    windows = list(
        held_out_windows(
            bench.held_out,
            bench.offered,
            num_items=plan.size.requests,
            window_s=plan.window_s,
            seed=plan.seed + 2,
        )
    )
    fields = list(bench.wishes)
    rows = []
    for number, name in enumerate(fields):
        rows.append(_ask(bench, name, windows, lambda done, at=number: report(at * len(windows) + done, 0)))
    return [
        Table(
            "requests",
            "Asked for by genre and by stem category",
            f"{len(windows)} held-out windows, each asked for a drawn genre (or for melodic or harmonic playing, where"
            " the instrument can do both) that has nothing to do with the context; share that a classifier hears as"
            " asked for. *Not asked*: the same windows and seeds without the wish. *True stems*: the classifier's"
            " accuracy on true stems of pieces it never heard, which bounds what can be seen."
            + ("" if fields else " This model was trained with neither."),
            ("asked for by", "not asked", "asked", "true stems, known sounds", "true stems, held-out sounds"),
            tuple(rows),
        )
    ]


def _ask(bench: Bench, name: str, windows: list[EvaluationItem], report: Report) -> tuple[Cell, ...]:
    """Return one row: a label asked for and not asked for."""
    classifier = bench.classifier(name)
    rng = np.random.default_rng(bench.plan.seed)
    values = [value for value in bench.wishes[name] if value in classifier.labels]
    asked, plain, wished = [], [], []
    for number, item in enumerate(windows):
        request = GenerationRequest(item.instrument, item.seed, bench.plan.settings)
        choices = values if name == "genre" else _CATEGORIES_OF.get(item.instrument, _OTHER_CATEGORIES)
        if len(choices) > 1:
            asked.append(str(rng.choice(choices)))
            wish = replace(request, **{name: asked[-1]})
            wished.append(to_mono(bench.generator.generate(item.context, wish).stem))
            plain.append(to_mono(bench.generator.generate(item.context, request).stem))
        report(number + 1, len(windows))
    shares = (obedience.evaluate(classifier, stems, asked)["obeyed"] for stems in (plain, wished))
    bounds = (obedience.accuracy(classifier, kind) for kind in ("known", "unheard"))
    return (f"{name.replace('_', ' ')} ({len(asked)})", *map(mean_interval, shares), *bounds)
