"""`stemgen sessions`: see to the data of a studio server from the command line."""

import argparse
from pathlib import Path
from typing import Any

from app.commands import exchange, upkeep


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command and its own commands."""
    parser = commands.add_parser("sessions", help="list, move, back up, check and clean up the studio's sessions")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="data folder (what STEMGEN_DATA says, else data/ in the repository)"
    )
    below = parser.add_subparsers(required=True, metavar="COMMAND")
    exchange.add_commands(below)
    upkeep.add_commands(below)
