"""Answers to one tab in the order of what they saw.

Two things that are done in quick succession are handled side by side, and the answer to the first may come last, with
the page as it was before the second: a node that was just picked would vanish from the tree. So every answer is
numbered before the store is read, and one that a newer answer overtook changes nothing.
"""

import itertools
import threading
from collections import OrderedDict

from gradio.context import LocalContext

MAX_TABS = 10_000  # the longest unheard of are forgotten


class AnswerOrder:
    """Which answers were given to whom. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._newest: OrderedDict[str, int] = OrderedDict()

    def begin(self) -> int:
        """Return the number of an answer; to be called before anything is read for it."""
        with self._lock:
            return next(self._numbers)

    def is_overtaken(self, number: int, tab: str) -> bool:
        """Say whether a tab was given a newer answer; if not, this is its newest from now on.

        Args:
            number: of the answer, as `begin` gave it.
            tab: whom it is for.
        """
        with self._lock:
            if self._newest.get(tab, 0) > number:
                return True
            self._newest[tab] = number
            self._newest.move_to_end(tab)
            while len(self._newest) > MAX_TABS:
                self._newest.popitem(last=False)
            return False


def current_tab() -> str:
    """Return the tab whose event is being handled; "" outside of events."""
    request = LocalContext.request.get(None)
    return str(getattr(request, "session_hash", None) or "")
