"""What the store asks of a database, whichever it is.

Two are known: a file of SQLite (`sessions.sqlite_database`), which is the default, and a Postgres server
(`sessions.postgres_database`). `sessions.home` says which one a studio has. Both promise that a transaction which
writes has the write lock from its first moment, so that nothing it read can have changed when it writes, and that a
transaction which reads sees one moment.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

BUSY_TIMEOUT_MS = 30_000
_READ_ONLY = "stemgen_is_read_only"


class Database(Protocol):
    """Where the rows are.

    Attributes:
        engine: its transactions write, one at a time.
        reader: its transactions only read.
        name: what to call it before people; without a password.
        repair_advice: what whoever runs the server does when it is damaged.
    """

    engine: Engine
    reader: Engine
    name: str
    repair_advice: str

    def is_full(self, error: DBAPIError) -> bool:
        """Return whether an error says that the disk is full."""
        ...

    def damage(self, connection: Connection) -> list[str]:
        """Read all of it and return what is damaged, in the database's own words; nothing if all is well.

        Raises:
            DBAPIError: if it is damaged so that it can't be read.
        """
        ...

    def num_broken_references(self, connection: Connection) -> int:
        """Return how many rows name a row that isn't there."""
        ...

    def rebuilding(self, connection: Connection) -> AbstractContextManager[None]:
        """Let a transaction begun inside the block rebuild tables that others refer to."""
        ...

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of everything to a file of SQLite, whatever is going on meanwhile.

        Raises:
            OSError: if the folder can't be made.
        """
        ...

    def close(self) -> None:
        """End all connections."""
        ...


def read_only(engine: Engine) -> Engine:
    """Return a view of `engine`, on the same connections, whose transactions only read."""
    return engine.execution_options(**{_READ_ONLY: True})


def only_reads(connection: Connection) -> bool:
    """Return whether a connection is one of `read_only`."""
    return bool(connection.get_execution_options().get(_READ_ONLY, False))
