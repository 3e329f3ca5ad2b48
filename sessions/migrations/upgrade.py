"""Bringing a database up to date."""

import time
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError

from sessions.database import back_up, read_only
from sessions.errors import DatabaseError


def upgrade(engine: Engine, *, backup_folder: Path) -> None:
    """Bring the database to the newest shape; does nothing if it has it.

    All steps are one transaction: a crash leaves the old shape. A database with content is copied first.

    Args:
        engine: from `open_engine`.
        backup_folder: where the copy goes; made when needed.

    Raises:
        DatabaseError: if the database is damaged, or was made by a newer version of this program.
    """
    config = alembic_config()
    scripts = ScriptDirectory.from_config(config)
    try:
        present = present_revision(engine)
        if present == newest_revision():
            return
        with read_only(engine).connect() as connection:
            has_content = bool(inspect(connection).get_table_names())
        known = {script.revision for script in scripts.walk_revisions()}
        if present is not None and present not in known:
            raise DatabaseError(
                f"The session database was made by a newer StemGen (its shape is {present!r}). Install that version, "
                "or give this one another data folder."
            )
        if has_content:
            back_up(engine, backup_folder / f"sessions-{present or 'unknown'}-{time.time_ns() // 1_000_000}.sqlite")
        _run(engine, config)
    except DBAPIError as error:
        raise DatabaseError(f"The session database could not be brought up to date: {error.orig}.") from error


def present_revision(engine: Engine) -> str | None:
    """Return the shape that a database has; None if it has none of ours."""
    with read_only(engine).connect() as connection:
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


def _run(engine: Engine, config: Config) -> None:
    # Rebuilding a table drops it for a moment; with foreign keys on, that would take its children along. The switch
    # only works outside a transaction, hence on the driver's own connection.
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                _check(connection)
        finally:
            driver.execute("PRAGMA foreign_keys = ON")


def _check(connection: Connection) -> None:
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    damage = connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
    if orphans or damage != "ok":
        raise DatabaseError(
            f"The session database is damaged ({len(orphans)} broken references; {damage}). It was left as it was; "
            "restore a copy from the folder 'backups'."
        )
