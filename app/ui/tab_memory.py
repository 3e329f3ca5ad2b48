"""What Gradio remembers of tabs is bounded, whoever makes tabs up (decision 0104).

What this module takes hold of is Gradio's own and may change with it: each function says so with an `AttributeError`
at the start of the server, and `tests/app/test_tab_memory.py` says what it did.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import orjson
from gradio.routes import App, file_upload_statuses
from gradio.state_holder import SessionState, StateHolder
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from gradio.queueing import Queue

MAX_NAME_CHARS = 128  # of a tab; Gradio's own have 11 in browsers and 36 in programs
MAX_UNHEARD_BYTES = 32_000_000  # of answers that nobody takes; as objects of Python they take some four times that
TAB_BYTES = 4_000  # counted for each such answer beside its words
MAX_MARKS = 1_000  # of uploads that are under way, and of events that were cancelled

Key = TypeVar("Key")
Value = TypeVar("Value")


class _KeepsNothing(dict[int, dict[str, Any]]):
    """Descriptions by the number of a part: any can be written, none is kept."""

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: int) -> dict[str, Any]:
        return {}

    def __setitem__(self, key: int, value: dict[str, Any]) -> None:
        """Keep nothing."""


def forget_what_tabs_show() -> None:
    """Make Gradio keep no values of tabs, for good.

    It keeps of every tab a description of all parts of the page, with the values that the tab sent and was shown last:
    0.1 MB for this page before any session is open, megabytes once a long one is, and as much as a stranger sends. Only
    its links to copies of a page read it, which are closed here (`app.ui.guard`).
    """
    for name in ("_update_config", "_update_value_in_config"):  # what writes there
        getattr(SessionState, name)
    nothing = _KeepsNothing()
    SessionState.config_values = property(lambda _: nothing, lambda _, __: None)  # pyright: ignore[reportAttributeAccessIssue]


def refuse_long_names() -> None:
    """Make Gradio refuse tabs whose names are longer than any of its own: it keeps each in several places."""
    know = StateHolder.__getitem__

    def know_if_short(self: StateHolder, session_id: str) -> SessionState:
        if len(session_id) > MAX_NAME_CHARS:
            raise HTTPException(400, f"The name of a tab has at most {MAX_NAME_CHARS} characters.")
        return know(self, session_id)

    if know.__name__ != know_if_short.__name__:  # once is enough
        StateHolder.__getitem__ = know_if_short


class _Answers(asyncio.Queue[Any]):
    """Answers to one tab; knows how much of it nobody has taken yet."""

    def __init__(self, unheard: "UnheardAnswers", tab: str) -> None:
        self._unheard, self._tab = unheard, tab
        self.num_bytes = 0
        self._sizes: deque[int] = deque()
        super().__init__()

    def _put(self, item: Any) -> None:
        # Whoever waits for it takes it at once; only what has to be kept is weighed.
        is_awaited = any(not getter.done() for getter in getattr(self, "_getters", ()))
        size = 0 if is_awaited else TAB_BYTES + _num_bytes_of(getattr(item, "output", None))
        self._sizes.append(size)
        self.num_bytes += size
        super()._put(item)
        if size:
            self._unheard.weigh(self._tab, self, size)

    def _get(self) -> Any:
        size = self._sizes.popleft()
        self.num_bytes -= size
        self._unheard.weigh(self._tab, self, -size)
        return super()._get()


def _num_bytes_of(output: Any) -> int:
    """Return how long an answer's values are as JSON; the other words of a message are no matter."""
    return len(orjson.dumps(output, default=str)) if output else 0


class UnheardAnswers(OrderedDict[str, asyncio.Queue[Any]]):
    """Answers by tab, as many as nobody has taken yet; takes the place of Gradio's own mapping.

    Gradio keeps the answers to 2,000 tabs, however long, and as many answers to each as it asks for. Here all of them
    together have a limit; beyond it the tab that has been deaf longest is dropped with all that it asked for. A page
    that is open takes its answers within milliseconds.
    """

    def __init__(self, queue: "Queue", max_bytes: int = MAX_UNHEARD_BYTES) -> None:
        """Begin without any.

        Args:
            queue: whose answers they are.
            max_bytes: of all of them together, as JSON.
        """
        self._queue = queue
        self._max_bytes = max_bytes
        self.num_bytes = 0
        super().__init__()

    def __setitem__(self, tab: str, _: asyncio.Queue[Any]) -> None:
        """Begin to keep answers to a tab; of those that have heard everything nothing is kept any more."""
        pending = self._queue.pending_event_ids_session
        for other in [name for name, ids in pending.items() if not ids or name not in self]:
            if other not in self or self[other].empty():
                if other in self:
                    del self[other]
                pending.pop(other, None)
        if tab in self:
            del self[tab]
        super().__setitem__(tab, _Answers(self, tab))

    def __delitem__(self, tab: str) -> None:
        """Keep nothing for a tab any more."""
        answers = self[tab]
        super().__delitem__(tab)
        if isinstance(answers, _Answers):
            self.num_bytes -= answers.num_bytes

    def weigh(self, tab: str, answers: _Answers, num_bytes: int) -> None:
        """Count what has come (or gone, if negative) unheard; drop who is deaf where it is too much."""
        if self.get(tab) is not answers:  # dropped already
            return
        self.num_bytes += num_bytes
        while self.num_bytes > self._max_bytes:
            deaf = next(name for name, kept in self.items() if isinstance(kept, _Answers) and kept.num_bytes)
            self._drop(deaf)

    def _drop(self, tab: str) -> None:
        del self[tab]
        self._queue.pending_event_ids_session.pop(tab, None)
        for event in self._queue.event_ids_to_events.values():
            if event.session_hash == tab:
                event.alive = False  # or its answer would look for the tab


def bound_unheard_answers(queue: "Queue", max_bytes: int = MAX_UNHEARD_BYTES) -> None:
    """Make a queue that nobody has used yet keep so much of what nobody hears, and no more."""
    queue.pending_messages_per_session.clear()
    queue.pending_messages_per_session = UnheardAnswers(queue, max_bytes)  # pyright: ignore[reportAttributeAccessIssue]


class LastOf(OrderedDict[Key, Value], Generic[Key, Value]):
    """The last of what was noted; stands in for a dictionary, one with defaults, or a set."""

    def __init__(self, default: Callable[[], Value] | None = None, *, size: int = MAX_MARKS) -> None:
        """Begin without any.

        Args:
            default: makes what is asked for and isn't there; None has nothing made.
            size: how many are kept.
        """
        self._default = default
        self._size = size
        super().__init__()

    def __setitem__(self, key: Key, value: Value) -> None:
        super().__setitem__(key, value)
        while len(self) > self._size:
            self.popitem(last=False)

    def __missing__(self, key: Key) -> Value:
        if self._default is None:
            raise KeyError(key)
        self[key] = made = self._default()
        return made

    def add(self, key: Key) -> None:
        """Note a key, as sets do."""
        self[key] = True  # pyright: ignore[reportArgumentType]

    def remove(self, key: Key) -> None:
        """Forget a key, as sets do."""
        del self[key]


def bound_marks() -> None:
    """Make Gradio keep the last marks only of uploads under way and of events that were cancelled, for good."""
    file_upload_statuses._statuses.clear()
    file_upload_statuses._statuses = LastOf()
    file_upload_statuses._signals.clear()
    file_upload_statuses._signals = LastOf(asyncio.Event)  # pyright: ignore[reportAttributeAccessIssue]
    cancelled = LastOf[str, bool]()
    App.iterators_to_reset = property(lambda _: cancelled, lambda _, __: None)  # pyright: ignore[reportAttributeAccessIssue]


def keep_little_of_tabs(queue: "Queue") -> None:
    """Do all of the above.

    Args:
        queue: of the page; nobody has used it yet.
    """
    forget_what_tabs_show()
    refuse_long_names()
    bound_marks()
    bound_unheard_answers(queue)
