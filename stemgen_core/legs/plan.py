"""What one leg is to train, and the named plans."""

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from stemgen_core.errors import InvalidRequestError
from stemgen_core.types import Hearing

LEG_MINUTES = 26.0  # that the plans are made for
SHORT_MINUTES = 20.0  # below, some things don't pay or don't fit; see `fitted`
_SHORT_CODEC_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class LegPlan:
    """Everything a leg needs to know beside its minutes.

    Attributes:
        family: "audio" trains a codec (where it brings none), writes tokens and trains on them; "score" trains at once.
        codec: name of a codec preset, audio family only.
        size: of the language model.
        batch_size: examples per step.
        window_frames: frames per example.
        learning_rate: peak, of the language model.
        num_pieces: of the corpus; a leg seldom needs them all, rendering ends with it.
        piece_s: length of a piece in seconds.
        corpus_seed: which corpus; another leg takes another.
        num_renders: how often each piece is rendered, audio family only.
        num_mixes: contexts per render, audio family only.
        hearing: what the audio family reads of mixes: "codes", the paper's way, or "bands" (decision 0108).
        num_processes: that render side by side.
        num_loaders: that make examples side by side.
        codec_share: of the leg's time for the codec, where it has to be trained.
        decay_share: of the language model's time in which its rate falls to zero.
        min_training_pieces: finished before training starts.
        min_heldout_pieces: finished before training starts.
        is_compiled: run the model through `torch.compile`.
        first_trial_steps: of the codec, to find out how many steps its time allows.
        adversary_from: share of the codec's steps after which an adversary joins in, EnCodec only; 1 = never.
        has_decoder_phase: spend `codec_share` on the decoder of the codec that the leg brings; its codes stay valid.
        minutes: of the whole leg; `fitted` makes a plan for others than these.
        has_all_fonts: carry every training font; else the first alone, which plays for the others, too.
    """

    family: Literal["audio", "score"]
    codec: str = "small"
    size: str = "base"
    batch_size: int = 64
    window_frames: int = 500
    learning_rate: float = 1e-3
    num_pieces: int = 4_000
    piece_s: float = 24.0
    corpus_seed: int = 1_000
    num_renders: int = 5
    num_mixes: int = 4
    hearing: Hearing = "codes"
    num_processes: int = 13
    num_loaders: int = 3
    codec_share: float = 0.33
    decay_share: float = 0.25
    min_training_pieces: int = 200
    min_heldout_pieces: int = 4
    is_compiled: bool = True
    first_trial_steps: int = 200
    adversary_from: float = 1.0
    has_decoder_phase: bool = False
    minutes: float = LEG_MINUTES
    has_all_fonts: bool = True

    def fitted(self, minutes: float) -> "LegPlan":
        """Return the plan for a leg of so many minutes.

        A shorter leg waits for fewer pieces and renders each less often. One of less than `SHORT_MINUTES` has no time
        to compile, to travel there twice or to bring home several journeys of weights, nor for an EnCodec: its codec is
        that of bands, which its model hears, too; its model `medium` at most, its fonts one.

        Raises:
            InvalidRequestError: if there is less than a minute.
        """
        if not minutes >= 1:
            raise InvalidRequestError(f"A leg needs at least a minute, got {minutes}.")
        share = min(1.0, minutes / self.minutes)
        plan = replace(
            self,
            minutes=float(minutes),
            min_training_pieces=_fewer(self.min_training_pieces, share, 20),
            num_renders=_fewer(self.num_renders, share, 2),
            first_trial_steps=_fewer(self.first_trial_steps, share, 50),
        )
        if minutes >= SHORT_MINUTES:
            return plan
        plan = replace(plan, is_compiled=False, has_all_fonts=False)
        if plan.size in ("base", "paper"):
            plan = replace(plan, size="medium")
        if plan.family == "audio" and plan.codec == PLANS["audio"].codec:
            plan = replace(plan, codec="bands", hearing="bands", codec_share=_SHORT_CODEC_SHARE)
        return plan

    def save(self, path: Path) -> None:
        """Write the plan as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "LegPlan":
        """Read a plan.

        Raises:
            InvalidRequestError: if it is none.
        """
        try:
            return cls.changed(PLANS["audio"], json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise InvalidRequestError(f"{path} is no plan of a leg: {error}") from error

    @staticmethod
    def changed(plan: "LegPlan", changes: dict[str, Any]) -> "LegPlan":
        """Return the plan with some values changed.

        Raises:
            InvalidRequestError: if a name is unknown or a value of another type.
        """
        types = {field.name: type(getattr(plan, field.name)) for field in fields(plan)}
        for name, value in changes.items():
            if name not in types:
                raise InvalidRequestError(f"A plan has no {name!r}. It has: {', '.join(types)}.")
            if not isinstance(value, types[name]) and not (types[name] is float and isinstance(value, int)):
                raise InvalidRequestError(f"{name} must be a {types[name].__name__}, got {value!r}.")
        return replace(plan, **changes)


def _fewer(count: int, share: float, least: int) -> int:
    """Return a share of a number, but no fewer than `least` where it was as many."""
    return max(min(count, least), round(share * count))


_TINY_AUDIO = LegPlan(
    "audio",
    codec="tiny",
    size="tiny",
    batch_size=2,
    window_frames=50,
    num_pieces=40,
    piece_s=4.0,
    num_renders=2,
    num_mixes=2,
    codec_share=0.15,
    num_processes=1,
    num_loaders=1,
    min_training_pieces=2,
    min_heldout_pieces=1,
    is_compiled=False,
    first_trial_steps=3,
)
PLANS: dict[str, LegPlan] = {
    "audio": LegPlan("audio"),
    "score": LegPlan("score", window_frames=250, num_renders=1, min_training_pieces=400),
    "tiny-audio": _TINY_AUDIO,
    "tiny-bands": replace(_TINY_AUDIO, codec="tiny-bands", hearing="bands"),
    "tiny-score": replace(_TINY_AUDIO, family="score"),
}
