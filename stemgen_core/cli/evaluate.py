"""`stemgen evaluate`: does a model listen? On held-out pieces, between random pairs and true pairs."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stemgen_core.cli.options import add_model, add_sampling, read_sampling
from stemgen_core.errors import InvalidRequestError

_ALL = "held-out,layering,clips,settings,requests,judging"


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "evaluate",
        help="measure how well a model listens",
        description="Measure how well a model listens. Writes one .json per experiment and tables.md; experiments that"
        " ran before with the same model, corpus and settings stay on the page, so each can be rerun alone.",
    )
    parser.add_argument("corpus", type=Path, metavar="FOLDER", help="as `stemgen synthesize` makes it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for results and classifiers")
    parser.add_argument(
        "--experiments", metavar="NAME,...", help=f"of {_ALL}; all, but clips only with --contexts, without this option"
    )
    parser.add_argument("--contexts", type=Path, metavar="DIR", help="folder of clips to start from")
    parser.add_argument("--tables", type=Path, metavar="FILE", help="where the tables go as Markdown (DIR/tables.md)")
    parser.add_argument("--size", choices=("quick", "usual", "full"), default="usual", help="how much (%(default)s)")
    parser.add_argument("--quick", action="store_const", const="quick", dest="size", help="the same as --size quick")
    parser.add_argument("--items", type=int, metavar="N", help="held-out windows, instead of what the size says")
    parser.add_argument("--lines", type=int, metavar="N", help="windows per line of the tables of settings, likewise")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="X", help="length of windows (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of windows and variations (%(default)s)")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="experiments side by side (%(default)s)")
    parser.add_argument(
        "--embedding",
        type=Path,
        metavar="PATH",
        help="weights for one more Frechet distance: VGGish (.safetensors) or a folder of CLAP",
    )
    parser.add_argument(
        "--beside", type=Path, metavar="BUNDLE", help="another model, for one more line in the tables of settings"
    )
    parser.add_argument(
        "--listener",
        type=Path,
        metavar="FILE",
        help="of `stemgen train listener`, to be judged in place of the bundle's own",
    )
    add_sampling(parser)
    add_model(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the experiments, write the tables and print them."""
    from stemgen_core.evaluation.experiments.bench import SIZES, BenchPlan
    from stemgen_core.evaluation.experiments.results import write_page
    from stemgen_core.evaluation.experiments.running import EXPERIMENTS, run_experiments

    size = SIZES[parsed.size]
    if parsed.items is not None:
        if parsed.items < 2:
            raise InvalidRequestError(f"An evaluation needs 2 items or more, got {parsed.items}.")
        size = replace(
            size,
            items=parsed.items,
            judged=parsed.items,
            swaps=min(size.swaps, parsed.items),
            varied=min(size.varied, parsed.items),
        )
    if parsed.lines is not None:
        if parsed.lines < 2:
            raise InvalidRequestError(f"A line of a table needs 2 windows or more, got {parsed.lines}.")
        size = replace(size, per_setting=parsed.lines)
    plan = BenchPlan(
        bundle=parsed.model,
        corpus=parsed.corpus,
        out=parsed.out,
        contexts=parsed.contexts,
        settings=read_sampling(parsed),
        size=size,
        window_s=parsed.seconds,
        seed=parsed.seed,
        embedding=parsed.embedding,
        beside=parsed.beside,
        listener=parsed.listener,
    )
    names = _ALL.split(",") if parsed.experiments is None else parsed.experiments.split(",")
    if parsed.experiments is None and parsed.contexts is None:
        names.remove("clips")
    with _Progress() as progress:
        run_experiments(plan, names, num_processes=parsed.processes, report=progress)
    print(write_page(plan, tuple(EXPERIMENTS), parsed.tables or parsed.out / "tables.md"))


class _Progress:
    """One bar per experiment."""

    def __init__(self) -> None:
        self._bars: dict[str, Any] = {}

    def __enter__(self) -> Callable[[str, int, int], None]:
        return self._report

    def __exit__(self, *_: object) -> None:
        for bar in self._bars.values():
            bar.close()

    def _report(self, name: str, done: int, total: int) -> None:
        if name not in self._bars:
            self._bars[name] = tqdm(desc=name, total=total or None, file=sys.stderr)
        self._bars[name].update(done - self._bars[name].n)
