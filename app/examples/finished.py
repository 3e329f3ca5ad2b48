"""A finished example session: what it is on disk, and how a visitor gets a copy of their own.

The folder `session/` holds `session.json` and one FLAC file per stem. It is made by the bundled model, by
`python -m app.examples.record`, and read here through the same doors as what a visitor makes.

session.json  {name, model_id, context: {example_id, name}, turns: [TurnEntry]}
TurnEntry     {on, instrument, preset, settings, seeds, picked, variations: [{file, fit, notes, seconds_spent}]}
              `on` is the place of an earlier turn, whose picked stem this one continues from; -1 is the context
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.examples import FOLDER

SESSION_FOLDER = FOLDER / "session"
INDEX_NAME = "session.json"


@dataclass(frozen=True, slots=True)
class FinishedSession:
    """One finished session on disk.

    Attributes:
        folder: where its stems are.
        content: what `session.json` says.
    """

    folder: Path
    content: Mapping[str, Any]

    @property
    def summary(self) -> str:
        """One short line: what is played in it."""
        names = [str(turn["instrument"]).replace("_", " ") for turn in self.content["turns"]]
        return ", ".join(dict.fromkeys(names))


def load_finished(folder: Path = SESSION_FOLDER) -> FinishedSession | None:
    """Return the finished session of a folder; None if there is none."""
    index = folder / INDEX_NAME
    return FinishedSession(folder, json.loads(index.read_text("utf-8"))) if index.is_file() else None
