"""How many decoding steps fit before a loop ends, from a running estimate of what they take.

The time of a version is what comes before the first step, the steps, and what comes after the last. Steps are planned
in rungs, multiples of the least that makes sense; should a spike come, the decoding is told to hurry, which it can
after any step.
"""

import math
from collections import deque
from dataclasses import dataclass, field

LEAST_STEPS = (4, 2, 1)  # of the coarsest levels, coarse to fine; the last serves all further levels
MAX_RUNG = 4  # 16, 8, 4: what `balanced` takes
_NEW_WEIGHT = 0.3
_NUM_LEVELS_LEFT = 5  # steps that a decoding in a hurry may still need, one for each level to come
_REMEMBERED = 200
_USUAL_STEPS = 10.0  # of the first rung, with all levels; until a decoding that did not hurry says how many


def steps_of_rung(rung: int) -> tuple[int, ...]:
    """Return the decoding steps per level of a rung, 1..`MAX_RUNG`."""
    return tuple(rung * steps for steps in LEAST_STEPS)


@dataclass(frozen=True, slots=True)
class Timing:
    """What making one version took.

    Attributes:
        rung: as it was planned.
        lead_s: before the first step: reading, listening.
        step_s: of each decoding step.
        tail_s: after the last one: playing, measuring, writing.
        num_steps: decoding steps made.
        was_hurried: whether fewer steps were made than planned.
    """

    rung: int
    lead_s: float
    step_s: float
    tail_s: float
    num_steps: int
    was_hurried: bool = False

    @property
    def total_s(self) -> float:
        """All of it, seconds."""
        return self.lead_s + self.num_steps * self.step_s + self.tail_s


@dataclass(slots=True)
class _Running:
    """A running mean and the running mean of the distance from it."""

    mean: float | None = None
    spread: float = 0.0

    def learn(self, value: float) -> None:
        if self.mean is None:
            self.mean, self.spread = value, value / 4
            return
        self.spread += _NEW_WEIGHT * (abs(value - self.mean) - self.spread)
        self.mean += _NEW_WEIGHT * (value - self.mean)

    @property
    def usual(self) -> float:
        """What it mostly keeps to."""
        return 0.0 if self.mean is None else self.mean + self.spread

    @property
    def careful(self) -> float:
        """What it will hardly exceed."""
        return 0.0 if self.mean is None else self.mean + 3 * self.spread


@dataclass(slots=True)
class StepPlanner:
    """Learns what versions take and plans the next.

    Attributes:
        totals_s: the latest times from beginning to end, seconds.
    """

    totals_s: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _around: _Running = field(default_factory=_Running)  # lead and tail
    _tail: _Running = field(default_factory=_Running)
    _step: _Running = field(default_factory=_Running)
    _steps_per_rung: _Running = field(default_factory=lambda: _Running(_USUAL_STEPS))

    def learn(self, timing: Timing) -> None:
        """Take in what a version took."""
        self.totals_s.append(timing.total_s)
        self._around.learn(timing.lead_s + timing.tail_s)
        self._tail.learn(timing.tail_s)
        self._step.learn(timing.step_s)
        if not timing.was_hurried:
            self._steps_per_rung.learn(timing.num_steps / timing.rung)

    def rung_for(self, time_left_s: float) -> int:
        """Return the highest rung that will be done in time; 1 where nothing is known yet, or none will be."""
        step_s = self._step.careful * self._steps_per_rung.careful
        if not step_s:
            return 1
        return min(MAX_RUNG, max(1, math.floor((time_left_s - self._around.careful) / step_s)))

    def must_hurry(self, time_left_s: float, pace_s: float | None = None) -> bool:
        """Return whether a decoding that makes one more step in peace would be late.

        Args:
            time_left_s: until it must be done.
            pace_s: what a step takes this time, as far as it is seen; None before the second.
        """
        rest_s = self._tail.careful + (_NUM_LEVELS_LEFT + 1) * self._step.careful
        if pace_s is not None and self._step.mean:
            rest_s *= max(1.0, pace_s / self._step.mean)  # whatever slows the steps slows what comes after them
        return time_left_s < rest_s

    @property
    def least_s(self) -> float | None:
        """Seconds that a version of the fewest steps hardly exceeds; None before the first."""
        if self._step.mean is None:
            return None
        return self._around.careful + self._step.careful * self._steps_per_rung.careful

    @property
    def usual_least_s(self) -> float | None:
        """Seconds that most versions of the fewest steps keep to; None before the first.

        By this a loop is called too short: what is careful enough to plan a step by says so of every machine at first.
        """
        if self._step.mean is None:
            return None
        return self._around.usual + self._step.usual * self._steps_per_rung.usual

    def quantile_s(self, share: float) -> float | None:
        """Return the time that `share` of the latest versions kept to; None before the first."""
        if not self.totals_s:
            return None
        ordered = sorted(self.totals_s)
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def longer_loop(least_s: float, loop_s: float, margin_s: float, max_s: float) -> int | None:
    """Return how many times longer the loop must be for a version to be done in one; 1 if it is long enough.

    Args:
        least_s: seconds that a version of the fewest steps takes for this loop.
        loop_s: length of the loop.
        margin_s: seconds that a version needs on its way to the ear.
        max_s: longest loop that can be.

    Returns:
        1, 2, 4, ...; None if no loop is long enough.
    """
    times = 1
    while times * loop_s <= max_s:
        # The longer the loop, the more there is to make; half of it, at least, does not depend on the length.
        if least_s * (1 + (times - 1) / 2) + margin_s <= times * loop_s:
            return times
        times *= 2
    return None
