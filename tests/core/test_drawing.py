"""Pictures and pages: what is drawn where, and that a page needs nothing but itself."""

import io
import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from stemgen_core.drawing import (
    ChordLabel,
    RollLane,
    audio_player,
    page,
    piano_roll_svg,
    spectrogram_png,
    write_listenable,
)
from stemgen_core.score import Note

RATE_HZ = 32_000
SVG = "{http://www.w3.org/2000/svg}"


def note_boxes(svg: str) -> list[dict[str, float]]:
    """Return the rectangles of notes (not the lanes' backgrounds)."""
    boxes = [rect.attrib for rect in ElementTree.fromstring(svg).iter(f"{SVG}rect")]
    return [
        {name: float(box[name]) for name in ("x", "y", "width", "height", "fill-opacity")}
        for box in boxes
        if float(box["fill-opacity"]) > 0.1
    ]


def test_notes_lie_where_time_and_pitch_say() -> None:
    notes = [Note(0.0, 60, 1.0, 127), Note(5.0, 72, 2.0, 20)]

    low, high = note_boxes(piano_roll_svg([RollLane("piano", notes)], duration_s=10.0, width=1092))

    assert high["x"] - low["x"] == pytest.approx(500, abs=0.2)
    assert low["width"] == pytest.approx(99.5, abs=0.2)
    assert high["y"] < low["y"]
    assert high["fill-opacity"] < low["fill-opacity"]


def test_lanes_do_not_overlap_and_drums_have_a_row_per_key() -> None:
    drums = [Note(0.0, 36, 0.1, 100), Note(0.5, 38, 0.1, 100), Note(1.0, 81, 0.1, 100)]
    piano = [Note(0.0, 40, 1.0, 100), Note(0.0, 88, 1.0, 100)]

    boxes = note_boxes(piano_roll_svg([RollLane("drums", drums, is_drums=True), RollLane("p", piano)], duration_s=2.0))

    rows = [box["y"] for box in boxes[:3]]
    assert sorted(rows, reverse=True) == rows
    assert len({round(a - b, 1) for a, b in pairwise(rows)}) == 1  # neighbours, whatever their keys
    assert min(box["y"] for box in boxes[3:]) > max(rows)


def test_names_are_escaped_and_chords_and_bars_are_written() -> None:
    svg = piano_roll_svg(
        [RollLane("<script>", [Note(0.0, 60, 1.0, 90)])],
        duration_s=4.0,
        chords=[ChordLabel(0.0, 2.0, "C&G"), ChordLabel(2.0, 2.01, "short")],
        beats_s=[0.0, 1.0, 2.0, 3.0],
        downbeats_s=[0.0],
    )

    texts = [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert "<script>" in texts
    assert "C&G" in texts
    assert "short" not in texts
    assert len(list(ElementTree.fromstring(svg).iter(f"{SVG}line"))) == 5


def test_an_empty_roll_is_a_picture_and_no_time_is_an_error() -> None:
    assert ElementTree.fromstring(piano_roll_svg([RollLane("rest", [])], duration_s=1.0)) is not None
    with pytest.raises(ValueError, match="duration_s must be > 0"):
        piano_roll_svg([], duration_s=0)


def test_a_tone_is_a_bright_line_at_its_height_while_it_sounds() -> None:
    seconds = np.arange(2 * RATE_HZ) / RATE_HZ
    tone = np.where(seconds < 1, np.sin(2 * np.pi * 1000 * seconds), 0).astype(np.float32)

    image = Image.open(io.BytesIO(spectrogram_png(tone, RATE_HZ, width=200, height=100)))

    assert image.size == (200, 100)
    grey = np.asarray(image.convert("L")).astype(float)
    expected_row = 99 - round(99 * np.log(1000 / 40) / np.log(14_000 / 40))
    assert abs(int(grey[:, 50].argmax()) - expected_row) <= 2
    assert grey[:, 180].max() < 20 < 200 < grey[:, 50].max()


def test_silence_is_dark_and_nothing_is_an_error() -> None:
    dark = np.asarray(Image.open(io.BytesIO(spectrogram_png(np.zeros(RATE_HZ, np.float32), RATE_HZ))).convert("L"))

    assert dark.max() < 20
    with pytest.raises(ValueError, match="must not be empty"):
        spectrogram_png(np.zeros(0, np.float32), RATE_HZ)


def test_audio_shorter_than_the_picture_is_wide_can_be_drawn() -> None:
    assert spectrogram_png(np.ones(50, np.float32), RATE_HZ)


def test_a_page_loads_nothing_from_elsewhere_and_knows_light_and_dark() -> None:
    html = page("A & B", audio_player('a"b.mp3', "<mix>"))

    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", html)
    assert "prefers-color-scheme: dark" in html
    assert "<title>A &amp; B</title>" in html
    assert "&lt;mix&gt;" in html
    assert 'src="a&quot;b.mp3"' in html


def test_written_audio_is_small_and_can_be_read_again(tmp_path: Path) -> None:
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE_HZ) / RATE_HZ)).astype(np.float32)

    write_listenable(tmp_path / "tone.mp3", tone, RATE_HZ)

    again, rate_hz = soundfile.read(tmp_path / "tone.mp3")
    assert rate_hz == RATE_HZ
    assert abs(len(again) / rate_hz - 3) < 0.15
    assert (tmp_path / "tone.mp3").stat().st_size < 0.3 * tone.size * 2
    with pytest.raises(ValueError, match=r"must end in \.mp3"):
        write_listenable(tmp_path / "tone.wav", tone, RATE_HZ)
