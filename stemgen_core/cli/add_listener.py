"""`stemgen add-listener`: let a contrastive listener judge the stems of a bundle."""

import argparse
from pathlib import Path
from typing import Any


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "add-listener",
        help="let a listener judge the stems of a bundle",
        description="Put a listener into a bundle: from then on it orders variations and chooses among candidates,"
        " where the model itself did. The model keeps its id, and its stems stay the same where there is nothing to"
        " choose. See first how it judges: `stemgen evaluate --experiments judging --listener FILE`.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="of `stemgen train listener`")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of the model")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Add the file, and say who judges now."""
    from stemgen_core.sampling.judge import add_listener, judge_name

    manifest = add_listener(parsed.bundle, parsed.file)
    print(f"{manifest.model_id} is judged by {judge_name(manifest)}")
