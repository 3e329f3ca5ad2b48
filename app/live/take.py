"""A take: what was played, loop by loop, and how it becomes sound again, exactly as the page played it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from app.live.clock import LoopClock
from stemgen_core.types import Waveform

FADE_S = 0.012  # before a boundary, over which one version turns into the next; `LIVE_FADE_S` of live_clock.js
MAX_TAKE_S = 600.0


@dataclass(frozen=True, slots=True)
class PlayedLoop:
    """One loop of a take.

    Attributes:
        sounding: version by part, of the parts that were heard.
        gains_db: by part; a part that is not named is as loud as it is.
    """

    sounding: Mapping[str, str]
    gains_db: Mapping[str, float]


def parts_of(played: Sequence[PlayedLoop]) -> list[str]:
    """Return the parts that are heard in a take, in the order in which they come in."""
    return list(dict.fromkeys(part_id for loop in played for part_id in loop.sounding))


def render_part(
    played: Sequence[PlayedLoop], part_id: str, clock: LoopClock, read: Callable[[str], Waveform]
) -> Waveform:
    """Return a part of a take, [2, number of loops x length of a loop].

    Args:
        played: the loops, in order.
        part_id: whose sound.
        clock: of the loop.
        read: returns a version's waveform by its id.
    """
    length, num_faded = clock.num_frames, fade_frames(clock)
    total = torch.zeros(2, length * len(played))
    for at, loop in enumerate(played):
        here = _sound(loop, part_id, read)
        if here is not None:
            total[:, at * length : (at + 1) * length] += here
        after = played[at + 1] if at + 1 < len(played) else loop
        if not _is_same(loop, after, part_id):
            _fade_over(total[:, (at + 1) * length - num_faded : (at + 1) * length], _sound(after, part_id, read))
    return Waveform(total, clock.sample_rate_hz)


def fade_frames(clock: LoopClock) -> int:
    """Return how many audio samples before a boundary the next version comes in."""
    return round(FADE_S * clock.sample_rate_hz)


def _is_same(one: PlayedLoop, other: PlayedLoop, part_id: str) -> bool:
    return one.sounding.get(part_id) == other.sounding.get(part_id) and one.gains_db.get(part_id, 0.0) == (
        other.gains_db.get(part_id, 0.0)
    )


def _sound(loop: PlayedLoop, part_id: str, read: Callable[[str], Waveform]) -> torch.Tensor | None:
    version_id = loop.sounding.get(part_id)
    if version_id is None:
        return None
    return read(version_id).samples.expand(2, -1) * 10 ** (loop.gains_db.get(part_id, 0.0) / 20)


def _fade_over(end: torch.Tensor, following: torch.Tensor | None) -> None:
    """Turn the end of a loop, in place, into the end of what follows: it leads into its own beginning."""
    weight = torch.linspace(0, 1, end.shape[1] + 1)[1:]
    target = 0.0 if following is None else following[:, -end.shape[1] :]
    end += weight * (target - end)
