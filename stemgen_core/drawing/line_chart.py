"""Lines over numbers as SVG: how something went."""

from collections.abc import Mapping, Sequence
from html import escape

_PALETTE = ("#3f7fd0", "#d0663f", "#3f9f66", "#a05fc0", "#b8902a", "#2f9fa8", "#c64f86", "#7a8a30")
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 150, 10, 30
_NUM_TICKS = 5
_MAX_POINTS = 400
_LEGEND_HEIGHT = 16

Points = Sequence[tuple[float, float]]


def line_chart_svg(lines: Mapping[str, Points], *, label: str, width: int = 960, height: int = 260) -> str:
    """Return an `<svg>` element with one line per name; text takes the page's colour.

    Long lines are drawn as means of neighbouring points.

    Args:
        lines: name to (x, y) points in order of x; a line without points is named and not drawn.
        label: what the picture shows, for those who can't see it.
        width: pixels; the picture shrinks with its container.
        height: pixels.

    Raises:
        ValueError: if no line has a point.
    """
    drawn = {name: _thinned(points) for name, points in lines.items()}
    every = [point for points in drawn.values() for point in points]
    if not every:
        raise ValueError("there is nothing to draw: no line has a point")
    x_low, x_high = _widened(min(x for x, _ in every), max(x for x, _ in every))
    y_low, y_high = _widened(min(y for _, y in every), max(y for _, y in every))

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (x - x_low) / (x_high - x_low) * (width - _LEFT - _RIGHT),
            height - _BOTTOM - (y - y_low) / (y_high - y_low) * (height - _TOP - _BOTTOM),
        )

    parts = [
        f'<svg class="roll" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}" '
        'font-size="12" font-family="system-ui, sans-serif" fill="currentColor">'
    ]
    for tick in range(_NUM_TICKS + 1):
        share = tick / _NUM_TICKS
        x, y = place(x_low + share * (x_high - x_low), y_low + share * (y_high - y_low))
        parts.append(
            f'<line x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity=".12"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{y_low + share * (y_high - y_low):.4g}</text>'
            f'<text x="{x:.1f}" y="{height - 10}" text-anchor="middle">{x_low + share * (x_high - x_low):.4g}</text>'
        )
    for number, (name, points) in enumerate(drawn.items()):
        colour = _PALETTE[number % len(_PALETTE)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        row = _TOP + 12 + number * _LEGEND_HEIGHT
        if points:
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(
            f'<rect x="{width - _RIGHT + 10}" y="{row - 9}" width="10" height="10" fill="{colour}"/>'
            f'<text x="{width - _RIGHT + 26}" y="{row}">{escape(name)}</text>'
        )
    return "".join(parts) + "</svg>"


def _widened(low: float, high: float) -> tuple[float, float]:
    """Give a range without extent some, so that a level line lies in the middle."""
    if high > low:
        return low, high
    margin = abs(low) * 0.1 or 1.0
    return low - margin, high + margin


def _thinned(points: Points) -> list[tuple[float, float]]:
    size = -(-len(points) // _MAX_POINTS) or 1
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
