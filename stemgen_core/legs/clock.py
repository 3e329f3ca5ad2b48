"""The time of a leg, which all its commands and processes share."""

import json
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LegClock:
    """When a leg began and how long it may take.

    Attributes:
        began_s: Unix time.
        seconds: all that the leg has.
    """

    began_s: float
    seconds: float

    @classmethod
    def start_or_join(cls, work: Path, minutes: float) -> "LegClock":
        """Return the clock of a leg that runs in `work`, or start it; `minutes` counts only at the start."""
        path = work / "clock.json"
        if path.exists():
            known = json.loads(path.read_text(encoding="utf-8"))
            return cls(float(known["began_s"]), float(known["seconds"]))
        work.mkdir(parents=True, exist_ok=True)
        clock = cls(time.time(), 60 * minutes)
        path.write_text(json.dumps({"began_s": clock.began_s, "seconds": clock.seconds}) + "\n", encoding="utf-8")
        return clock

    def seconds_spent(self) -> float:
        """Return how long the leg has run."""
        return time.time() - self.began_s

    def seconds_left(self) -> float:
        """Return what is left, 0 at the end."""
        return max(0.0, self.seconds - self.seconds_spent())
