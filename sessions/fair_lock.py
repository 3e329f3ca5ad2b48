"""A lock that lets threads through in the order in which they came."""

import threading
from collections import deque


class FairLock:
    """First come, first served.

    Python's own locks, and SQLAlchemy's pool of connections, let a busy thread take its place again before those who
    wait wake up: a page would not get to read while a few threads write without a pause.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_held = False
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self, timeout_s: float) -> bool:
        """Wait for one's turn; return whether it came within `timeout_s`. Not reentrant."""
        with self._guard:
            if not self._is_held:
                self._is_held = True
                return True
            ticket = threading.Lock()
            ticket.acquire()
            self._waiting.append(ticket)
        if ticket.acquire(timeout=timeout_s):
            return True
        with self._guard:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                return False
        return True  # The turn came between the end of the wait and the look.

    def release(self) -> None:
        """Let the one who has waited longest through."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()  # The lock stays held, and is the next one's.
            else:
                self._is_held = False
