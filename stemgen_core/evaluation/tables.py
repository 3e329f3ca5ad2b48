"""Tables of figures, as Markdown for people and as JSON for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stemgen_core.evaluation.controls import Interval
from stemgen_core.evaluation.report import ScoreRow, interval_cell, interval_json

Cell = str | float | int | Interval | None


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        name: stable identifier.
        title: what people read.
        note: what the figures are and how to read them; Markdown.
        header: names of the columns.
        rows: as many cells each; None where nothing could be measured.
    """

    name: str
    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        """Check the widths.

        Raises:
            ValueError: if a row has not as many cells as the header.
        """
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"table {self.name} has {len(self.header)} columns, got a row of {len(row)}: {row}")

    def to_markdown(self) -> str:
        """Return the table under its title, with its note."""
        lines = [f"| {' | '.join(self.header)} |", f"|{'---|' * len(self.header)}"]
        lines += [f"| {' | '.join(_text(cell) for cell in row)} |" for row in self.rows]
        return "\n".join([f"### {self.title}", "", *lines, "", self.note.strip(), ""])

    def to_json(self) -> dict[str, Any]:
        """Return the table as JSON values."""
        rows = [[interval_json(cell) if isinstance(cell, Interval) else cell for cell in row] for row in self.rows]
        return {"name": self.name, "title": self.title, "note": self.note, "header": list(self.header), "rows": rows}


def score_cells(row: ScoreRow) -> tuple[Cell, ...]:
    """Return random, generated, true and position of one score."""
    return row.random, row.generated, row.true, row.position


def table_from_json(value: dict[str, Any]) -> Table:
    """Return the table that `to_json` wrote.

    Raises:
        KeyError: if a field is missing.
    """
    rows = tuple(tuple(_cell_from_json(cell) for cell in row) for row in value["rows"])
    return Table(value["name"], value["title"], value["note"], tuple(value["header"]), rows)


def _cell_from_json(cell: Any) -> Cell:
    if not isinstance(cell, dict):
        return cell
    nan = float("nan")
    ends = {name: nan if cell[name] is None else cell[name] for name in ("mean", "low", "high")}
    return Interval(**ends, num_items=cell["num_items"])


def _text(cell: Cell) -> str:
    if cell is None or isinstance(cell, Interval):
        return interval_cell(cell)
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)


def join_markdown(head: str, tables: Sequence[Table]) -> str:
    """Return one page of all tables."""
    return "\n".join([head.strip(), "", *(table.to_markdown() for table in tables)])
