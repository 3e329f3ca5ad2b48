"""Parse the command line and run one command; errors are one line on standard error."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from stemgen_core.cli import add_listener, evaluate, examples, generate, inspect, legs, synthesize, train
from stemgen_core.errors import StemGenError


class CommandModule(Protocol):
    """A module that adds commands; each sets `run`, which is called with the parsed arguments."""

    def add_commands(self, commands: "argparse._SubParsersAction[Any]") -> None:
        """Add the module's commands."""
        ...


def build_parser(more: Sequence[CommandModule] = ()) -> argparse.ArgumentParser:
    """Return the parser of all commands.

    Args:
        more: commands of packages above this one.
    """
    parser = argparse.ArgumentParser(prog="stemgen", description="A music model that listens and adds a stem.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (generate, inspect, synthesize, train, add_listener, evaluate, examples, legs, *more):
        module.add_commands(commands)
    return parser


def main(
    arguments: Sequence[str] | None = None,
    *,
    more: Sequence[CommandModule] = (),
    expected_errors: tuple[type[Exception], ...] = (),
) -> int:
    """Run a command.

    Args:
        arguments: without the program's name; None takes the process's own.
        more: commands of packages above this one.
        expected_errors: of those commands, whose messages are fit to print.

    Returns:
        The exit status: 0, or 1 after an expected error whose message was printed, or 130 after Ctrl-C.
    """
    parsed = build_parser(more).parse_args(arguments)
    try:
        parsed.run(parsed)
    except (StemGenError, OSError, *expected_errors) as error:
        print(f"stemgen: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stemgen: stopped", file=sys.stderr)
        return 130
    return 0
