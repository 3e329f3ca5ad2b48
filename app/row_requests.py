"""What was asked of the model, read back from the rows that keep it."""

from collections.abc import Mapping, Sequence
from typing import cast

from sessions.tree import Turn, Variation
from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import GenerationRequest
from stemgen_core.sampling.settings import SamplingSettings

# What a turn keeps beside the decoding settings (see app.orders); a take with one of the first came of another take, or
# of sounds that the tree does not hold (a microphone, live).
MADE_FROM_OTHERS = frozenset({"part", "nudged", "repeated", "heard_live", "take"})
BESIDE_SAMPLING = MADE_FROM_OTHERS | {"genre", "stem_category", "genre_to", "genre_morph", "is_loop"}


def request_from_row(turn: Turn, variation: Variation) -> GenerationRequest:
    """Return the request that makes a variation again.

    Raises:
        InvalidRequestError: if its settings are none of this version's, or it was made from another take.
    """
    if MADE_FROM_OTHERS & set(turn.settings):
        raise InvalidRequestError("This take was made from another one, so its seed alone does not make it again.")
    return GenerationRequest(
        turn.instrument,
        variation.seed,
        settings_from_row(turn.settings),
        genre=turn.settings.get("genre"),
        stem_category=turn.settings.get("stem_category"),
        genre_to=turn.settings.get("genre_to"),
        genre_morph=turn.settings.get("genre_morph", 0.0),
        is_loop=turn.settings.get("is_loop", False),
    )


def settings_from_row(stored: Mapping[str, object]) -> SamplingSettings:
    """Return settings as a turn keeps them; JSON has no tuples.

    Raises:
        InvalidRequestError: if they are none of this version's.
    """
    try:
        num_steps = tuple(cast(Sequence[int], stored["num_steps"]))
        sampling = {name: value for name, value in stored.items() if name not in BESIDE_SAMPLING}
        return SamplingSettings(**{**sampling, "num_steps": num_steps})  # pyright: ignore[reportArgumentType]
    except (KeyError, TypeError) as error:
        raise InvalidRequestError("The settings of this take are of another version and can't be used.") from error
