"""Which data folder a command is about."""

import argparse
from pathlib import Path

from app.settings import Settings


def find_data_folder(parsed: argparse.Namespace) -> Path:
    """Return what `--data` names, else the folder that a server with this environment would use.

    Raises:
        SettingsError: if the environment holds a setting that can't be used.
    """
    return parsed.data if parsed.data is not None else Settings.from_environment().data_path
