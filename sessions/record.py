"""A whole session as plain JSON, and back into rows.

Rows refer to each other by their place in the record, so it holds no id, no owner and nothing of the machine it was
made on: the same session gives the same record wherever it is. Which columns there are is read from the models, so
that a column of a later migration travels without a word here; one that an older record lacks takes its default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Column, inspect, select
from sqlalchemy.orm import Session, undefer

from sessions.errors import ArchiveError
from sessions.models import Base, NodeRow, SessionRow, TurnRow, VariationRow
from sessions.record_values import read_value
from sessions.transactions import new_id
from sessions.tree import WorkState

Json = dict[str, Any]

RECORD_FORMAT = "stemgen session 1"
MAX_ROWS = 20_000

# Columns that name another row, and the list of the record that it stands in.
_REFERENCES: Mapping[type[Base], Mapping[str, str]] = {
    SessionRow: {"current_node_id": "nodes"},
    NodeRow: {"parent_id": "nodes", "removed_node_id": "nodes", "variation_id": "variations"},
    TurnRow: {"node_id": "nodes"},
    VariationRow: {"turn_id": "turns"},
}
# What belongs to one machine or one owner; and the trash, as nobody sends a session in order to see it thrown away.
_LEFT_BEHIND: Mapping[type[Base], frozenset[str]] = {
    SessionRow: frozenset({"number", "id", "owner_sha256", "deleted_ms"}),
    NodeRow: frozenset({"number", "id", "session_id"}),
    TurnRow: frozenset({"number", "id", "session_id", "server_id", "server_pid"}),
    VariationRow: frozenset({"number", "id"}),
}
_LISTS: Mapping[str, type[Base]] = {"nodes": NodeRow, "turns": TurnRow, "variations": VariationRow}


@dataclass(frozen=True, slots=True)
class RowsHome:
    """Where the rows of a record go.

    Attributes:
        owner_sha256: hash of the owner's token.
        server_id: of the run of the server that writes them.
        server_pid: its process.
    """

    owner_sha256: str
    server_id: str
    server_pid: int


def read_record(db: Session, session: SessionRow) -> Json:
    """Return everything that a session holds but the audio itself.

    Work that isn't finished travels as cancelled: no machine that gets it is working on it.
    """
    nodes = db.scalars(
        select(NodeRow).where(NodeRow.session_id == session.id).order_by(NodeRow.number).options(undefer(NodeRow.notes))
    ).all()
    turns = db.scalars(select(TurnRow).where(TurnRow.session_id == session.id).order_by(TurnRow.number)).all()
    variations = db.scalars(
        select(VariationRow)
        .join(TurnRow, VariationRow.turn_id == TurnRow.id)
        .where(TurnRow.session_id == session.id)
        .order_by(TurnRow.number, VariationRow.position)
        .options(undefer(VariationRow.notes))
    ).all()
    places = {
        name: {row.id: place for place, row in enumerate(rows)}
        for name, rows in (("nodes", nodes), ("turns", turns), ("variations", variations))
    }
    record: Json = {
        "format": RECORD_FORMAT,
        "session": _row_to_json(session, places),
        "nodes": [_row_to_json(row, places) for row in nodes],
        "turns": [_row_to_json(row, places) for row in turns],
        "variations": [_row_to_json(row, places) for row in variations],
    }
    for row in (*record["turns"], *record["variations"]):
        if not WorkState(row["state"]).is_finished:
            row["state"] = WorkState.CANCELLED.value
            if "finished_ms" in row:
                row["finished_ms"] = session.updated_ms
    return record


def insert_record(db: Session, record: Json, home: RowsHome) -> SessionRow:
    """Write the rows of a record under new ids and return its session.

    Args:
        db: in a transaction, which the caller ends.
        record: as `read_record` returned it, once; nothing of it is believed.
        home: whose they become.

    Raises:
        ArchiveError: if it is no such record, or contradicts itself.
    """
    if record.get("format") != RECORD_FORMAT:
        raise ArchiveError("This is not a session of StemGen, or one of a newer version. Update, then try again.")
    lists = {name: _list_of_objects(record, name) for name in _LISTS}
    ids = {name: [new_id() for _ in rows] for name, rows in lists.items()}
    session_id = new_id()
    session = cast(SessionRow, _json_to_row(SessionRow, record.get("session"), ids, "the session"))
    session.id, session.owner_sha256, session.deleted_ms = session_id, home.owner_sha256, None
    db.add(session)
    db.flush()
    for name, model in _LISTS.items():
        for place, given in enumerate(lists[name]):
            row: Any = _json_to_row(model, given, ids, f"{name}[{place}]", place if name == "nodes" else None)
            row.id = ids[name][place]
            if isinstance(row, NodeRow | TurnRow):
                row.session_id = session_id
            if isinstance(row, TurnRow):
                row.server_id, row.server_pid = home.server_id, home.server_pid
            db.add(row)
            if name == "nodes":
                db.flush()  # A child names its parent, and SQLAlchemy knows no relationship to order them by.
        db.flush()
    return session


def audio_hashes(record: Json) -> tuple[str, ...]:
    """Return the hash of every sound that a record names, each once, in order."""
    rows = (*record["nodes"], *record["variations"])
    return tuple(sorted({row["audio_sha256"] for row in rows if row.get("audio_sha256") is not None}))


def _columns(model: type[Base]) -> Sequence[tuple[str, Column[Any]]]:
    return [(name, column) for name, column in inspect(model).columns.items() if name not in _LEFT_BEHIND[model]]


def _row_to_json(row: Base, places: Mapping[str, Mapping[str, int]]) -> Json:
    model = type(row)
    references = _REFERENCES[model]
    found: Json = {}
    for name, _ in _columns(model):
        value = getattr(row, name)
        # The open node may have been erased with the trash; then none is open.
        found[name] = places[references[name]].get(value) if name in references and value is not None else value
    return found


def _json_to_row(
    model: type[Base], given: object, ids: Mapping[str, list[str]], where: str, own_place: int | None = None
) -> Base:
    """Return a row with every column of `given`; `own_place` is given where a row may only name earlier ones."""
    if not isinstance(given, dict):
        raise ArchiveError(f"This session file is damaged: {where} is missing.")
    values = cast(Json, given)
    columns = dict(_columns(model))
    unknown = sorted(set(values) - set(columns))
    if unknown:
        raise ArchiveError(f"This session file was made by a newer StemGen ({where} has {unknown[0]!r}). Update first.")
    row = model()
    for name, column in columns.items():
        if name not in values:
            continue
        value = values[name]
        if name in _REFERENCES[model]:
            limit = own_place if own_place is not None and _REFERENCES[model][name] == "nodes" else None
            setattr(row, name, _reference(value, ids[_REFERENCES[model][name]], limit, f"{where}.{name}"))
        else:
            setattr(row, name, read_value(value, name, column, where))
    return row


def _reference(value: object, ids: list[str], limit: int | None, where: str) -> str | None:
    if value is None:
        return None
    most = len(ids) if limit is None else limit
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < most:
        raise ArchiveError(f"This session file is damaged: {where} leads nowhere.")
    return ids[value]


def _list_of_objects(record: Json, name: str) -> list[object]:
    rows = record.get(name)
    if not isinstance(rows, list):
        raise ArchiveError(f"This session file is damaged: it has no list of {name}.")
    found = cast(list[object], rows)
    if len(found) > MAX_ROWS:
        raise ArchiveError(f"This session file has {len(found)} {name}; at most {MAX_ROWS} are possible.")
    return found
