"""A file of SQLite.

One process, one connection: the pool holds a single one and lends it to one thread at a time, so that no checkpoint
can race a commit (the WAL-reset fault of SQLite 3.7.0 to 3.51.2) and no writer waits for another inside SQLite.
`sessions.folder_lock` keeps other processes out. See docs/decisions/0006-session-storage.md.
"""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from sessions.database import BUSY_TIMEOUT_MS, only_reads, read_only
from sessions.errors import DatabaseError

APPLICATION_ID = 0x53746D47  # "StmG": what `file` and a doctor can tell the database by
_POOL_TIMEOUT_S = 60.0


class SqliteDatabase:
    """A file of SQLite, as a `Database`.

    Every transaction takes the write lock when it begins: SQLAlchemy's own way of beginning loses updates when two
    connections read and then write. Transactions of `reader` don't.
    """

    def __init__(self, path: Path, *, may_write: bool = True) -> None:
        """Open a database file.

        Args:
            path: of the file.
            may_write: makes the file if it is not there. Else it can only be read, also while a server writes to it:
                SQLite does not let such a connection checkpoint, so that it can't take part in the fault described
                above.

        Raises:
            DatabaseError: if the file is no database of this program, can't be opened, or lies where SQLite can't do
                write-ahead logging.
        """
        self._path = path
        self.name = str(path)
        self.repair_advice = (
            f"Stop the server, move {path.name} and its -wal and -shm away, and run `stemgen sessions restore` with "
            "your latest backup. `stemgen sessions export` may still bring single sessions out of the damaged one."
        )
        if not may_write and not path.is_file():
            raise DatabaseError(f"There are no sessions at {path.parent}: it holds no {path.name}.")
        self.engine = _connect(
            f"sqlite:///{path}" if may_write else f"sqlite:///file:{quote(str(path))}?mode=ro&uri=true",
            _prepare_connection if may_write else _prepare_reader,
            path,
        )
        self.reader = read_only(self.engine)

    def is_full(self, error: DBAPIError) -> bool:
        """Return whether an error says that the disk is full."""
        return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL

    def damage(self, connection: Connection) -> list[str]:
        """Return the first faults that SQLite finds in its own pages."""
        found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(3)")]
        return [] if found == ["ok"] else found

    def num_broken_references(self, connection: Connection) -> int:
        """Return how many rows name a row that isn't there."""
        return len(connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall())

    @contextmanager
    def rebuilding(self, connection: Connection) -> Generator[None]:
        """Switch foreign keys off: rebuilding a table drops it for a moment, which would take its children along.

        The switch only works outside a transaction, hence on the driver's own connection.
        """
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")
        try:
            yield
        finally:
            driver.execute("PRAGMA foreign_keys = ON")

    def copy_to(self, path: Path) -> None:
        """Write a copy of the whole file, whatever is going on in it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        copy = sqlite3.connect(path)
        try:
            with self.reader.connect() as connection:
                source: Any = connection.connection.driver_connection
                source.backup(copy)
        finally:
            copy.close()

    def close(self) -> None:
        """Close the file."""
        self.engine.dispose()


def _connect(url: str, prepare: Any, path: Path) -> Engine:
    """Return an engine that has connected once, so that what is wrong with the file is said here."""
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=_POOL_TIMEOUT_S,
    )
    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin)
    try:
        engine.connect().close()
    except DBAPIError as error:
        engine.dispose()
        raise DatabaseError(f"The session database {path} can't be opened: {error.orig}.") from error
    except DatabaseError:
        engine.dispose()
        raise
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if only_reads(connection) else "BEGIN IMMEDIATE")


def _prepare_connection(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    sqlite: Any = connection
    sqlite.isolation_level = None  # Python's driver must not begin transactions of its own.
    application_id = _check_application(sqlite)
    journal_mode = sqlite.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if journal_mode != "wal":
        raise DatabaseError(
            f"The session database needs write-ahead logging, but its disk only allows {journal_mode!r}. "
            "Choose a data folder on a local disk, not a network or synchronised one."
        )
    if application_id == 0:
        sqlite.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for setting in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "foreign_keys = ON",
        "synchronous = FULL",  # A stem that was answered for is on the disk.
        "trusted_schema = OFF",
    ):
        sqlite.execute(f"PRAGMA {setting}")


def _prepare_reader(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    sqlite: Any = connection
    sqlite.isolation_level = None
    _check_application(sqlite)
    sqlite.execute("PRAGMA trusted_schema = OFF")


def _check_application(sqlite: Any) -> int:
    application_id: int = sqlite.execute("PRAGMA application_id").fetchone()[0]
    if application_id not in (0, APPLICATION_ID):
        raise DatabaseError(f"The session database belongs to another program (application id {application_id:#x}).")
    return application_id
