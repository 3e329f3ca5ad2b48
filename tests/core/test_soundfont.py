"""One player serves many renders, and none hears another."""

import numpy as np
import pytest

from stemgen_core.score import Note
from stemgen_core.sound.programs import SOUNDS
from stemgen_core.sound.soundfont import SoundfontPlayer
from tests.core.tiny_models import SOUNDS as FONT

NOTES = [Note(0.0, 60, 5.0, 100), Note(0.1, 64, 5.0, 90), Note(0.1, 67, 0.2, 40)]


@pytest.fixture(scope="module")
def player() -> SoundfontPlayer:
    return SoundfontPlayer(FONT)


def render(player: SoundfontPlayer, instrument: str, notes: list[Note], rate_hz: int = 16_000) -> np.ndarray:
    return player.render(notes, SOUNDS[instrument][0], sample_rate_hz=rate_hz, num_audio_samples=rate_hz // 2)


@pytest.mark.parametrize("instrument", sorted(SOUNDS))
@pytest.mark.parametrize("before", ["synth_pad", "drums", "piano"])
def test_the_same_notes_are_the_same_samples_whatever_was_played_before(
    player: SoundfontPlayer, instrument: str, before: str
) -> None:
    first = render(player, instrument, NOTES)
    render(player, before, [Note(0.0, 40 + step, 9.0, 127) for step in range(12)], rate_hz=48_000)

    again = render(player, instrument, NOTES)

    assert np.abs(first).max() > 0.001
    assert np.array_equal(first, again)


@pytest.mark.parametrize("before", sorted(SOUNDS))
def test_silence_after_anything_is_silence(player: SoundfontPlayer, before: str) -> None:
    render(player, before, NOTES)

    assert np.abs(render(player, "piano", [])).max() == 0
