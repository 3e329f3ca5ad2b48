"""Time as live counts it: whole audio samples, and fractions of them where music needs them.

A loop is a whole number of samples, and the tempo is the fraction that this makes. So the k-th boundary is k loops from
the start to the sample, however long it goes on: nothing is added up that was rounded.
"""

from dataclasses import dataclass
from fractions import Fraction

from stemgen_core.errors import InvalidRequestError

MIN_LOOP_S, MAX_LOOP_S = 2.0, 32.0
MIN_TEMPO_BPM, MAX_TEMPO_BPM = 50, 200


@dataclass(frozen=True, slots=True)
class LoopClock:
    """The grid of a loop.

    Attributes:
        sample_rate_hz: audio samples per second.
        num_frames: of a loop, audio samples.
        num_bars: of a loop.
        beats_per_bar: 4 where nothing else is known.
    """

    sample_rate_hz: int
    num_frames: int
    num_bars: int
    beats_per_bar: int = 4

    def __post_init__(self) -> None:
        """Check the lengths.

        Raises:
            InvalidRequestError: if the loop is shorter or longer than live can use.
        """
        if not MIN_LOOP_S <= self.duration_s <= MAX_LOOP_S:
            raise InvalidRequestError(
                f"Loops for live last {MIN_LOOP_S:.0f} to {MAX_LOOP_S:.0f} s, this one {self.duration_s:.1f} s. "
                "Choose another tempo or another number of bars, or bring another clip."
            )
        if self.num_bars < 1 or self.beats_per_bar < 1:
            raise ValueError(f"need at least a bar of a beat, got {self.num_bars} bars of {self.beats_per_bar}")

    @classmethod
    def at_tempo(
        cls, tempo_bpm: Fraction, num_bars: int, *, sample_rate_hz: int, beats_per_bar: int = 4
    ) -> "LoopClock":
        """Return the loop of whole samples that is nearest to a tempo.

        Raises:
            InvalidRequestError: if the tempo is out of range, or the loop is shorter or longer than live can use.
        """
        if not MIN_TEMPO_BPM <= tempo_bpm <= MAX_TEMPO_BPM or not 1 <= num_bars <= 64:
            raise InvalidRequestError(f"Choose a tempo from {MIN_TEMPO_BPM} to {MAX_TEMPO_BPM} beats a minute.")
        frames = Fraction(60 * num_bars * beats_per_bar * sample_rate_hz) / tempo_bpm
        return cls(sample_rate_hz, round(frames), num_bars, beats_per_bar)

    @property
    def tempo_bpm(self) -> Fraction:
        """Beats a minute, exactly."""
        return Fraction(60 * self.num_bars * self.beats_per_bar * self.sample_rate_hz, self.num_frames)

    @property
    def duration_s(self) -> float:
        """Length of a loop, seconds."""
        return self.num_frames / self.sample_rate_hz

    def boundary(self, loop: int) -> int:
        """Return where a loop begins, audio samples from the start of the first."""
        return loop * self.num_frames

    def loop_at(self, frame: int) -> int:
        """Return the loop that an audio sample is in."""
        return frame // self.num_frames

    def bar_start(self, bar: int) -> int:
        """Return where a bar of the loop begins, audio samples from the loop's start; the last is the loop's end."""
        return round(Fraction(bar * self.num_frames, self.num_bars))

    def bar_starts_s(self) -> tuple[float, ...]:
        """Return the bar lines of the loop, both ends included, seconds."""
        return tuple(self.bar_start(bar) / self.sample_rate_hz for bar in range(self.num_bars + 1))
