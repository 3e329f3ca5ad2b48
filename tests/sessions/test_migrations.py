"""From any released shape to the newest, without losing a row."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from sessions.errors import DatabaseError
from sessions.migrations import upgrade as upgrade_module
from sessions.migrations.upgrade import alembic_config, upgrade
from sessions.models import Base
from sessions.sqlite_database import SqliteDatabase
from sessions.store import DATABASE_NAME, open_store
from tests.sessions.scene import OWNER, Scene

NEXT_STEP = '''
"""A later step, of which there is none yet."""
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{previous}"


def upgrade() -> None:
    """Rebuild a table that others refer to."""
    with op.batch_alter_table("session", recreate="always") as table:
        table.add_column(sa.Column("mood", sa.Text(), nullable=False, server_default="calm"))
    {more}
'''


def _schema(path: Path) -> list[list[str]]:
    """Return the words of each statement that made the database, in whatever order it lists constraints."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE tbl_name <> 'alembic_version' AND sql IS NOT NULL")
    schema = [sorted(part.strip(" )") for part in " ".join(sql.replace('"', "").split()).split(",")) for (sql,) in rows]
    connection.close()
    return sorted(schema)


def test_migrations_make_what_the_models_describe(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    database = SqliteDatabase(tmp_path / DATABASE_NAME)
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    database.close()
    # Alembic doesn't look at check constraints: compare the words too.
    fresh = create_engine(f"sqlite:///{tmp_path / 'fresh.sqlite'}")
    Base.metadata.create_all(fresh)
    fresh.dispose()

    assert differences == []
    assert _schema(tmp_path / DATABASE_NAME) == _schema(tmp_path / "fresh.sqlite")


def test_upgrading_twice_changes_nothing_and_backs_up_nothing(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    before = _schema(tmp_path / DATABASE_NAME)

    open_store(tmp_path).close()

    assert _schema(tmp_path / DATABASE_NAME) == before
    assert not (tmp_path / "backups").exists()


@pytest.fixture
def later_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Migrations with one more step, which the next `open_store` runs."""
    scripts = tmp_path / "migrations"
    shutil.copytree(Path(upgrade_module.__file__).parent, scripts)
    config = alembic_config()
    config.set_main_option("script_location", str(scripts))
    monkeypatch.setattr(upgrade_module, "alembic_config", lambda: config)
    return config


def _add_step(tmp_path: Path, more: str = "") -> None:
    newest = max(path.name[:4] for path in (tmp_path / "migrations" / "versions").glob("[0-9]*.py"))
    step = NEXT_STEP.format(previous=newest, more=more)
    (tmp_path / "migrations" / "versions" / "9999_later.py").write_text(step)


@pytest.mark.usefixtures("later_config")
def test_migration_keeps_every_row_and_copies_the_database_first(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_store(data) as store:
        scene = Scene(store)
        session_id = scene.stem(scene.context()).session_id
        before = (store.tree(OWNER, session_id), store.turns(OWNER, session_id))
    old_schema = _schema(data / DATABASE_NAME)
    _add_step(tmp_path)

    with open_store(data) as store:
        after = (store.tree(OWNER, session_id), store.turns(OWNER, session_id))
        with store.database.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
            assert connection.exec_driver_sql("SELECT mood FROM session").scalar_one() == "calm"

    assert after == before
    (copy,) = (data / "backups").iterdir()
    assert _schema(copy) == old_schema
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT count(*) FROM node").fetchone() == (2,)
    connection.close()


@pytest.mark.usefixtures("later_config")
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("op.execute('SELECT no_such_function()')", "could not be brought up to date: no such function"),
        ("op.execute(\"UPDATE node SET session_id = 'x'\")", "damaged .2 broken references"),
    ],
)
def test_step_that_fails_or_breaks_references_leaves_the_old_database(tmp_path: Path, more: str, message: str) -> None:
    data = tmp_path / "data"
    with open_store(data) as store:
        scene = Scene(store)
        scene.stem(scene.context())
    before = _schema(data / DATABASE_NAME)
    _add_step(tmp_path, more)

    with pytest.raises(DatabaseError, match=message):
        open_store(data)

    assert _schema(data / DATABASE_NAME) == before
    (tmp_path / "migrations" / "versions" / "9999_later.py").unlink()
    with open_store(data) as store:
        assert len(store.sessions(OWNER)) == 1


def test_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    connection.execute("UPDATE alembic_version SET version_num = 'from the future'")
    connection.commit()
    connection.close()

    with pytest.raises(DatabaseError, match="made by a newer StemGen"):
        open_store(tmp_path)

    assert not (tmp_path / "backups").exists()


def test_every_step_says_why_each_new_column_exists() -> None:
    folder = Path(upgrade_module.__file__).parent / "versions"
    told = "".join(step.read_text().split('"""')[1] for step in folder.glob("[0-9]*.py"))

    missing = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name not in told
    }

    assert missing == set()


def test_upgrade_of_an_empty_file_makes_no_backup(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / DATABASE_NAME)

    upgrade(database, backup_folder=tmp_path / "backups")

    database.close()
    assert not (tmp_path / "backups").exists()
