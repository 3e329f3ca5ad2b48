"""From steps of the bar grid to seconds: tempo, swing, drift, and where in the music the audio begins."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meter:
    """The grid of a bar.

    Attributes:
        beats_per_bar: 4, 3 or 2.
        steps_per_beat: 4 sixteenths, or 6 where the beat is a dotted quarter.
    """

    beats_per_bar: int
    steps_per_beat: int

    @property
    def steps_per_bar(self) -> int:
        """Grid steps in a bar: 16 or 12."""
        return self.beats_per_bar * self.steps_per_beat


METERS = {"4/4": Meter(4, 4), "3/4": Meter(3, 4), "6/8": Meter(2, 6)}


@dataclass(frozen=True, slots=True)
class BeatClock:
    """Maps steps of the grid to seconds; monotonic.

    Attributes:
        meter: the grid.
        tempo_bpm: mean beats a minute.
        swing: share of a pair that its first half takes, 0.5 (straight) .. 0.67 (triplets).
        swing_steps: steps of a swung pair: 4 swings eighths, 2 sixteenths.
        start_step: where in the music the audio begins.
        drift_s: amplitude of slow deviation from the mean tempo.
        drift_period_s: its period.
        drift_phase: its phase, radians.
    """

    meter: Meter
    tempo_bpm: float
    swing: float = 0.5
    swing_steps: int = 4
    start_step: float = 0.0
    drift_s: float = 0.0
    drift_period_s: float = 12.0
    drift_phase: float = 0.0

    @property
    def step_s(self) -> float:
        """Mean seconds of a step."""
        return 60.0 / self.tempo_bpm / self.meter.steps_per_beat

    def _straight_s(self, step: float) -> float:
        pair = math.floor(step / self.swing_steps)
        phase = step / self.swing_steps - pair
        swung = phase * 2 * self.swing if phase < 0.5 else self.swing + (phase - 0.5) * 2 * (1 - self.swing)
        time_s = (pair + swung) * self.swing_steps * self.step_s
        return time_s + self.drift_s * math.sin(2 * math.pi * time_s / self.drift_period_s + self.drift_phase)

    def unswung(self, step: float) -> float:
        """Return the step of the grid that sounds where `step` would without swing; drift is left as it is."""
        pair = math.floor(step / self.swing_steps)
        phase = step / self.swing_steps - pair
        even = phase / (2 * self.swing)
        if phase >= self.swing:
            even = 0.5 + (phase - self.swing) / (2 * (1 - self.swing))
        return (pair + even) * self.swing_steps

    def time_s(self, step: float) -> float:
        """Return seconds from the start of the audio; negative before it."""
        return self._straight_s(step) - self._straight_s(self.start_step)
