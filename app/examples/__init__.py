"""Contexts to start from that come with the studio, made by this project's own corpus generator (`compose.py`)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
INDEX_NAME = "examples.json"


@dataclass(frozen=True, slots=True)
class Example:
    """One clip.

    Attributes:
        id: stable name, also of its file.
        label: what people read.
        detail: one short line: tempo, bars, what it is.
        path: a FLAC file of whole bars, so that it loops.
    """

    id: str
    label: str
    detail: str
    path: Path


def load_examples(folder: Path = FOLDER) -> Mapping[str, Example]:
    """Return the examples of a folder by id, in the order of its index; none if there is no index.

    Args:
        folder: holds `examples.json`, a list of objects with id, label and detail, and `<id>.flac` for each.
    """
    index = folder / INDEX_NAME
    if not index.is_file():
        return {}
    entries = json.loads(index.read_text("utf-8"))
    return {
        entry["id"]: Example(entry["id"], entry["label"], entry["detail"], folder / f"{entry['id']}.flac")
        for entry in entries
    }
