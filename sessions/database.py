"""Opening the SQLite file.

One process, one connection: the pool holds a single one and lends it to one thread at a time, so that no checkpoint
can race a commit (the WAL-reset fault of SQLite 3.7.0 to 3.51.2) and no writer waits for another inside SQLite.
`sessions.folder_lock` keeps other processes out. See docs/decisions/0006-session-storage.md.
"""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from sessions.errors import DatabaseError

APPLICATION_ID = 0x53746D47  # "StmG": what `file` and a doctor can tell the database by
BUSY_TIMEOUT_MS = 30_000
_POOL_TIMEOUT_S = 60.0
_READ_ONLY = "stemgen_is_read_only"


def open_engine(path: Path) -> Engine:
    """Return an engine for the database file at `path`, made if it is not there.

    Every transaction takes the write lock when it begins: SQLAlchemy's own way of beginning loses updates when two
    connections read and then write. Transactions of `read_only(engine)` don't.

    Raises:
        DatabaseError: if the file is no database of this program, or the file system can't do write-ahead logging.
    """
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=_POOL_TIMEOUT_S,
    )
    event.listen(engine, "connect", _prepare_connection)
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


def open_reader(path: Path) -> Engine:
    """Return an engine that can only read the database file at `path`, also while a server writes to it.

    SQLite does not let such a connection checkpoint, so that it can't take part in the fault described above.

    Raises:
        DatabaseError: if there is no such file, or it is no database of this program.
    """
    if not path.is_file():
        raise DatabaseError(f"There are no sessions at {path.parent}: it holds no {path.name}.")
    engine = create_engine(
        f"sqlite:///file:{quote(str(path))}?mode=ro&uri=true",
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
    )
    event.listen(engine, "connect", _prepare_reader)
    event.listen(engine, "begin", _begin_reading)
    try:
        engine.connect().close()
    except DBAPIError as error:
        engine.dispose()
        raise DatabaseError(f"The session database {path} can't be opened: {error.orig}.") from error
    except DatabaseError:
        engine.dispose()
        raise
    return engine


def read_only(engine: Engine) -> Engine:
    """Return a view of `engine`, on the same connection, whose transactions only read."""
    return engine.execution_options(**{_READ_ONLY: True})


def back_up(engine: Engine, path: Path) -> None:
    """Write a consistent copy of the whole database to `path`, whatever is going on in it.

    Raises:
        OSError: if the folder can't be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    copy = sqlite3.connect(path)
    try:
        with read_only(engine).connect() as connection:
            source: Any = connection.connection.driver_connection
            source.backup(copy)
    finally:
        copy.close()


def _begin(connection: Connection) -> None:
    is_read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if is_read_only else "BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


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
