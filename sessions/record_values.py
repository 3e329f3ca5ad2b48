"""One value of a session file, held against the column that it is for. Nothing in such a file is believed."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, cast

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Integer, String

from sessions.errors import ArchiveError
from sessions.tree import MAX_SEED, MAX_VARIATIONS_PER_TURN, Mixer, WorkState

_MAX_INTEGER = 2**53  # what JSON carries exactly
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_NOTES = 100_000


def read_value(value: object, name: str, column: Column[Any], where: str) -> Any:
    """Return a value fit for a column.

    Args:
        value: from a file of unknown origin.
        name: of the column.
        column: of a model.
        where: which row, for the message.

    Raises:
        ArchiveError: if it is of another type, too long, not finite or out of range.
    """
    if value is None:
        if not column.nullable:
            raise ArchiveError(f"This session file is damaged: {where}.{name} is missing.")
        return None
    is_right = _is_right_type(value, column)
    if is_right and name in _RULES:
        is_right = _RULES[name](value)
    if not is_right:
        raise ArchiveError(f"This session file is damaged: {where}.{name} has a value that it can't have.")
    return float(cast(float, value)) if isinstance(column.type, Float) else value


def _is_right_type(value: object, column: Column[Any]) -> bool:
    kind = column.type
    if isinstance(kind, Boolean):
        return isinstance(value, bool)
    if isinstance(kind, Integer | BigInteger):
        return _is_whole(value)
    if isinstance(kind, Float):
        return _is_number(value)
    if isinstance(kind, String):
        return isinstance(value, str) and len(value) <= (kind.length or 0) and _is_storable(value)
    return isinstance(kind, JSON) and isinstance(value, dict | list) and _is_storable(cast(object, value))


def _is_storable(value: object) -> bool:
    """Return whether every database takes it: finite, Unicode, no NUL."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        return False
    return "\\u0000" not in text


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_MAX_INTEGER <= value <= _MAX_INTEGER


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _between(lowest: int, highest: int) -> Callable[[Any], bool]:
    return lambda value: lowest <= value <= highest


def _is_mixer(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    given = cast(Mapping[str, object], value)
    known = {field.name: bool if field.name.startswith("is_") else float for field in fields(Mixer)}
    return set(given) <= set(known) and all(
        isinstance(one, bool) if known[name] is bool else _is_number(one) for name, one in given.items()
    )


def _is_notes(value: object) -> bool:
    if not isinstance(value, list):
        return False
    notes = cast(list[object], value)
    return len(notes) <= _MAX_NOTES and all(_is_note(note) for note in notes)


def _is_note(value: object) -> bool:
    if not isinstance(value, list):
        return False
    note = cast(list[Any], value)
    if len(note) != 4 or not all(_is_number(part) for part in note):
        return False
    start_s, pitch, duration_s, velocity = note
    return start_s >= 0 and duration_s >= 0 and pitch in range(128) and velocity in range(128)


_RULES: Mapping[str, Callable[[Any], bool]] = {
    "audio_sha256": lambda value: _SHA256.fullmatch(value) is not None,
    "sample_rate_hz": _between(1, 768_000),
    "num_audio_samples": _between(1, 2**40),
    "num_channels": _between(1, 2),
    "position": _between(0, MAX_VARIATIONS_PER_TURN - 1),
    "seed": _between(0, MAX_SEED),
    "first_seed": _between(0, MAX_SEED),
    "num_notes": _between(0, _MAX_NOTES),
    "seconds_spent": lambda value: 0 <= value < 1e9,
    "state": lambda value: value in {state.value for state in WorkState if state.is_finished},
    "mixer": _is_mixer,
    "notes": _is_notes,
    "settings": lambda value: isinstance(value, dict),
    "fit": lambda value: isinstance(value, dict),
    "analysis": lambda value: isinstance(value, dict),
}
