"""Notes as SVG: one lane per stem under each other, with the bar grid and the chords."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from stemgen_core.score import Note

_PALETTE = ("#3f7fd0", "#d0663f", "#3f9f66", "#a05fc0", "#b8902a", "#2f9fa8", "#c64f86", "#7a8a30")
_LABEL_WIDTH, _CHORD_HEIGHT, _LANE_GAP, _ROW_HEIGHT = 92, 16, 8, 3.0
_LEAST_ROWS, _DRUM_ROW_HEIGHT = 12, 7.0
_SHORTEST_PX = 1.5
_DRUM_NAMES = {
    **{35: "kick", 36: "kick", 37: "rim", 38: "snare", 39: "clap", 40: "snare", 42: "hat", 44: "pedal hat"},
    **{46: "open hat", 49: "crash", 51: "ride", 53: "bell", 54: "tambourine", 56: "cowbell", 70: "shaker"},
}


@dataclass(frozen=True, slots=True)
class RollLane:
    """One stem of a piano roll.

    Attributes:
        label: what people read.
        notes: in any order.
        is_drums: rows are the drum keys in use instead of all keys between the lowest and the highest.
    """

    label: str
    notes: Sequence[Note]
    is_drums: bool = False


@dataclass(frozen=True, slots=True)
class ChordLabel:
    """A chord's name and when it holds, seconds."""

    start_s: float
    end_s: float
    name: str


def piano_roll_svg(
    lanes: Sequence[RollLane],
    *,
    duration_s: float,
    chords: Sequence[ChordLabel] = (),
    beats_s: Sequence[float] = (),
    downbeats_s: Sequence[float] = (),
    width: int = 960,
) -> str:
    """Return an `<svg>` element; text and lines take the page's colour, louder notes are more opaque.

    Args:
        lanes: from top to bottom.
        duration_s: length of the time axis, > 0.
        chords: names above the lanes.
        beats_s: faint lines.
        downbeats_s: strong lines, numbered.
        width: pixels, at least 200; the picture shrinks with its container.

    Raises:
        ValueError: if `duration_s` is not positive or `width` too small.
    """
    if duration_s <= 0 or width < 200:
        raise ValueError(f"duration_s must be > 0 and width >= 200, got {duration_s} and {width}")
    scale = (width - _LABEL_WIDTH) / duration_s
    parts: list[str] = []
    top = float(_CHORD_HEIGHT * 2)
    for number, lane in enumerate(lanes):
        drawn, height = _lane(lane, _PALETTE[number % len(_PALETTE)], scale, top)
        parts += drawn
        top += height + _LANE_GAP
    grid = _grid(beats_s, downbeats_s, scale, top - _LANE_GAP)
    names = [
        f'<text x="{_LABEL_WIDTH + chord.start_s * scale + 2:.1f}" y="{_CHORD_HEIGHT * 2 - 4}">'
        f"{escape(chord.name)}</text>"
        for chord in chords
        if (chord.end_s - chord.start_s) * scale > 14 and chord.start_s < duration_s
    ]
    title = escape(", ".join(lane.label for lane in lanes))
    return (
        f'<svg class="roll" viewBox="0 0 {width} {top:.0f}" role="img" aria-label="Piano roll: {title}" '
        'xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif" font-size="10" fill="currentColor">'
        + "".join([*grid, *names, *parts])
        + "</svg>"
    )


def _grid(beats_s: Sequence[float], downbeats_s: Sequence[float], scale: float, bottom: float) -> list[str]:
    def line(time_s: float, opacity: float) -> str:
        x = _LABEL_WIDTH + time_s * scale
        return (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_CHORD_HEIGHT}" y2="{bottom:.0f}" '
            f'stroke="currentColor" stroke-opacity="{opacity}" stroke-width="1"/>'
        )

    numbers = [
        f'<text x="{_LABEL_WIDTH + time_s * scale + 2:.1f}" y="{_CHORD_HEIGHT - 5}" opacity="0.6">{number}</text>'
        for number, time_s in enumerate(downbeats_s, start=1)
    ]
    return [*(line(time_s, 0.1) for time_s in beats_s), *(line(time_s, 0.3) for time_s in downbeats_s), *numbers]


def _lane(lane: RollLane, colour: str, scale: float, top: float) -> tuple[list[str], float]:
    """Return the elements of a lane and its height."""
    pitches = sorted({note.pitch for note in lane.notes})
    if lane.is_drums:
        rows = {pitch: row for row, pitch in enumerate(reversed(pitches))}
        row_height, num_rows = _DRUM_ROW_HEIGHT, max(1, len(rows))
    else:
        highest = pitches[-1] + 1 if pitches else _LEAST_ROWS
        num_rows = max(_LEAST_ROWS, highest - pitches[0] + 2) if pitches else _LEAST_ROWS
        rows, row_height = {pitch: highest - pitch for pitch in pitches}, _ROW_HEIGHT
    height = num_rows * row_height
    right = _LABEL_WIDTH + scale * max((note.end_s for note in lane.notes), default=0.0)
    elements = [
        f'<text x="0" y="{top + 10:.1f}" font-weight="600">{escape(lane.label)}</text>',
        f'<rect x="{_LABEL_WIDTH}" y="{top:.1f}" width="{max(1.0, right - _LABEL_WIDTH):.1f}" height="{height:.1f}" '
        f'fill="{colour}" fill-opacity="0.07"/>',
    ]
    if lane.is_drums and len(rows) > 1:
        elements += [
            f'<text x="{_LABEL_WIDTH - 3}" y="{top + row * row_height + 6:.1f}" text-anchor="end" font-size="6.5" '
            f'opacity="0.7">{_DRUM_NAMES.get(pitch, pitch)}</text>'
            for pitch, row in rows.items()
        ]
    for note in sorted(lane.notes):
        length = row_height if lane.is_drums else max(_SHORTEST_PX, note.duration_s * scale - 0.5)
        elements.append(
            f'<rect x="{_LABEL_WIDTH + note.start_s * scale:.1f}" y="{top + rows[note.pitch] * row_height:.1f}" '
            f'width="{length:.1f}" height="{row_height - 0.5:.1f}" fill="{colour}" '
            f'fill-opacity="{0.3 + 0.7 * note.velocity / 127:.2f}"/>'
        )
    return elements, height
