"""`stemgen examples`: a page of examples to hear and see, from a model."""

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stemgen_core.cli.options import add_model, add_sampling, load_generator, read_sampling
from stemgen_core.errors import InvalidRequestError


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    parser = commands.add_parser("examples", help="write a page of examples to hear and see")
    parser.add_argument("out", type=Path, metavar="DIR", help="folder for index.html, sounds and pictures")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="take test-set examples from its held-out pieces")
    parser.add_argument("--contexts", type=Path, metavar="DIR", help="build upon every clip in this folder")
    parser.add_argument(
        "--recordings", type=Path, metavar="DIR", help="add every sound in this folder: what was played live"
    )
    parser.add_argument("--count", type=int, default=6, metavar="N", help="of test-set examples (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of windows and stems (%(default)s)")
    add_sampling(parser)
    add_model(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Generate and write the page."""
    from stemgen_core.corpus.storage import Corpus
    from stemgen_core.evaluation.examples_page import RECORDING_SUFFIXES, ExamplesPage, write_examples
    from stemgen_core.evaluation.experiments.clips import read_clips

    if parsed.corpus is None and parsed.contexts is None and parsed.recordings is None:
        raise InvalidRequestError(
            "Examples of what? Name a corpus with --corpus, a folder of clips with --contexts, or one of --recordings."
        )
    recordings = []
    if parsed.recordings is not None:
        recordings = sorted(path for path in parsed.recordings.glob("*") if path.suffix in RECORDING_SUFFIXES)
        if not recordings:
            raise InvalidRequestError(f"There is no recording in {parsed.recordings}.")
    settings = read_sampling(parsed)
    pieces = [] if parsed.corpus is None else Corpus.open(parsed.corpus).pieces("heldout")
    clips = [] if parsed.contexts is None else read_clips(parsed.contexts)
    generator = load_generator(parsed.model)
    with tqdm(unit="stem") as bar:
        made = ExamplesPage(parsed.out, generator, settings, parsed.seed, lambda: bar.update())
        named = (("corpus", pieces), ("contexts", clips), ("recordings", recordings))
        sources = [f"--{name} {name.upper()}" for name, given in named if given]
        command = f"stemgen examples OUT {' '.join(sources)} --count {parsed.count} --seed {parsed.seed}"
        path = write_examples(
            made, pieces=pieces, clips=clips, num_examples=parsed.count, command=command, recordings=recordings
        )
    size = sum(file.stat().st_size for file in parsed.out.iterdir() if file.is_file())
    print(f"{path}: {size / 1e6:.1f} MB in all")
