"""The page that shows how a run went."""

import json
import re
from pathlib import Path

import pytest

from stemgen_core.cli import main
from stemgen_core.drawing import line_chart_svg
from stemgen_core.errors import InvalidRequestError
from stemgen_core.training.curves import write_curves

LINES = [
    {"step": 25, "loss": 5.0, "loss_level_0": 6.0, "learning_rate": 1e-3, "seconds": 3.0},
    {"step": 50, "loss": 4.0, "loss_level_0": 5.5, "learning_rate": 2e-3, "seconds": 6.0},
    {"step": 50, "held_out_loss": 4.5, "held_out_loss_other_context": 4.9, "listening": 0.4, "chord_share": 0.7},
    {"step": 75, "loss": 3.5, "codebook_usage": [0.5, 0.25], "oddity": 1.0},
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    text = "".join(json.dumps(line) + "\n" for line in LINES)
    (tmp_path / "run" / "log.jsonl").write_text(text + '{"step": 100, "lo')
    return tmp_path / "run"


def test_every_number_of_the_log_is_on_the_page_once(run: Path, tmp_path: Path) -> None:
    write_curves(run, tmp_path / "out" / "curves.html")

    page = (tmp_path / "out" / "curves.html").read_text()
    drawn = re.findall(r">([\w ]+)</text>", page)
    names = [name for name in drawn if not name.isdigit()]
    assert set(names) == {
        *("loss", "loss_level_0", "learning_rate", "held_out_loss", "held_out_loss_other_context"),
        *("listening", "chord_share", "codebook_usage 0", "codebook_usage 1", "oddity"),
    }
    assert len(names) == len(set(names))
    assert "Training: 75 steps" in page
    assert "seconds" not in names


def test_charts_stand_in_their_order_with_what_each_ended_at(run: Path, tmp_path: Path) -> None:
    write_curves(run / "log.jsonl", tmp_path / "curves.html")

    page = (tmp_path / "curves.html").read_text()
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert titles == ["Held-out loss", "Training loss", "Listening", "Codebook usage", "Learning rate", "oddity"]
    assert "loss 3.5" in page


@pytest.mark.parametrize("text", ["", '{"step": 1, "seconds": 2.0}\n'])
def test_a_run_without_numbers_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "log.jsonl").write_text(text)

    with pytest.raises(InvalidRequestError, match="nothing to draw yet"):
        write_curves(tmp_path, tmp_path / "curves.html")


def test_the_command_draws_the_page(run: Path, tmp_path: Path) -> None:
    assert main(["train", "curves", str(run), str(tmp_path / "curves.html")]) == 0
    assert (tmp_path / "curves.html").read_text().startswith("<!doctype html>")


def test_a_line_falls_where_its_numbers_fall() -> None:
    svg = line_chart_svg({"loss": [(0, 2.0), (1, 1.0)]}, label="x")

    points = re.findall(r'points="([\d.,\s]+)"', svg)[0].split()
    (x0, y0), (x1, y1) = (tuple(map(float, point.split(","))) for point in points)
    assert x1 > x0
    assert y1 > y0  # down on the page


def test_long_lines_are_thinned_to_means() -> None:
    svg = line_chart_svg({"loss": [(n, float(n % 2)) for n in range(10_000)]}, label="x")

    points = re.findall(r'points="([\d.,\s]+)"', svg)[0].split()
    assert len(points) == 400
    assert len({point.split(",")[1] for point in points}) <= 2


def test_a_level_line_and_a_single_point_are_drawn() -> None:
    assert "polyline" in line_chart_svg({"a": [(5, 0.0)]}, label="x")
    assert "NaN" not in line_chart_svg({"a": [(0, 3.0), (1, 3.0)]}, label="x")


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="no line has a point"):
        line_chart_svg({"a": []}, label="x")
