"""`stemgen synthesize`: make a corpus, measure it, show it."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from stemgen_core.cli.options import follow_with

if TYPE_CHECKING:
    from stemgen_core.corpus.storage import Corpus

DEFAULT_PIECES, DEFAULT_SECONDS, DEFAULT_SEED = 1000, 24.0, 1
DEFAULT_RATE_HZ, DEFAULT_CHANNELS = 32_000, 1
REPORT_NAME, PREVIEW_NAME = "report.json", "preview"


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    parser = commands.add_parser("synthesize", help="compose and render a corpus to train on")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the corpus; one that was begun is finished")
    parser.add_argument(
        "--pieces", type=int, metavar="N", help=f"how many in all ({DEFAULT_PIECES}, or as many as there are)"
    )
    parser.add_argument("--seconds", type=float, metavar="X", help=f"length of each ({DEFAULT_SECONDS:g})")
    parser.add_argument("--seed", type=int, metavar="N", help=f"which corpus ({DEFAULT_SEED})")
    parser.add_argument(
        "--source",
        action="append",
        metavar="SOURCE",
        help="composer (the default), mma, groove:DIR, midi:DIR or stems:DIR; repeat to mix, with =WEIGHT each",
    )
    parser.add_argument("--rate", type=int, metavar="HZ", help=f"audio samples per second ({DEFAULT_RATE_HZ})")
    parser.add_argument("--channels", type=int, choices=(1, 2), help=f"of every stem ({DEFAULT_CHANNELS})")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="side by side (%(default)s)")
    parser.add_argument("--report", action="store_true", help=f"measure its music and write {REPORT_NAME} into it")
    parser.add_argument(
        "--preview", action="store_true", help=f"write a page to look at and listen to into its folder {PREVIEW_NAME}"
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Make or finish the corpus, with a progress bar; then measure and show it if that is wanted."""
    from stemgen_core.corpus.storage import Corpus, read_manifest

    begun = read_manifest(parsed.folder) or {}
    asked = (parsed.pieces, parsed.seconds, parsed.seed, parsed.source, parsed.rate, parsed.channels)
    is_describing = parsed.report or parsed.preview
    if begun and is_describing and asked == (None,) * len(asked):
        corpus = Corpus.open(parsed.folder)  # as it is, by whatever version it was made
    else:
        corpus = _synthesize(parsed, begun)
    print(
        f"{len(corpus.pieces('train'))} pieces to train on, {len(corpus.pieces('heldout'))} held out: {parsed.folder}"
    )
    if is_describing:
        _describe(corpus, has_report=parsed.report, has_preview=parsed.preview)


def _synthesize(parsed: argparse.Namespace, begun: dict[str, Any]) -> "Corpus":
    """Make or finish a corpus; what is not said of its size and seed stays as it was begun."""
    from stemgen_core.corpus.sources.mixing import COMPOSER_ONLY
    from stemgen_core.corpus.storage import synthesize_corpus
    from stemgen_core.types import SoundFormat

    num_pieces = begun.get("num_pieces", DEFAULT_PIECES) if parsed.pieces is None else parsed.pieces
    with tqdm(total=num_pieces, unit="piece") as bar:
        return synthesize_corpus(
            parsed.folder,
            num_pieces=num_pieces,
            seed=begun.get("seed", DEFAULT_SEED) if parsed.seed is None else parsed.seed,
            duration_s=begun.get("duration_s", DEFAULT_SECONDS) if parsed.seconds is None else parsed.seconds,
            num_processes=parsed.processes,
            sources=tuple(parsed.source or COMPOSER_ONLY),
            sound=SoundFormat(
                parsed.rate or begun.get("sample_rate_hz", DEFAULT_RATE_HZ),
                parsed.channels or begun.get("num_channels", DEFAULT_CHANNELS),
            ),
            report_progress=follow_with(bar),
        )


def _describe(corpus: "Corpus", *, has_report: bool, has_preview: bool) -> None:
    from stemgen_core.corpus.preview import write_preview
    from stemgen_core.corpus.report import measure_corpus, report_lines

    report = measure_corpus(entry.piece for entry in corpus.pieces())
    if has_report:
        path = corpus.folder / REPORT_NAME
        path.write_text(json.dumps(report.to_json(), indent=1), encoding="utf-8")
        print("\n".join(report_lines(report)))
        print(f"written to {path}")
    if has_preview:
        print(f"preview: {write_preview(corpus, corpus.folder / PREVIEW_NAME, report=report)}")
