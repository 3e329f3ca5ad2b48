"""Answers to one tab in the order of what they saw, and where each tab stands.

Two things that are done in quick succession are handled side by side, and the answer to the first may come last, with
the page as it was before the second: a node that was just picked would vanish from the tree, a new name would turn
back into the old one. So every answer is numbered before the store is read, and one that a newer answer overtook
changes nothing.
"""

import itertools
import threading
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from gradio.context import LocalContext

MAX_TABS = 10_000  # the longest unheard of are forgotten

Place = dict[str, Any]  # the page's state: the session that is open and the node that one stands on


@dataclass(slots=True)
class _Tab:
    newest: int = 0  # number of the newest answer that it was given
    placed: int = 0  # number of the answer that said last where it stands
    place: Place | None = None


@dataclass(slots=True)
class Numbered:
    """The answer that is being made: its number, once it has read anything. 0 before that: it can't be overtaken."""

    number: int = 0


ANSWERING: ContextVar[Numbered | None] = ContextVar("answering", default=None)


def give_in_any_case() -> None:
    """Take the number from the answer that is being made: it says what went wrong, which nothing overtakes."""
    answering = ANSWERING.get()
    if answering is not None:
        answering.number = 0


class AnswerOrder:
    """Which answers were given to whom. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._tabs: OrderedDict[str, _Tab] = OrderedDict()

    def begin(self, tab: str, place: Place | None = None) -> int:
        """Return the number of an answer; to be called before anything is read for it.

        Args:
            tab: whom it is for.
            place: where the tab stands from now on, if that is known before reading.
        """
        with self._lock:
            number = next(self._numbers)
            answering = ANSWERING.get()
            if answering is not None:
                answering.number = number
            if place is not None:
                self._stand(number, tab, place)
            return number

    def settle(self, number: int, tab: str, place: Place | None) -> None:
        """Note where the tab stands as an answer has found it, unless a newer one said so.

        Args:
            number: of the answer.
            tab: whom it is for.
            place: None if it could not be read: the tab stands where its page says.
        """
        with self._lock:
            self._stand(number, tab, place)

    def _stand(self, number: int, tab: str, place: Place | None) -> None:
        state = self._state(tab)
        if number >= state.placed:
            state.placed, state.place = number, place

    def place(self, tab: str) -> Place | None:
        """Return where a tab stands: what was done last may not have been answered yet. None if that isn't known."""
        with self._lock:
            return self._tabs[tab].place if tab in self._tabs else None

    def give(self, number: int, tab: str) -> bool:
        """Say whether an answer may still be given; if so, it is the tab's newest from now on.

        Args:
            number: of the answer, as `begin` gave it.
            tab: whom it is for.
        """
        with self._lock:
            state = self._state(tab)
            if state.newest > number:
                return False
            state.newest = number
            return True

    def newest(self, tab: str) -> int:
        """Return the number of the newest answer that a tab was given; 0 if there is none."""
        with self._lock:
            return self._tabs[tab].newest if tab in self._tabs else 0

    def _state(self, tab: str) -> _Tab:
        state = self._tabs.setdefault(tab, _Tab())
        self._tabs.move_to_end(tab)
        while len(self._tabs) > MAX_TABS:
            self._tabs.popitem(last=False)
        return state


def current_tab() -> str:
    """Return the tab whose event is being handled; "" outside of events."""
    request = LocalContext.request.get(None)
    return str(getattr(request, "session_hash", None) or "")
