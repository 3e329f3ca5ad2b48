"""Playing a jam without a page, in real time or as fast as the model makes it: for examples and measurements."""

import time
from dataclasses import dataclass, field

from app.live.session import LiveSession

LOOK_S = 0.05
BEAT_S = 0.4  # as often as the page
FETCH_S = 0.2  # what the page takes to get a version


@dataclass(slots=True)
class Rehearsal:
    """Stands in for the page of a jam.

    Attributes:
        live: the jam.
        sounding: version by part.
        began_s: when the first loop began, by the monotonic clock; None before it.
    """

    live: LiveSession
    sounding: dict[str, str] = field(default_factory=dict)
    began_s: float | None = None

    def play_patiently(self, num_loops: int) -> None:
        """Play loop after loop, each as soon as what is to sound in it is made."""
        for _ in range(num_loops):
            loop = self.live.jam.loop + 1
            self._swap(loop)
            self.live.beat(loop, 0.0, dict(self.sounding))
            while self.live.jam.task is not None:
                time.sleep(BEAT_S)
                self.live.beat(loop, 0.0, dict(self.sounding))  # a jam that says nothing is over

    def play_in_time(self, num_loops: int) -> None:
        """Play in real time until so many loops are over in all: what is not there at a boundary comes later."""
        clock = self.live.clock
        began_s = self.began_s = time.monotonic() if self.began_s is None else self.began_s
        seen_s: dict[str, float] = {}
        loop, beaten_s = self.live.jam.loop, 0.0
        while loop < num_loops:
            now_s = time.monotonic()
            for part in list(self.live.jam.parts.values()):
                if part.coming is not None:
                    seen_s.setdefault(part.coming.version.id, now_s)
            at = int((now_s - began_s) / clock.duration_s)
            if at > loop or now_s - beaten_s >= BEAT_S:
                if at > loop:
                    loop = at
                    self._swap(loop, {name for name, since_s in seen_s.items() if now_s - since_s >= FETCH_S})
                beaten_s = now_s
                self.live.beat(loop, now_s - began_s - loop * clock.duration_s, dict(self.sounding))
            time.sleep(LOOK_S)

    def _swap(self, loop: int, fetched: set[str] | None = None) -> None:
        for part in list(self.live.jam.parts.values()):
            coming = part.coming
            if coming is not None and coming.loop <= loop and (fetched is None or coming.version.id in fetched):
                self.sounding[part.id] = coming.version.id
            elif part.id not in self.sounding and part.playing is not None:
                self.sounding[part.id] = part.playing.id
