"""A database of every released schema comes to the newest with every row, also when it is killed on the way."""

import hashlib
import os
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event

from sessions.check import check_database
from sessions.home import DataHome
from sessions.migrations import upgrade as upgrade_module
from sessions.migrations.upgrade import alembic_config, newest_revision
from sessions.sqlite_database import SqliteDatabase
from sessions.store import DATABASE_NAME, open_home, open_store
from tests.postgres_server import PostgresServer
from tests.sessions.make_fixture import FOLDER
from tests.sessions.scene import OWNER
from tests.sessions.test_migrations import NEXT_STEP, _schema

FIXTURES = sorted(path.stem for path in FOLDER.glob("*.sql"))
Rows = dict[str, list[dict[str, object]]]


def _load(name: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(folder / DATABASE_NAME)
    connection.executescript((FOLDER / f"{name}.sql").read_text(encoding="utf-8"))
    connection.close()
    return folder


def _rows(path: Path, only: Rows | None = None) -> Rows:
    """Return every row of every table; with `only`, just the tables and columns that it has."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY number")]
        for table in tables
        if table != "alembic_version" and (only is None or table in only)
    }
    connection.close()
    if only is None:
        return found
    return {table: [{c: row[c] for c in only[table][0]} for row in rows] for table, rows in found.items()}


def _assert_sound(path: Path) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_every_released_schema_has_a_fixture() -> None:
    revisions = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}

    assert revisions == set(FIXTURES), "run `python -m tests.sessions.make_fixture` and commit what it writes"


@pytest.mark.parametrize("name", FIXTURES)
def test_fixture_has_the_schema_that_was_released(name: str, tmp_path: Path) -> None:
    engine = SqliteDatabase(tmp_path / "made.sqlite").engine
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, name)
    engine.dispose()

    _load(name, tmp_path / "data")

    assert _schema(tmp_path / "data" / DATABASE_NAME) == _schema(tmp_path / "made.sqlite")


@pytest.mark.parametrize("name", FIXTURES)
def test_released_schema_comes_to_the_newest_with_every_row(name: str, tmp_path: Path) -> None:
    data = _load(name, tmp_path / "data")
    before = _rows(data / DATABASE_NAME)
    assert all(before.values())

    with open_store(data) as store:
        sessions = store.sessions(OWNER, include_deleted=True)
        trees = [store.tree(OWNER, info.id, include_deleted=True) for info in sessions]

    assert _rows(data / DATABASE_NAME, before) == before
    assert [len(tree) for tree in trees] == [5, 5, 5]
    _assert_sound(data / DATABASE_NAME)
    if name == newest_revision():
        assert not (data / "backups").exists()
    else:
        (copy,) = (data / "backups").iterdir()
        assert _rows(copy) == before


@pytest.mark.parametrize("name", FIXTURES)
def test_released_schema_comes_to_the_newest_with_every_row_on_postgres_too(
    name: str, tmp_path: Path, empty_postgres_url: str
) -> None:
    old = _load(name, tmp_path / "old") / DATABASE_NAME
    before = _rows(old)
    home = DataHome(tmp_path / "data", database_url=empty_postgres_url)
    home.take_in(old)  # as it was, in its old shape

    with open_home(home) as store:
        store.database.copy_to(tmp_path / "after.sqlite")
        assert list(check_database(store.database)) == []

    assert _rows(tmp_path / "after.sqlite", before) == before
    for copy in (home.folder / "backups").iterdir() if name != newest_revision() else ():
        assert _rows(copy) == before


# ---- killed on the way ---------------------------------------------------------------------------------------------


def _lengthen(folder: Path, monkeypatch: pytest.MonkeyPatch, recreate: str) -> None:
    """Add a step to the migrations that changes a table which others refer to."""
    scripts = folder / "migrations"
    shutil.copytree(Path(upgrade_module.__file__).parent, scripts)
    step = NEXT_STEP.format(previous=newest_revision(), more="").replace('"always"', f'"{recreate}"')
    (scripts / "versions" / "9999_later.py").write_text(step)
    config = alembic_config()
    config.set_main_option("script_location", str(scripts))
    monkeypatch.setattr(upgrade_module, "alembic_config", lambda: config)


@pytest.fixture
def longer_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a step that rebuilds a table, as many on SQLite must."""
    _lengthen(tmp_path, monkeypatch, "always")


@pytest.fixture
def longer_way_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a step that alters a table in place, as Postgres does."""
    _lengthen(tmp_path, monkeypatch, "auto")


def _open_and_die_at(home: DataHome, statement: int) -> int:
    """Open the store in a process that kills itself at its n-th statement; return how it ended."""
    pid = os.fork()
    if pid == 0:
        count = 0

        def watch(*_: object) -> None:
            nonlocal count
            count += 1
            if count == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "before_cursor_execute", watch)
        event.listen(Engine, "commit", watch)
        try:
            open_home(home)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _kill_at(statements: range, tmp_path: Path) -> int:
    """Kill the migration of the oldest schema at each of some statements; return at how many it was still at work."""
    num_killed = 0
    for statement in statements:
        data = _load(FIXTURES[0], tmp_path / f"data-{statement}")
        before = _rows(data / DATABASE_NAME)

        num_killed += _open_and_die_at(DataHome(data), statement) == -signal.SIGKILL

        _assert_sound(data / DATABASE_NAME)
        assert _rows(data / DATABASE_NAME, before) == before
        with open_store(data) as store:
            assert len(store.sessions(OWNER, include_deleted=True)) == 3
        assert _rows(data / DATABASE_NAME, before) == before
        _assert_sound(data / DATABASE_NAME)
        for copy in (data / "backups").iterdir():
            if copy.suffix == ".sqlite":
                _assert_sound(copy)
    return num_killed


@pytest.mark.usefixtures("longer_way")
def test_migration_killed_on_the_way_loses_nothing(tmp_path: Path) -> None:
    assert _kill_at(range(8, 29, 10), tmp_path) == 3


@pytest.mark.usefixtures("longer_way_in_place")
def test_migration_killed_on_the_way_loses_nothing_on_postgres_either(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    old = _load(FIXTURES[0], tmp_path / "old") / DATABASE_NAME
    before = _rows(old)
    num_killed = 0
    for statement in (12, 40, 60):
        with postgres_server.database(is_empty=True) as url:
            home = DataHome(tmp_path / f"data-{statement}", database_url=url)
            home.take_in(old)

            num_killed += _open_and_die_at(home, statement) == -signal.SIGKILL

            with open_home(home) as store:
                store.database.copy_to(tmp_path / f"after-{statement}.sqlite")
        assert _rows(tmp_path / f"after-{statement}.sqlite", before) == before
    assert num_killed == 3


@pytest.mark.torture
@pytest.mark.usefixtures("longer_way")
def test_migration_killed_at_each_of_its_statements_loses_nothing(tmp_path: Path) -> None:
    assert _kill_at(range(1, 34), tmp_path) == 33


def test_fixtures_of_released_schemas_are_not_written_again() -> None:
    # Their content is what people have on their disks. A new revision adds a line here.
    known = {
        "0001": "12445c2f08264ecb67f5c40e1ec7d6991c19e2fded0eca5cda71e962545b5eee",
        "0002": "824dfebbaa071320f7ae09f6e268b9bc2d58d7051a72170fd6d90527c495e609",
    }

    for name, sha256 in known.items():
        content = (FOLDER / f"{name}.sql").read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256, name
