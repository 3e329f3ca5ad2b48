"""What whoever runs a server may do with its data folder: all sessions, whosesoever they are.

Apart from `SessionStore` on purpose: nothing that a visitor can reach leads here.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sessions.archive_store import ArchiveMethods
from sessions.conversion import to_node
from sessions.errors import DatabaseError, SessionNotFoundError
from sessions.home import DataHome
from sessions.maintenance_store import MaintenanceMethods
from sessions.migrations.upgrade import newest_revision, present_revision
from sessions.models import NodeRow, SessionRow, TurnRow
from sessions.node_store import lineage_rows
from sessions.record import Json, read_record
from sessions.store import open_home
from sessions.tree import Node, SessionInfo, Turn
from sessions.turn_reading import turn_values

_SHORTEST_PREFIX = 4


@dataclass(frozen=True, slots=True)
class SessionListing:
    """One line of the list.

    Attributes:
        id: 32 hex digits.
        name: what its owner called it.
        owner_sha256: hash of the owner's token: who is who without saying who.
        num_nodes: contexts, stems and removals.
        num_turns: requests.
        updated_ms: Unix time of the last change.
        deleted_ms: when it was put in the trash; None if it was not.
    """

    id: str
    name: str
    owner_sha256: str
    num_nodes: int
    num_turns: int
    updated_ms: int
    deleted_ms: int | None


class Operator(ArchiveMethods, MaintenanceMethods):
    """All sessions of a home; use `open_for_reading` or `open_for_writing`."""

    def listing(self) -> tuple[SessionListing, ...]:
        """Return every session, last changed first, the trash included."""
        num_nodes = select(func.count()).where(NodeRow.session_id == SessionRow.id).scalar_subquery()
        num_turns = select(func.count()).where(TurnRow.session_id == SessionRow.id).scalar_subquery()
        query = select(SessionRow, num_nodes, num_turns).order_by(SessionRow.updated_ms.desc(), SessionRow.number)
        with self._read() as db:
            return tuple(
                SessionListing(row.id, row.name, row.owner_sha256, nodes, turns, row.updated_ms, row.deleted_ms)
                for row, nodes, turns in db.execute(query)
            )

    def find(self, id_or_start: str) -> str:
        """Return the id of a session, given the whole of it or its beginning.

        Raises:
            SessionNotFoundError: if there is none, or more than one.
        """
        with self._read() as db:
            return _find(db, id_or_start).id

    def record(self, session_id: str) -> Json:
        """Return all that a session holds but the audio itself.

        Raises:
            SessionNotFoundError: if there is no such session.
        """
        with self._read() as db:
            return read_record(db, _find(db, session_id))

    def heir(self, beside: str | None) -> str:
        """Return the owner that a session from outside is given to, as hash.

        Args:
            beside: id, or its beginning, of a session whose owner it is; None if there is only one owner.

        Raises:
            SessionNotFoundError: if there is no such session, or it is not clear who the owner is.
        """
        with self._read() as db:
            if beside is not None:
                return _find(db, beside).owner_sha256
            owners = db.scalars(select(SessionRow.owner_sha256).distinct()).all()
        if len(owners) == 1:
            return owners[0]
        why = "several people have sessions here" if owners else "nobody has a session here yet"
        raise SessionNotFoundError(
            f"Whose shall it be? As {why}, name a session of the one who gets it with --beside, "
            "or import the file on the studio's page."
        )

    def finished_turns(self, session_id: str | None) -> Iterator[tuple[Turn, tuple[Node, ...]]]:
        """Yield turns with what they were made on, from the root down, oldest first.

        Args:
            session_id: only of this session; None for all.
        """
        query = select(TurnRow.id).order_by(TurnRow.number)
        if session_id is not None:
            query = query.where(TurnRow.session_id == session_id)
        with self._read() as db:
            ids = db.scalars(query).all()
        for turn_id in ids:
            with self._read() as db:
                row = db.scalars(select(TurnRow).where(TurnRow.id == turn_id)).one()
                (turn,) = turn_values(db, [row])
                lineage = tuple(to_node(step) for step in lineage_rows(db, row.node_id))
            yield turn, lineage

    def add(self, owner_sha256: str, record: Json, sounds: Mapping[str, Path]) -> SessionInfo:
        """Give a session from outside to an owner.

        Raises:
            ArchiveError: if the record is not in order.
            OSError: if a sound can't be stored.
        """
        return self._add_session(owner_sha256, record, sounds)


@contextmanager
def open_for_reading(home: DataHome) -> Generator[Operator]:
    """Open a home without changing anything, also while a server uses it.

    Raises:
        DatabaseError: if it holds no sessions, or those of another version.
        PlaceError: if the address of the sounds can't be used.
    """
    database = home.open_reader()
    try:
        present, newest = present_revision(database), newest_revision()
        if present != newest:
            raise DatabaseError(
                f"The sessions at {database.name} are of another version (shape {present}, here {newest}). "
                "Start this version's studio once: it backs them up and brings them up to date."
            )
        yield Operator(database, home.open_blobs())
    finally:
        database.close()


@contextmanager
def open_for_writing(home: DataHome) -> Generator[Operator]:
    """Open a home that no server uses.

    Raises:
        DataFolderBusyError: if one does.
        DatabaseError: if the database is damaged, of another program or of a newer version.
        PlaceError: if the address of the sounds can't be used.
    """
    with open_home(home) as store:
        yield Operator(store.database, store.blobs)


def _find(db: Session, id_or_start: str) -> SessionRow:
    if len(id_or_start) < _SHORTEST_PREFIX or not set(id_or_start) <= set("0123456789abcdef"):
        raise SessionNotFoundError(
            f"{id_or_start!r} is no session: give at least {_SHORTEST_PREFIX} digits of its id; "
            "`stemgen sessions list` shows them."
        )
    rows = db.scalars(select(SessionRow).where(SessionRow.id.startswith(id_or_start)).limit(2)).all()
    if len(rows) != 1:
        problem = "There is no session" if not rows else "There is more than one session"
        raise SessionNotFoundError(f"{problem} whose id begins with {id_or_start}. `stemgen sessions list` shows all.")
    return rows[0]
