"""What people turn while a jam plays. Pure values, checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from stemgen_core.errors import InvalidRequestError
from stemgen_core.sampling.settings import MAX_DENSITY, MAX_GUIDANCE_SCALE, MAX_TEMPERATURE

RANGES: dict[str, tuple[float, float]] = {
    "density": (-MAX_DENSITY, MAX_DENSITY),
    "variation": (0.0, 1.0),
    "temperature": (0.05, MAX_TEMPERATURE),
    "guidance": (0.0, MAX_GUIDANCE_SCALE),
    "genre_morph": (0.0, 1.0),
    "every": (1, 16),
}


@dataclass(frozen=True, slots=True)
class Controls:
    """How versions are made; heard with the next version that is begun.

    Attributes:
        density: above 0 more notes, below 0 fewer.
        variation: share of a part's bars that its next version makes anew, 0..1; 1 is a new part with a sound of its
            own.
        temperature: how freely.
        guidance: how closely it follows the mix.
        genre: None leaves it open.
        genre_to: a second genre to go towards; None stays with the first.
        genre_morph: how far, 0..1.
        every: loops from one new version to the next.
    """

    density: float = 0.0
    variation: float = 1.0
    temperature: float = 1.0
    guidance: float = 2.0
    genre: str | None = None
    genre_to: str | None = None
    genre_morph: float = 0.0
    every: int = 1

    def changed(self, given: Mapping[str, Any], genres: tuple[str, ...]) -> "Controls":
        """Return the controls with some of them set anew.

        Args:
            given: by name; comes from outside and may hold anything.
            genres: that the model has.

        Raises:
            InvalidRequestError: if there is no such control, or a value is out of range.
        """
        known = {field.name for field in fields(self)}
        changes: dict[str, Any] = {}
        for name, value in given.items():
            if name not in known:
                raise InvalidRequestError("There is no such control.")
            changes[name] = _genre(value, genres) if name in ("genre", "genre_to") else _number(name, value)
        return replace(self, **changes)


def _genre(value: object, genres: tuple[str, ...]) -> str | None:
    if value in (None, ""):
        return None
    if value not in genres:
        raise InvalidRequestError("The model does not know this genre.")
    return str(value)


def _number(name: str, value: object) -> float | int:
    lowest, highest = RANGES[name]
    words = name.replace("_", " ").capitalize()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidRequestError(f"{words} must be a number.")
    if not lowest <= value <= highest:
        raise InvalidRequestError(f"{words} must be {lowest:g} to {highest:g}, got {value:g}.")
    return int(value) if name == "every" else float(value)
