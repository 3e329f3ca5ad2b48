"""The clips that come with the studio."""

import re

import pytest
import soundfile

from app.examples import Example, load_examples

EXAMPLES = list(load_examples().values())


def test_there_are_drums_chords_and_a_melody_to_start_from() -> None:
    assert [example.id for example in EXAMPLES] == ["drums", "chords", "melody"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_each_is_whole_bars_small_and_neither_silent_nor_clipped(example: Example) -> None:
    samples, sample_rate_hz = soundfile.read(example.path)
    tempo_bpm, num_bars = (int(number) for number in re.findall(r"(\d+) (?:BPM|bars)", example.detail))

    num_bars_heard = len(samples) / sample_rate_hz / (4 * 60 / tempo_bpm)

    assert num_bars_heard == pytest.approx(num_bars, rel=0.01)  # the label's tempo is rounded
    assert example.path.stat().st_size < 600_000
    assert 0.3 < abs(samples).max() < 0.99
