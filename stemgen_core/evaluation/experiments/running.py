"""Run experiments, one after another or side by side, and put their tables on one page.

Each experiment leaves `<name>.json` in the output folder, so that one can be rerun alone and the page keeps the rest;
results of another model are left out.
"""

import json
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from stemgen_core.checkpoint import read_manifest
from stemgen_core.corpus.storage import Corpus
from stemgen_core.errors import InvalidRequestError
from stemgen_core.evaluation.experiments import clips, held_out_tables, judging, layering, requests, settings_tables
from stemgen_core.evaluation.experiments.bench import Bench, BenchPlan, Report
from stemgen_core.evaluation.tables import Table, join_markdown, table_from_json

EXPERIMENTS: dict[str, Callable[[Bench, Report], list[Table]]] = {
    "held-out": held_out_tables.run,
    "layering": layering.run,
    "clips": clips.run,
    "settings": settings_tables.run,
    "requests": requests.run,
    "judging": judging.run,
}
_LONGEST_FIRST = ("settings", "held-out", "layering", "requests", "clips", "judging")
_NEED_CLASSIFIER = ("held-out", "settings")


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
        All tables of this model that the output folder holds, in the page's order.

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
    if any(name in _NEED_CLASSIFIER for name in names):
        Bench.open(plan).classifier("instrument", report=lambda done, total: told("classifier", done, total))
    ordered = [name for name in _LONGEST_FIRST if name in names]
    if num_processes == 1 or len(ordered) == 1:
        for name in ordered:
            _run_one(plan, name, lambda done, total, name=name: told(name, done, total))
    else:
        # Spawned, not forked: a forked child would share the parent's threads.
        with multiprocessing.get_context("spawn").Pool(num_processes) as pool:
            for name in pool.imap_unordered(_run_quietly, [(plan, name) for name in ordered], chunksize=1):
                told(name, 1, 1)
    return read_tables(plan.out, read_manifest(plan.bundle).model_id)


def _run_quietly(task: tuple[BenchPlan, str]) -> str:
    torch.set_num_threads(1)  # side by side, threads of one would wait for those of the other
    _run_one(*task, lambda _done, _total: None)
    return task[1]


def _run_one(plan: BenchPlan, name: str, report: Report) -> None:
    bench, started = Bench.open(plan), time.monotonic()
    tables = EXPERIMENTS[name](bench, report)
    record = {
        "model_id": bench.generator.model_id,
        "settings": asdict(plan.settings),
        "size": asdict(plan.size),
        "window_s": plan.window_s,
        "seed": plan.seed,
        "corpus": {"manifest": bench.corpus.manifest, "held_out": len(bench.held_out)},
        "machine": machine(),
        "seconds": round(time.monotonic() - started),
        "tables": [table.to_json() for table in tables],
    }
    part = plan.out / f"{name}.part"
    part.write_text(json.dumps(_without_nan(record), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    part.rename(plan.out / f"{name}.json")


def read_tables(folder: Path, model_id: str) -> list[Table]:
    """Return the tables of one model that a folder holds, in the page's order."""
    return [table_from_json(table) for record in read_records(folder, model_id) for table in record["tables"]]


def read_records(folder: Path, model_id: str) -> list[dict[str, Any]]:
    """Return what experiments with one model left in a folder."""
    paths = [folder / f"{name}.json" for name in EXPERIMENTS]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()]
    return [record for record in records if record["model_id"] == model_id]


def write_page(folder: Path, model_id: str, path: Path) -> str:
    """Write all tables of one model as Markdown, ready for the model's card; returns the text.

    Raises:
        InvalidRequestError: if the folder holds none of this model.
    """
    records = read_records(folder, model_id)
    if not records:
        raise InvalidRequestError(f"{folder} holds no results of {model_id}. Run `stemgen evaluate` first.")
    first = records[0]
    manifest, seconds = first["corpus"]["manifest"], sum(record["seconds"] for record in records)
    head = [
        "## How well it listens, table by table",
        "",
        f"Model `{model_id}`; corpus of seed {manifest['seed']}, {first['corpus']['held_out']} held-out pieces;"
        f" windows of {first['window_s']:g} s; seed {first['seed']}. {_settings_text(first['settings'])}",
        f"Measured on {first['machine']}, {seconds / 60:.0f} minutes of one core's time or less.",
        "Means with 95 % bootstrap intervals; - where nothing could be measured.",
    ]
    text = join_markdown("\n".join(head), read_tables(folder, model_id))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return text


def machine() -> str:
    """Return the processor, how many of its cores there are, and the version of torch."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        models = [line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        name = models[0].split(":", 1)[1].strip() if models else name
    return f"{os.cpu_count()} cores of {name}, torch {torch.__version__}"


def _settings_text(settings: dict[str, Any]) -> str:
    steps = ", ".join(map(str, settings["num_steps"]))
    form = "joint" if settings["has_joint_guidance"] else "eq. 3"
    return (
        f"Decoding: steps {steps}; guidance {settings['context_guidance_scale']:g} for the context and"
        f" {settings['instrument_guidance_scale']:g} for the instrument ({form}); causal bias"
        f" {settings['causal_bias']:g}; top p {settings['top_p']:g}; temperature {settings['temperature']:g}."
    )


def _without_nan(value: Any) -> Any:
    """Return JSON values with null for numbers that are none."""
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and value != value else value
