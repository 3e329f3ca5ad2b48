"""Addresses that open one download for a while, for programs and players that can't send a header along."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

LIFETIME_S = 3600.0
MAX_TICKETS = 10_000


@dataclass(frozen=True, slots=True)
class _Ticket:
    token: str
    path: str
    ends_s: float


@dataclass(slots=True)
class DownloadTickets:
    """Tickets of this server run; a restart ends them all.

    Attributes:
        now_s: a clock that never goes back.
    """

    now_s: Callable[[], float] = time.monotonic
    _tickets: OrderedDict[str, _Ticket] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def issue(self, token: str, path: str) -> str:
        """Return a ticket that opens one path as `token` would, and nothing else."""
        ticket = secrets.token_hex(16)
        with self._lock:
            self._tickets[ticket] = _Ticket(token, path, self.now_s() + LIFETIME_S)
            while len(self._tickets) > MAX_TICKETS or next(iter(self._tickets.values())).ends_s < self.now_s():
                self._tickets.popitem(last=False)  # issued first, ends first
        return ticket

    def token_for(self, ticket: str, path: str) -> str | None:
        """Return the token that a ticket stands for; None if it does not open this path, or not any more."""
        with self._lock:
            found = self._tickets.get(ticket)
        if found is None or found.path != path or found.ends_s < self.now_s():
            return None
        return found.token
