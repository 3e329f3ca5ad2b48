"""How well one stem fits the context it was made for, by two numbers a listener can check: time and harmony."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Verdict = Literal["good", "fair", "poor"]


@dataclass(frozen=True, slots=True)
class FitReport:
    """What was measured on a stem and its context; `None` where there was nothing to measure.

    Attributes:
        offset_ms: how much later (+) or earlier (-) the stem's onsets come than the context's, -120..120 ms; None
            where either has too few onsets.
        onset_agreement: 0..1; random pairs lie near 0, stems that play on the context's beats near 1; None as above.
        harmony_agreement: 0..1; how much better the stem's pitches agree with the context as they are than
            transposed: random pairs lie near 0, stems in the context's harmony near 1; None where either has no
            pitch (drums).
        level_db: level of the stem while it sounds relative to the context while it sounds, dB; 0 where either is
            silent.
        is_silent: the stem has no audible sound.
        verdict: the summary shown to people.
    """

    offset_ms: float | None
    onset_agreement: float | None
    harmony_agreement: float | None
    level_db: float
    is_silent: bool
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "FitReport":
        """Read what `to_json` returned.

        Raises:
            ValueError: if a field is missing or unknown, or the verdict is not one of ours.
        """
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            raise ValueError(f"a fit report has the fields {sorted(names)}, got {sorted(values)}")
        if values["verdict"] not in get_args(Verdict):
            raise ValueError(f"verdict must be one of {get_args(Verdict)}, got {values['verdict']!r}")
        return cls(**values)
