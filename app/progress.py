"""How far the work is and how long it will still take."""

from dataclasses import dataclass

from stemgen_core.generator import GenerationRequest

_NEW_WEIGHT = 0.4  # of the latest variation in the running mean: a machine's speed changes with its other load


@dataclass(frozen=True, slots=True)
class TurnProgress:
    """Where a turn that is not finished stands.

    Attributes:
        queue_position: turns before it; 0 while it runs.
        variation_id: the variation being generated; None while it waits.
        fraction: 0..1 of that variation.
        eta_s: seconds until its last variation is there; None if nothing was measured yet.
    """

    queue_position: int
    variation_id: str | None = None
    fraction: float = 0.0
    eta_s: float | None = None


class SpeedMeter:
    """Learns how long a variation takes on this machine, as a running mean over the latest ones."""

    def __init__(self) -> None:
        self._seconds_per_unit: float | None = None

    def learn(self, request: GenerationRequest, context_s: float, seconds_spent: float) -> None:
        """Take in the time that one variation took."""
        latest = seconds_spent / work_units(request, context_s)
        known = self._seconds_per_unit
        self._seconds_per_unit = latest if known is None else known + _NEW_WEIGHT * (latest - known)

    @property
    def seconds_per_unit(self) -> float | None:
        """Return the seconds that a unit of work takes; None before the first variation."""
        return self._seconds_per_unit

    def expect(self, request: GenerationRequest, context_s: float) -> float | None:
        """Return the seconds that a variation will take; None before the first was measured."""
        return None if self._seconds_per_unit is None else self._seconds_per_unit * work_units(request, context_s)


def expected_rest_s(elapsed_s: float, fraction: float, expected_s: float | None) -> float | None:
    """Return how long a running variation will still take.

    Args:
        elapsed_s: since it began.
        fraction: 0..1 of it done.
        expected_s: what the meter expected for the whole; None if it knows nothing.
    """
    if fraction >= 0.2:  # by then its own pace tells more than the mean of others
        return elapsed_s * (1 - fraction) / fraction
    return None if expected_s is None else max(0.0, expected_s - elapsed_s)


def work_units(request: GenerationRequest, context_s: float) -> float:
    """Return a variation's work: decoding steps of all candidates times seconds of audio, which the time grows with."""
    return max(1.0, context_s) * sum(request.settings.num_steps) * request.settings.num_candidates
