"""The `stemgen` program: the core's commands, and `stemgen sessions`."""

from collections.abc import Sequence

from app.commands import sessions
from app.errors import StudioError
from sessions.errors import SessionError
from stemgen_core.cli.main import main as run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit status: 0, or 1 after an expected error whose message was printed, or 130 after Ctrl-C.
    """
    return run_command(arguments, more=(sessions,), expected_errors=(SessionError, StudioError))
