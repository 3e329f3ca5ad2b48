"""How to decode: every number a variation depends on beside the model, the context and the seed."""

from dataclasses import dataclass, replace

from stemgen_core.errors import InvalidRequestError

MAX_STEPS_PER_LEVEL = 512
MAX_GUIDANCE_SCALE = 6.0
MAX_TEMPERATURE = 2.0
MAX_CANDIDATES = 8
MAX_DENSITY = 4.0
MIN_STEPS = 4  # before a decoding may be hurried


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """Decoding settings; stored with every take.

    Attributes:
        num_steps: decoding steps per level, coarse to fine; the last entry serves all further levels.
        temperature: softmax temperature, > 0.
        top_p: nucleus: codes are only sampled among the likeliest that together have this probability under the model
            with all sources, 0..1; 1 = all. Guidance then can't raise what the model itself finds absurd. Where no
            pass has all sources (eq. 3), the guided probabilities decide.
        context_guidance_scale: how strongly to follow the context, >= 0; 1 = off.
        instrument_guidance_scale: how strongly to follow the instrument, >= 0; 1 = off.
        has_joint_guidance: True contrasts the model with all sources against the model without one of them;
            False is the paper's eq. 3, each source alone (docs/decisions/0005-guidance-and-sampling.md).
        num_guided_levels: levels, coarse to fine, that guidance is applied to; further ones are decoded without.
        confidence_weight: w_c of eq. 1.
        causal_bias: w_s of eq. 1.
        noise_weight: w_r of eq. 1.
        num_candidates: stems that are drafted for one variation; the one with the highest listening score is kept.
        density_guidance_share: how much of guidance's effect on how many notes begin and how long they are held stays,
            0..1; where they begin and which they are is guided in any case. Of no effect where the codec's codes
            don't say which is which.
        density: added to the log-probability of beginning a note, -4..4: above 0 more is played, below 0 less. Of no
            effect where the codec's codes don't say where notes begin.
        max_steps: decoding steps in all after which each level is finished in one more; None = no such bound. What a
            decoding that had to hurry is repeated with.

    Source: StemGen (arXiv:2312.08723), sampling, eq. 1 and 3.
    """

    num_steps: tuple[int, ...] = (16, 8, 4)
    temperature: float = 1.0
    top_p: float = 0.97
    context_guidance_scale: float = 1.0
    instrument_guidance_scale: float = 1.0
    has_joint_guidance: bool = True
    num_guided_levels: int = 1
    confidence_weight: float = 0.1
    causal_bias: float = 0.1
    noise_weight: float = 1.0
    num_candidates: int = 1
    density_guidance_share: float = 1.0
    density: float = 0.0
    max_steps: int | None = None

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            InvalidRequestError: if a field is outside its documented range; the message names it.
        """
        if not self.num_steps or any(not 1 <= steps <= MAX_STEPS_PER_LEVEL for steps in self.num_steps):
            raise InvalidRequestError(f"Steps must be 1 to {MAX_STEPS_PER_LEVEL} per level, got {self.num_steps}.")
        if not 0 < self.temperature <= MAX_TEMPERATURE:
            raise InvalidRequestError(
                f"Temperature must be above 0 and at most {MAX_TEMPERATURE:g}, got {self.temperature:g}."
            )
        if not 0 < self.top_p <= 1:
            raise InvalidRequestError(f"Top p must be above 0 and at most 1, got {self.top_p:g}.")
        for name in ("context_guidance_scale", "instrument_guidance_scale"):
            scale = getattr(self, name)
            if not 0 <= scale <= MAX_GUIDANCE_SCALE:
                raise InvalidRequestError(
                    f"{name.replace('_', ' ').capitalize()} must be 0 to {MAX_GUIDANCE_SCALE:g}, got {scale:g}."
                )
        for name in ("confidence_weight", "causal_bias", "noise_weight"):
            weight = getattr(self, name)
            if not 0 <= weight <= 10:
                raise InvalidRequestError(f"{name.replace('_', ' ').capitalize()} must be 0 to 10, got {weight:g}.")
        if not 1 <= self.num_candidates <= MAX_CANDIDATES:
            raise InvalidRequestError(f"Candidates must be 1 to {MAX_CANDIDATES}, got {self.num_candidates}.")
        if not 0 <= self.density_guidance_share <= 1:
            raise InvalidRequestError(f"Density guidance share must be 0 to 1, got {self.density_guidance_share:g}.")
        if not -MAX_DENSITY <= self.density <= MAX_DENSITY:
            raise InvalidRequestError(f"Density must be -{MAX_DENSITY:g} to {MAX_DENSITY:g}, got {self.density:g}.")
        if self.max_steps is not None and self.max_steps < MIN_STEPS:
            raise InvalidRequestError(f"At least {MIN_STEPS} steps must be allowed, got {self.max_steps}.")
        if self.num_guided_levels < 0:
            raise InvalidRequestError(f"Guided levels must be 0 or more, got {self.num_guided_levels}.")

    def steps_at(self, level: int) -> int:
        """Return the number of decoding steps of `level`."""
        return self.num_steps[min(level, len(self.num_steps) - 1)]


PRESETS: dict[str, SamplingSettings] = {
    "fast": SamplingSettings(num_steps=(8, 4, 2), context_guidance_scale=2.0, top_p=0.95),
    "balanced": SamplingSettings(num_steps=(16, 8, 4), context_guidance_scale=2.0, top_p=0.95),
    "tight": SamplingSettings(num_steps=(16, 8, 4), context_guidance_scale=3.0, temperature=0.7, top_p=0.9),
    "wild": SamplingSettings(num_steps=(16, 8, 4), context_guidance_scale=1.0, temperature=1.3, top_p=0.99),
    "paper": SamplingSettings(
        num_steps=(128, 64, 32, 32),
        top_p=1.0,
        context_guidance_scale=3.0,
        instrument_guidance_scale=3.0,
        has_joint_guidance=False,
        num_guided_levels=99,
    ),
}


def settings_from_preset(name: str, **changes: object) -> SamplingSettings:
    """Return a preset with some fields changed.

    Args:
        name: a key of `PRESETS`.
        changes: fields of `SamplingSettings`; None keeps the preset's value.

    Raises:
        InvalidRequestError: if there is no such preset or a value is outside its range.
    """
    if name not in PRESETS:
        raise InvalidRequestError(f"There is no preset called {name!r}. Choose one of: {', '.join(PRESETS)}.")
    given = {field: value for field, value in changes.items() if value is not None}
    return replace(PRESETS[name], **given)  # pyright: ignore[reportArgumentType]
