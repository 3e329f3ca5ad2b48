"""Parse the command line and run one command; errors are one line on standard error."""

import argparse
import sys
from collections.abc import Sequence

from stemgen_core.cli import evaluate, generate, inspect, synthesize, train
from stemgen_core.errors import StemGenError


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="stemgen", description="A music model that listens and adds a stem.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (generate, inspect, synthesize, train, evaluate):
        module.add_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit status: 0, or 1 after an expected error whose message was printed, or 130 after Ctrl-C.
    """
    parsed = build_parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except (StemGenError, OSError) as error:
        print(f"stemgen: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stemgen: stopped", file=sys.stderr)
        return 130
    return 0
