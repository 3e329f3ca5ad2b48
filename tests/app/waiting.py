"""Waiting for what happens in the worker's thread."""

import time
from collections.abc import Callable
from typing import TypeVar

from app.services import Studio
from sessions.tree import Turn

OWNER = "0" * 32
T = TypeVar("T")


def wait_for(look: Callable[[], T | None], timeout_s: float = 60) -> T:
    """Return the first value of `look` that is true."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.01)
    raise TimeoutError("this did not happen in time")


def finished(studio: Studio, turn_id: str, owner: str = OWNER) -> Turn:
    """Wait until a turn is finished and return it."""

    def look() -> Turn | None:
        turn = studio.store.turn(owner, turn_id)
        return turn if turn.state.is_finished else None

    return wait_for(look)
