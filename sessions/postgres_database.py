"""A Postgres server, for hosts that have one and whose disks forget.

What `BEGIN IMMEDIATE` is to SQLite, a lock that Postgres keeps for its clients is here: a transaction that writes takes
it first, so that one writes at a time and sees all that was written before. Transactions that read don't wait; they
see one moment. See docs/decisions/0065-postgres.md.
"""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    String,
    create_engine,
    event,
    exists,
    func,
    inspect,
    literal_column,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError

from sessions.database import BUSY_TIMEOUT_MS, only_reads, read_only
from sessions.errors import DatabaseError, DataFolderBusyError
from sessions.migrations.upgrade import bring_to, present_revision, revision_of
from sessions.row_copying import copy_rows
from sessions.sqlite_database import SqliteDatabase

_KINDS = ("postgresql", "postgres", "postgresql+psycopg")
# Any constants do, as long as no other version uses others: "StmG", and one or two.
_WRITE_LOCK = 0x53746D47_00000001
_SERVER_LOCK = 0x53746D47_00000002
# How many sessions of this database hold both the lock of servers and one more.
_HOLDERS = text(
    "SELECT count(*) FROM pg_locks server JOIN pg_locks own USING (pid, locktype, database) "
    "WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND (server.classid::bigint << 32 | server.objid::bigint) = :lock AND server.granted "
    "AND (own.classid::bigint << 32 | own.objid::bigint) = :key AND own.granted"
)
_DISK_FULL = "53100"
_LOCK_NOT_AVAILABLE = "55P03"
# A server that was killed holds its lock until Postgres has noticed: moments, on a busy machine seconds.
PATIENCE_S = 10.0
_CONNECT_TIMEOUT_S = 20
_NUM_CONNECTIONS = 3  # one that writes, one that copies, one that keeps other servers out


class PostgresDatabase:
    """A database of a Postgres server, as a `Database`."""

    def __init__(self, url: str, *, may_write: bool = True) -> None:
        """Connect.

        Args:
            url: `postgresql://user:password@host:port/name`.
            may_write: else it can only be read.

        Raises:
            DatabaseError: if the address can't be understood, the server can't be reached, or psycopg is missing.
        """
        parsed = _parse(url)
        self.name = parsed.render_as_string(hide_password=True)
        self.repair_advice = (
            "Stop the server, ask whoever runs Postgres for its own backup, or give an empty database and run "
            "`stemgen sessions restore` with your latest one."
        )
        self.engine = self._connect(parsed, may_write=may_write)
        self.reader: Engine = read_only(self.engine).execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._claim: Connection | None = None
        self._claim_key = secrets.randbits(62)  # what tells our claim from that of another server

    def keep_others_out(self) -> None:
        """Let no other server use the database until this one is closed, or its process has ended.

        Raises:
            DataFolderBusyError: if another one uses it, and goes on doing so for `PATIENCE_S`.
        """
        claim = self.reader.connect().execution_options(isolation_level="AUTOCOMMIT", postgresql_readonly=False)
        try:
            claim.execute(select(func.set_config("lock_timeout", f"{PATIENCE_S:g}s", False)))
            claim.execute(select(func.pg_advisory_lock(_SERVER_LOCK)))
            claim.execute(select(func.pg_advisory_lock(self._claim_key)))
        except DBAPIError as error:
            claim.close()
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            raise DataFolderBusyError(
                f"The session database {self.name} is in use by another StemGen server. Stop that one, or give this "
                "one another database."
            ) from error
        self._claim = claim

    def is_full(self, error: DBAPIError) -> bool:
        """Return whether an error says that the disk is full."""
        return getattr(error.orig, "sqlstate", None) == _DISK_FULL

    def damage(self, connection: Connection) -> list[str]:
        """Read every row of every table: what the server can't read, it says by an error."""
        for table in _tables(connection).sorted_tables:
            whole_row: ColumnElement[str] = literal_column(f'"{table.name}"::text', String)
            connection.execute(select(func.sum(func.length(whole_row))).select_from(table)).all()
        return []

    def num_broken_references(self, connection: Connection) -> int:
        """Return how many rows name a row that isn't there; there are some only if somebody switched checks off."""
        num_broken = 0
        for table in _tables(connection).tables.values():
            for key in table.foreign_keys:
                there = key.column.table.alias("there")
                has_parent = exists().where(there.c[key.column.name] == key.parent)
                query = select(func.count()).select_from(table).where(key.parent.is_not(None), ~has_parent)
                num_broken += connection.execute(query).scalar_one()
        return num_broken

    @contextmanager
    def rebuilding(self, connection: Connection) -> Generator[None]:
        """Do nothing: Postgres alters its tables in place."""
        yield

    def copy_to(self, path: Path) -> None:
        """Write all rows, as they are at one moment, to a file of SQLite of the same shape."""
        path.parent.mkdir(parents=True, exist_ok=True)
        copy = SqliteDatabase(path)
        try:
            with self.reader.connect() as source:
                bring_to(copy, revision_of(source))
                with copy.engine.begin() as target:
                    copy_rows(source, target)
        finally:
            copy.close()

    def fill_from(self, path: Path) -> None:
        """Take in all rows of a file of SQLite that `copy_to` or a server without Postgres wrote; all of it, or none.

        Raises:
            DatabaseError: if there are sessions here already, or the file was made by a newer version.
        """
        if present_revision(self) is not None:
            raise DatabaseError(f"There are sessions at {self.name} already. Give an empty database.")
        copy = SqliteDatabase(path)  # whoever only reads leaves SQLite's log behind
        try:
            with copy.reader.connect() as source:
                bring_to(self, revision_of(source), lambda target: self._take_in(source, target))
        finally:
            copy.close()

    def close(self) -> None:
        """End all connections; another server may come."""
        if self._claim is not None:
            self._claim.close()
        self.engine.dispose()

    def _begin(self, connection: Connection) -> None:
        """Let a transaction that writes wait for the one before it, and go on only while others are kept out.

        Raises:
            DataFolderBusyError: if Postgres was restarted, or cut the connection of the claim, and another server came.
        """
        if only_reads(connection):
            return
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITE_LOCK})
        if self._claim is None:
            return
        held = {"lock": _SERVER_LOCK, "key": self._claim_key}
        if connection.execute(_HOLDERS, held).scalar_one() == 0:
            if not self._claim.closed:
                self._claim.invalidate()
                self._claim.close()
            self.keep_others_out()

    def _take_in(self, source: Connection, target: Connection) -> None:
        copy_rows(source, target)
        for table in _tables(target).tables.values():
            if "number" in table.columns:  # new rows count on from the last
                sequence = func.pg_get_serial_sequence(f'"{table.name}"', "number")
                last = select(func.max(table.c.number)).scalar_subquery()
                target.execute(select(func.setval(sequence, last)).where(last.is_not(None)))

    def _connect(self, url: URL, *, may_write: bool) -> Engine:
        settings = f"-c lock_timeout={BUSY_TIMEOUT_MS} -c synchronous_commit=on -c TimeZone=UTC"
        if not may_write:
            settings += " -c default_transaction_read_only=on"
        try:
            engine = create_engine(
                url,
                pool_size=_NUM_CONNECTIONS,
                max_overflow=0,
                pool_pre_ping=True,  # a server that was restarted is noticed before anything is asked of it
                connect_args={"options": settings, "connect_timeout": _CONNECT_TIMEOUT_S},
            )
        except ImportError as error:
            raise DatabaseError(
                "A Postgres database needs the package psycopg: .venv/bin/pip install 'psycopg[binary]'"
            ) from error
        event.listen(engine, "begin", self._begin)
        try:
            engine.connect().close()
        except DBAPIError as error:
            engine.dispose()
            raise DatabaseError(f"The session database {self.name} can't be opened: {error.orig}") from error
        return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseError("STEMGEN_DATABASE_URL is no address: postgresql://user:password@host/name") from error
    if parsed.drivername not in _KINDS:
        raise DatabaseError(
            f"STEMGEN_DATABASE_URL must begin with postgresql://, got {parsed.drivername!r}. Without it the sessions "
            "are kept in a file of the data folder."
        )
    return parsed.set(drivername="postgresql+psycopg")


def _tables(connection: Connection) -> MetaData:
    shape = MetaData()
    if inspect(connection).get_table_names():
        shape.reflect(connection)
    return shape
