"""What was asked of the model, read back from the rows that keep it."""

from collections.abc import Mapping, Sequence
from typing import cast

from sessions.tree import Turn, Variation
from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import GenerationRequest
from stemgen_core.sampling.settings import SamplingSettings


def request_from_row(turn: Turn, variation: Variation) -> GenerationRequest:
    """Return the request that makes a variation again.

    Raises:
        InvalidRequestError: if its settings are none of this version's.
    """
    return GenerationRequest(turn.instrument, variation.seed, settings_from_row(turn.settings))


def settings_from_row(stored: Mapping[str, object]) -> SamplingSettings:
    """Return settings as a turn keeps them; JSON has no tuples.

    Raises:
        InvalidRequestError: if they are none of this version's.
    """
    try:
        num_steps = tuple(cast(Sequence[int], stored["num_steps"]))
        return SamplingSettings(**{**stored, "num_steps": num_steps})  # pyright: ignore[reportArgumentType]
    except (KeyError, TypeError) as error:
        raise InvalidRequestError("The settings of this take are of another version and can't be used.") from error
