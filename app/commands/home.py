"""Whose data a command is about."""

import argparse
from dataclasses import replace

from app.settings import Settings
from sessions.home import DataHome


def find_home(parsed: argparse.Namespace) -> DataHome:
    """Return where a server with this environment would keep its data; `--data` names another folder.

    Raises:
        SettingsError: if the environment holds a setting that can't be used.
    """
    home = Settings.from_environment().home
    return home if parsed.data is None else replace(home, folder=parsed.data)
