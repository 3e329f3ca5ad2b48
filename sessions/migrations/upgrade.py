"""Bringing a database up to date."""

import time
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from sessions.database import Database
from sessions.errors import DatabaseError


def upgrade(database: Database, *, backup_folder: Path) -> None:
    """Bring a database to the newest shape; does nothing if it has it.

    All steps are one transaction: a crash leaves the old shape. A database with content is copied first.

    Args:
        database: of this program, or empty.
        backup_folder: where the copy goes; made when needed.

    Raises:
        DatabaseError: if the database is damaged, is not of this program, or was made by a newer version of it.
    """
    try:
        present = present_revision(database)
        newest = newest_revision()
        if present == newest:
            return
        with database.reader.connect() as connection:
            has_content = bool(inspect(connection).get_table_names())
        if has_content and present is None:
            raise DatabaseError(
                f"The database {database.name} holds tables of another program. Give the studio one of its own."
            )
        _refuse_unknown(present)
        if has_content:
            database.copy_to(backup_folder / f"sessions-{present}-{time.time_ns() // 1_000_000}.sqlite")
        bring_to(database, newest)
    except DBAPIError as error:
        raise DatabaseError(f"The session database could not be brought up to date: {error.orig}.") from error


def bring_to(database: Database, revision: str | None, then: Callable[[Connection], object] | None = None) -> None:
    """Run the steps to one shape in one transaction, with `then` as its last step.

    Args:
        database: of an earlier shape, or empty.
        revision: the shape; None for that of an empty database.
        then: gets the connection, in the transaction.

    Raises:
        DatabaseError: if this version does not know the shape, or the database is damaged; it stays as it was.
    """
    _refuse_unknown(revision)
    config = alembic_config()
    with database.engine.connect() as connection, database.rebuilding(connection), connection.begin():
        config.attributes["connection"] = connection
        if revision is not None:
            command.upgrade(config, revision)
        if then is not None:
            then(connection)
        _check(database, connection)


def present_revision(database: Database) -> str | None:
    """Return the shape that a database has; None if it has none of ours."""
    with database.reader.connect() as connection:
        return revision_of(connection)


def revision_of(connection: Connection) -> str | None:
    """Return the shape of the database at the other end; None if it has none of ours."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """Return the shape that this version works with."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def alembic_config() -> Config:
    """Return alembic's configuration; it needs no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def _refuse_unknown(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseError(
            f"The session database was made by a newer StemGen (its shape is {revision!r}). Install that version, "
            "or give this one another data folder."
        )


def _check(database: Database, connection: Connection) -> None:
    num_broken, damage = database.num_broken_references(connection), database.damage(connection)
    if num_broken or damage:
        raise DatabaseError(
            f"The session database is damaged ({num_broken} broken references; {'; '.join(damage) or 'ok'}). It was "
            "left as it was; restore a copy from the folder 'backups'."
        )
