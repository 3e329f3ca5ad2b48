"""`stemgen evaluate`: does a model listen? On held-out pieces, between random pairs and true pairs."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stemgen_core.cli.options import add_model, add_sampling, follow_with, load_generator, read_sampling


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    parser = commands.add_parser("evaluate", help="measure how well a model listens")
    parser.add_argument("corpus", type=Path, metavar="FOLDER", help="as `stemgen synthesize` makes it")
    parser.add_argument("--items", type=int, default=100, metavar="N", help="windows to generate for (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="X", help="length of each (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of windows and variations (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for evaluation.json and .md")
    add_sampling(parser)
    add_model(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Generate, measure, write the table and print it."""
    from stemgen_core.corpus.storage import Corpus
    from stemgen_core.evaluation.held_out import held_out_items
    from stemgen_core.evaluation.report import evaluate_items

    settings = read_sampling(parsed)
    pieces = Corpus.open(parsed.corpus).pieces("heldout")
    generator = load_generator(parsed.model)
    with tqdm(total=parsed.items, unit="stem") as bar:
        items = held_out_items(
            generator,
            pieces,
            num_items=parsed.items,
            window_s=parsed.seconds,
            settings=settings,
            seed=parsed.seed,
            report_progress=follow_with(bar),
        )
        report = evaluate_items(items)
    parsed.out.mkdir(parents=True, exist_ok=True)
    record = {"model_id": generator.model_id, "preset": parsed.preset, "settings": asdict(settings)} | report.to_json()
    (parsed.out / "evaluation.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (parsed.out / "evaluation.md").write_text(report.to_markdown(), encoding="utf-8")
    print(report.to_markdown())
