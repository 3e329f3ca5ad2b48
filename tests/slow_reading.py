"""Dictionaries that take their time to be read, so that other threads come between two keys on any machine."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

LONGEST_S = 0.5  # that others are waited for; where a lock keeps them away, all of it


class SlowToRead(OrderedDict[str, Any]):
    """Stops before each key that is read until somebody has changed the dictionary, or `LONGEST_S` are over.

    Attributes:
        is_being_read: set once a reader is in the midst of it.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.is_being_read = threading.Event()

    def __iter__(self) -> Iterator[str]:
        keys = super().__iter__()
        for key in keys:
            length, deadline_s = len(self), time.monotonic() + LONGEST_S
            self.is_being_read.set()
            while len(self) == length and time.monotonic() < deadline_s:
                time.sleep(0.005)
            yield key

    def values(self) -> Any:
        return (self[key] for key in self)

    def items(self) -> Any:
        return ((key, self[key]) for key in self)
