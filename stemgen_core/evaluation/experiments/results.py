"""What experiments leave in a folder, and the page of all their tables.

Conventions: a result belongs to a plan if model, corpus, decoding settings, windows and seed are the plan's. Others may
lie in the same folder; they are left out, since their figures don't compare.
"""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from stemgen_core.checkpoint import read_manifest
from stemgen_core.corpus.storage import Corpus
from stemgen_core.errors import InvalidRequestError
from stemgen_core.evaluation.experiments.bench import BenchPlan
from stemgen_core.evaluation.tables import Table, join_markdown, table_from_json
from stemgen_core.sampling.judge import judge_name


def key_of(plan: BenchPlan) -> dict[str, Any]:
    """Return what figures must share to compare, JSON values.

    Raises:
        CheckpointError: if there is no model.
        InvalidRequestError: if there is no corpus.
    """
    manifest = read_manifest(plan.bundle)
    key = {
        "model_id": manifest.model_id,
        "settings": asdict(plan.settings),
        "window_s": plan.window_s,
        "seed": plan.seed,
        "corpus": Corpus.open(plan.corpus).manifest,
    }
    if plan.settings.num_candidates > 1:  # otherwise nobody chooses
        key["judge"] = judge_name(manifest)
    return json.loads(json.dumps(key))  # a tuple of steps is a list in the files


def write_result(plan: BenchPlan, name: str, tables: Sequence[Table], *, seconds: float, cpu_seconds: float) -> None:
    """Write what one experiment found as `<name>.json`.

    Args:
        plan: what it worked with.
        name: of the experiment.
        tables: what it found.
        seconds: by the clock.
        cpu_seconds: of processor time.
    """
    record = {
        **key_of(plan),
        "size": asdict(plan.size),
        "num_held_out": len(Corpus.open(plan.corpus).pieces("heldout")),
        "machine": machine(),
        "seconds": round(seconds),
        "cpu_seconds": round(cpu_seconds),
        "tables": [table.to_json() for table in tables],
    }
    part = plan.out / f"{name}.part"
    part.write_text(json.dumps(_without_nan(record), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    part.rename(plan.out / f"{name}.json")


def read_results(plan: BenchPlan, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the named experiments left in the plan's folder, in their order; what is of another plan is not."""
    key = key_of(plan)
    paths = [plan.out / f"{name}.json" for name in names]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()]
    return [record for record in records if {name: record.get(name) for name in key} == key]


def read_tables(plan: BenchPlan, names: Sequence[str]) -> list[Table]:
    """Return the tables that the named experiments left, in their order."""
    return [table_from_json(table) for record in read_results(plan, names) for table in record["tables"]]


def write_page(plan: BenchPlan, names: Sequence[str], path: Path) -> str:
    """Write the tables of the named experiments as Markdown, ready for the model's card; returns the text.

    Raises:
        InvalidRequestError: if the plan's folder holds none of them.
    """
    records = read_results(plan, names)
    if not records:
        raise InvalidRequestError(
            f"{plan.out} holds no results of {read_manifest(plan.bundle).model_id} with this corpus and these settings."
            " Run `stemgen evaluate` first."
        )
    first = records[0]
    decoding = _settings_text(first["settings"], first.get("judge"))
    minutes = [sum(record[what] for record in records) / 60 for what in ("seconds", "cpu_seconds")]
    head = [
        "## How well it listens, table by table",
        "",
        f"Model `{first['model_id']}`; corpus of seed {first['corpus']['seed']}, {first['num_held_out']} held-out"
        f" pieces; windows of {first['window_s']:g} s; seed {first['seed']}. {decoding}",
        f"Measured on {', '.join(dict.fromkeys(record['machine'] for record in records))}: {minutes[0]:.0f} minutes by"
        f" the clock, {minutes[1]:.0f} of processor time, over all experiments.",
        "Means with 95 % bootstrap intervals; - where nothing could be measured.",
    ]
    text = join_markdown("\n".join(head), read_tables(plan, names))
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


def _settings_text(settings: dict[str, Any], judge: str | None) -> str:
    steps = ", ".join(map(str, settings["num_steps"]))
    form = "joint" if settings["has_joint_guidance"] else "eq. 3"
    count = settings["num_candidates"]
    choice = "no choice among candidates" if count == 1 else f"the best of {count} candidates as judged by {judge}"
    return (
        f"Decoding: steps {steps}; guidance {settings['context_guidance_scale']:g} for the context and"
        f" {settings['instrument_guidance_scale']:g} for the instrument ({form}),"
        f" {settings['density_guidance_share']:g} of it for density; causal bias"
        f" {settings['causal_bias']:g}; top p {settings['top_p']:g}; temperature {settings['temperature']:g}; {choice}."
    )


def _without_nan(value: Any) -> Any:
    """Return JSON values with null for numbers that are none."""
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and value != value else value
