"""A stem that hardly plays is drafted again, livelier; what sounds in most seconds is kept."""

import itertools

import pytest
import torch

from stemgen_core.codec.protocol import BEGINS, HOLDS, RESTS, LevelRule
from stemgen_core.sampling.drafts import DENSITY_STEP, MAX_DRAFTS, draft_until_it_sounds, sounding_share
from stemgen_core.sampling.settings import MAX_DENSITY, SamplingSettings

RATE_HZ = 4.0
KINDS = torch.tensor([RESTS, BEGINS, HOLDS, RESTS])  # code 3 is a rest that is not 0
NOTES = LevelRule(0, kinds=KINDS)
EXPRESSION = LevelRule(2)
SETTINGS = SamplingSettings(density=0.5, num_candidates=2)


def stem(*levels: list[int]) -> torch.Tensor:
    return torch.tensor(levels)[None]


def sounding(num_seconds: int, of: int = 8) -> torch.Tensor:
    """Return a stem of one level that begins a note in so many of its seconds."""
    return stem([1, 0, 0, 0] * num_seconds + [0] * 4 * (of - num_seconds))


class Drafts:
    """Hands out stems in turn and keeps what it was asked for."""

    def __init__(self, *stems: torch.Tensor) -> None:
        self.stems = stems
        self.asked: list[tuple[float, int]] = []

    def __call__(self, settings: SamplingSettings, first: int) -> tuple[torch.Tensor, tuple[int, ...]]:
        self.asked.append((settings.density, first))
        return self.stems[len(self.asked) - 1], (first,)


@pytest.mark.parametrize("length", range(1, 12))
def test_share_is_that_of_a_slow_reference(length: int) -> None:
    for row in itertools.islice(itertools.product(range(4), repeat=length), 0, None, max(1, 4**length // 300)):
        plays = [
            any(row[start] == 1 and all(code == 2 for code in row[start + 1 : frame + 1]) for start in range(frame + 1))
            for frame in range(length)
        ]
        seconds = [plays[start : start + 4] for start in range(0, length, 4)]

        found = sounding_share(stem(list(row)), [NOTES], frame_rate_hz=RATE_HZ)

        assert found == sum(map(any, seconds)) / len(seconds)


def test_expression_without_a_note_is_no_sound_and_any_voice_is() -> None:
    codes = stem([2, 2, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0], [7] * 8)
    other_voice = LevelRule(1, kinds=KINDS)

    assert sounding_share(codes, [NOTES, EXPRESSION], frame_rate_hz=RATE_HZ) == 0  # held, but never begun
    assert sounding_share(codes, [NOTES, other_voice, EXPRESSION], frame_rate_hz=RATE_HZ) == 0.5


def test_where_codes_do_not_say_what_they_do_every_code_but_zero_of_a_level_in_use_sounds() -> None:
    codes = stem([0] * 8, [5] * 8, [0, 0, 0, 0, 0, 0, 0, 3])

    assert sounding_share(codes, [LevelRule(0), LevelRule(2)], frame_rate_hz=RATE_HZ) == 0.5


def test_what_sounds_in_half_of_the_seconds_is_drafted_once() -> None:
    drafts = Drafts(sounding(4))

    codes, chosen = draft_until_it_sounds(drafts, SETTINGS, [NOTES], frame_rate_hz=RATE_HZ)

    assert (codes is drafts.stems[0], chosen) == (True, (0,))
    assert drafts.asked == [(0.5, 0)]


def test_further_drafts_are_livelier_and_drawn_from_numbers_of_their_own() -> None:
    drafts = Drafts(sounding(3), sounding(0), sounding(5))

    codes, chosen = draft_until_it_sounds(drafts, SETTINGS, [NOTES], frame_rate_hz=RATE_HZ)

    assert (codes is drafts.stems[2], chosen) == (True, (4,))
    assert drafts.asked == [(0.5, 0), (0.5 + DENSITY_STEP, 2), (0.5 + 2 * DENSITY_STEP, 4)]


@pytest.mark.parametrize(("seconds", "kept"), [((1, 3, 2), 1), ((0, 0, 0), 0), ((2, 2, 1), 0)])
def test_where_none_sounds_enough_the_one_that_sounds_most_is_kept(seconds: tuple[int, ...], kept: int) -> None:
    drafts = Drafts(*map(sounding, seconds))

    codes, _ = draft_until_it_sounds(drafts, SETTINGS, [NOTES], frame_rate_hz=RATE_HZ)

    assert codes is drafts.stems[kept]
    assert len(drafts.asked) == MAX_DRAFTS


def test_density_stays_in_its_range() -> None:
    drafts = Drafts(*[sounding(0)] * 3)

    draft_until_it_sounds(drafts, SamplingSettings(density=MAX_DENSITY), [NOTES], frame_rate_hz=RATE_HZ)

    assert {density for density, _ in drafts.asked} == {MAX_DENSITY}


def test_who_asks_for_less_gets_what_rests_but_not_what_never_plays() -> None:
    settings = SamplingSettings(density=-1.0)
    sparse, silent = Drafts(sounding(1)), Drafts(sounding(0), sounding(1))

    draft_until_it_sounds(sparse, settings, [NOTES], frame_rate_hz=RATE_HZ)
    draft_until_it_sounds(silent, settings, [NOTES], frame_rate_hz=RATE_HZ)

    assert (len(sparse.asked), len(silent.asked)) == (1, 2)
