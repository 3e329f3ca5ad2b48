"""`stemgen train curves`: how a run went, as a page of charts made from its log."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from stemgen_core.drawing import line_chart_svg, page
from stemgen_core.errors import InvalidRequestError
from stemgen_core.training.run_folder import LOG_FILE, read_log_lines

# Title, what it says, and how the names of its lines begin; a name belongs to the first chart that claims it.
_CHARTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Held-out loss", "Nats per code (language model) or the sum of distances (codec).", ("held_out_",)),
    ("Training loss", "Of each logged step; per level where the model has levels.", ("loss",)),
    ("Parts of the codec's loss", "Before they are weighted.", ("waveform", "magnitude", "log_mel")),
    (
        "Listening",
        "What is written fits what is heard; beside what chance gives.",
        ("listening", "chord_share", "onset_hits", "other_", "note_rate"),
    ),
    ("Codebook usage", "Share of the entries in use on held-out audio.", ("codebook_usage",)),
    ("Learning rate", "", ("learning_rate",)),
    ("Gradient norm", "Before clipping.", ("gradient_norm",)),
)
_NEVER_DRAWN = ("step", "seconds", "num_restarted")


def write_curves(source: Path, out_path: Path) -> None:
    """Write the page.

    Args:
        source: a run folder, or a log.
        out_path: HTML file.

    Raises:
        InvalidRequestError: if there is no log, or nothing in it that can be drawn.
    """
    path = source / LOG_FILE if source.is_dir() else source
    lines = read_log_lines(path)
    curves = _curves(lines)
    if not curves:
        raise InvalidRequestError(f"{path} holds nothing to draw yet. A run writes its first line after 25 steps.")
    cards, claimed = [], set[str]()
    for title, explanation, beginnings in _CHARTS:
        mine = {name: points for name, points in curves.items() if name.startswith(beginnings) and name not in claimed}
        claimed |= set(mine)
        if mine:
            cards.append(_card(title, explanation, mine))
    others = {name: points for name, points in curves.items() if name not in claimed}
    cards += [_card(name, "", {name: points}) for name, points in others.items()]
    last = lines[-1]["step"]
    out_path.parent.mkdir(parents=True, exist_ok=True)
    out_path.write_text(page(f"Training: {last} steps", "\n".join(cards)), encoding="utf-8")


def _curves(lines: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """Return the numbers of the log by name, over steps; a list of numbers becomes one curve per place."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        for name, value in line.items():
            if name in _NEVER_DRAWN:
                continue
            values = {f"{name} {n}": one for n, one in enumerate(value)} if isinstance(value, list) else {name: value}
            for curve, one in values.items():
                if isinstance(one, int | float):
                    curves.setdefault(curve, []).append((float(line["step"]), float(one)))
    return curves


def _card(title: str, explanation: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    ends = ", ".join(f"{name} {points[-1][1]:.4g}" for name, points in lines.items())
    return (
        f'<div class="card"><h2>{escape(title)}</h2><p class="faint">{escape(explanation)} At the end: {escape(ends)}.'
        f"</p>{line_chart_svg(lines, label=f'{title} over steps')}</div>"
    )
