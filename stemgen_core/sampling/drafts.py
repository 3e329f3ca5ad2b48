"""A stem that hardly plays is drafted again, livelier: whoever asks for one wants to hear it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from stemgen_core.codec.protocol import BEGINS, HOLDS, LevelRule
from stemgen_core.sampling.settings import MAX_DENSITY, SamplingSettings

MAX_DRAFTS = 3
MIN_SOUNDING_SHARE = 0.5  # of the seconds; three in a hundred true stems play in fewer (decision 0106)
DENSITY_STEP = 0.75  # from one draft to the next

Drafting = Callable[[SamplingSettings, int], tuple[torch.Tensor, tuple[int, ...]]]


def draft_until_it_sounds(
    draft: Drafting, settings: SamplingSettings, rules: Sequence[LevelRule], *, frame_rate_hz: float
) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Return the first draft that sounds in half of the seconds, or of three the one that sounds in most.

    Args:
        draft: makes codes, int64 [1, K, T], and says which candidates were kept; it is given the settings, whose
            density rises from draft to draft, and the number of the first candidate.
        settings: what was asked for. Where less density was asked for than usual, any sound is enough.
        rules: the levels that the stem uses.
        frame_rate_hz: of the codes.
    """
    wanted = MIN_SOUNDING_SHARE if settings.density >= 0 else 0.0
    drafts = []
    for number in range(MAX_DRAFTS):
        density = min(MAX_DENSITY, settings.density + number * DENSITY_STEP)
        made = draft(replace(settings, density=density), number * settings.num_candidates)
        share = sounding_share(made[0], rules, frame_rate_hz=frame_rate_hz)
        if share > 0 and share >= wanted:
            return made
        drafts.append((share, made))
    return max(drafts, key=lambda scored: scored[0])[1]  # the first of equals


def sounding_share(codes: torch.Tensor, rules: Sequence[LevelRule], *, frame_rate_hz: float) -> float:
    """Return the share of seconds in which a note begins or is held, 0..1.

    Args:
        codes: int64 [1, K, T], a whole stem.
        rules: the levels that it uses. Where they say what a code does with notes, those that don't (how a note is
            played) are not looked at, and what holds no note is a rest; otherwise every code but 0 sounds.
        frame_rate_hz: of the codes; a stem of less than a second counts as one.
    """
    telling = [rule for rule in rules if rule.kinds is not None]
    sounds = torch.zeros(codes.shape[2], dtype=torch.bool)
    for rule in telling or rules:
        row = codes[0, rule.level]
        sounds |= _plays(rule.kinds[row]) if rule.kinds is not None else row != 0
    seconds = sounds.split(max(1, round(frame_rate_hz)))
    return sum(bool(second.any()) for second in seconds) / len(seconds)


def _plays(kinds: torch.Tensor) -> torch.Tensor:
    """Return in which frames a note sounds, bool [T]: where it begins, and while it is held from there."""
    plays, is_playing = torch.zeros(len(kinds), dtype=torch.bool), False
    for frame, kind in enumerate(kinds.tolist()):
        is_playing = kind == BEGINS or (kind == HOLDS and is_playing)
        plays[frame] = is_playing
    return plays
