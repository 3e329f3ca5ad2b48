"""Run experiments, one after another or side by side.

Each experiment leaves `<name>.json` in the output folder, so that one can be rerun alone and the page keeps the rest.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence

import torch

from stemgen_core.corpus.storage import Corpus
from stemgen_core.errors import InvalidRequestError
from stemgen_core.evaluation.experiments import clips, held_out_tables, judging, layering, requests, settings_tables
from stemgen_core.evaluation.experiments.bench import Bench, BenchPlan, Report
from stemgen_core.evaluation.experiments.results import read_tables, write_result
from stemgen_core.evaluation.tables import Table

EXPERIMENTS: dict[str, Callable[[Bench, Report], list[Table]]] = {
    "held-out": held_out_tables.run,
    "layering": layering.run,
    "clips": clips.run,
    "settings": settings_tables.run,
    "requests": requests.run,
    "judging": judging.run,
}
_LONGEST_FIRST = ("settings", "held-out", "layering", "requests", "clips", "judging")
_NEED_INSTRUMENT = ("held-out", "settings")


def run_experiments(
    plan: BenchPlan,
    names: Sequence[str],
    *,
    num_processes: int = 1,
    report: Callable[[str, int, int], None] | None = None,
) -> list[Table]:
    """Run experiments and write their results.

    Args:
        plan: what they work with.
        names: keys of `EXPERIMENTS`.
        num_processes: experiments side by side; progress is reported only when one is done.
        report: called with the experiment, what is done of it and of how much (0 where that isn't known).

    Returns:
        All tables of this plan that the output folder holds, in the page's order.

    Raises:
        InvalidRequestError: if there is no such experiment, or the corpus is too small for one.
        CheckpointError: if the model can't be loaded.
    """
    unknown = [name for name in names if name not in EXPERIMENTS]
    if unknown or num_processes < 1:
        raise InvalidRequestError(
            f"There is no experiment called {', '.join(unknown)!r}. Choose among: {', '.join(EXPERIMENTS)}."
            if unknown
            else f"At least one process is needed, got {num_processes}."
        )
    Corpus.open(plan.corpus)  # nothing is written where there is nothing to measure with
    plan.out.mkdir(parents=True, exist_ok=True)
    told = report or (lambda _name, _done, _total: None)
    _make_classifiers(Bench.open(plan), names, lambda done, total: told("classifier", done, total))
    ordered = [name for name in _LONGEST_FIRST if name in names]
    if num_processes == 1 or len(ordered) == 1:
        for name in ordered:
            _run_one(plan, name, lambda done, total, name=name: told(name, done, total))
    else:
        # Spawned, not forked: a forked child would share the parent's threads.
        with multiprocessing.get_context("spawn").Pool(num_processes) as pool:
            for name in pool.imap_unordered(_run_quietly, [(plan, name) for name in ordered], chunksize=1):
                told(name, 1, 1)
    return read_tables(plan, tuple(EXPERIMENTS))


def _make_classifiers(bench: Bench, names: Sequence[str], report: Report) -> None:
    """Make what experiments need before they part: the corpus is heard once for all labels."""
    labels = ["instrument"] if any(name in _NEED_INSTRUMENT for name in names) else []
    labels += list(bench.wishes) if "requests" in names else []
    for label in labels:
        bench.classifier(label, report=report)


def _run_quietly(task: tuple[BenchPlan, str]) -> str:
    torch.set_num_threads(1)  # side by side, threads of one would wait for those of the other
    _run_one(*task, lambda _done, _total: None)
    return task[1]


def _run_one(plan: BenchPlan, name: str, report: Report) -> None:
    bench, started, cpu_started = Bench.open(plan), time.monotonic(), time.process_time()
    tables = EXPERIMENTS[name](bench, report)
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu_started
    write_result(plan, name, tables, seconds=seconds, cpu_seconds=cpu_seconds)
