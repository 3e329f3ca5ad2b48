"""`stemgen synthesize`: make a corpus."""

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stemgen_core.cli.options import follow_with


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    parser = commands.add_parser("synthesize", help="compose and render a corpus to train on")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the corpus; one that was begun is finished")
    parser.add_argument("--pieces", type=int, default=1000, metavar="N", help="how many in all (%(default)s)")
    parser.add_argument("--seconds", type=float, default=24.0, metavar="X", help="length of each (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which corpus (%(default)s)")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="side by side (%(default)s)")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Make or finish the corpus, with a progress bar."""
    from stemgen_core.corpus.storage import synthesize_corpus

    with tqdm(total=parsed.pieces, unit="piece") as bar:
        corpus = synthesize_corpus(
            parsed.folder,
            num_pieces=parsed.pieces,
            seed=parsed.seed,
            duration_s=parsed.seconds,
            num_processes=parsed.processes,
            report_progress=follow_with(bar),
        )
    print(
        f"{len(corpus.pieces('train'))} pieces to train on, {len(corpus.pieces('heldout'))} held out: {parsed.folder}"
    )
