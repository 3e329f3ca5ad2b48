"""Sessions in a Postgres database: what SQLite has no counterpart of."""

import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from sessions import postgres_database
from sessions.check import Severity, check_database, check_surroundings
from sessions.errors import DatabaseError, DataFolderBusyError, StorageFullError
from sessions.home import DataHome
from sessions.models import Base
from sessions.operator import open_for_reading
from sessions.postgres_database import PostgresDatabase
from sessions.store import DATABASE_NAME, SessionStore, open_home, open_store
from sessions.tree import Node
from tests.postgres_server import PostgresServer
from tests.sessions.scene import OWNER, Scene
from tests.torture.victim import run_in_child


@pytest.fixture
def home(tmp_path: Path, postgres_url: str) -> DataHome:
    return DataHome(tmp_path / "data", database_url=postgres_url)


@pytest.fixture
def empty_home(tmp_path: Path, empty_postgres_url: str) -> DataHome:
    return DataHome(tmp_path / "empty", database_url=empty_postgres_url)


@pytest.fixture
def connection(postgres_url: str) -> Iterator[Connection]:
    """Yield a connection past the store, for what it never does itself."""
    database = PostgresDatabase(postgres_url)
    with database.engine.connect() as connection:
        yield connection
    database.close()


def _everything(store: SessionStore) -> list[tuple[object, ...]]:
    return [
        (
            info,
            nodes := store.tree(OWNER, info.id, include_deleted=True),
            [store.notes(OWNER, node.id) for node in nodes],
            store.turns(OWNER, info.id),
            store.share(OWNER, info.id),
        )
        for info in store.sessions(OWNER, include_deleted=True)
    ]


def _fill(store: SessionStore) -> Node:
    scene = Scene(store)
    stem = scene.stem(scene.context())
    store.share_session(OWNER, stem.session_id)
    store.rename_node(OWNER, stem.id, "Bass 🎸 'quoted' \\ %s")
    store.delete_node(OWNER, scene.stem(stem, "piano").id)
    store.delete_session(OWNER, scene.stem(scene.context(), "drums").session_id)
    return store.node(OWNER, stem.id)


def test_second_server_on_a_database_is_refused_until_the_first_has_ended(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_database, "PATIENCE_S", 0.2)
    other = DataHome(tmp_path / "other", home.database_url)
    with open_home(home), pytest.raises(DataFolderBusyError, match="in use by another StemGen server"):
        open_home(other)

    open_home(other).close()


def test_server_that_was_killed_keeps_nobody_out(home: DataHome) -> None:
    def open_and_die() -> None:
        open_home(home)
        os.kill(os.getpid(), signal.SIGKILL)

    assert run_in_child(open_and_die) == -signal.SIGKILL

    open_home(home).close()


def test_server_waits_for_the_lock_of_one_that_is_just_ending(home: DataHome, tmp_path: Path) -> None:
    ending = PostgresDatabase(home.database_url)
    ending.keep_others_out()
    end = threading.Timer(1.0, ending.close)
    end.start()

    open_home(home).close()

    end.join()


def test_store_goes_on_after_the_database_was_restarted(home: DataHome, postgres_server: PostgresServer) -> None:
    with open_home(home) as store:
        stem = _fill(store)
        postgres_server.stop()
        with pytest.raises(DatabaseError, match="could not be read"):
            store.node(OWNER, stem.id)
        postgres_server.start()

        assert store.node(OWNER, stem.id) == stem
        assert store.rename_node(OWNER, stem.id, "later").name == "later"
        postgres_server.stop()
        postgres_server.start()
        assert store.node(OWNER, stem.id).name == "later"  # nobody noticed


def test_others_are_kept_out_again_by_the_first_write_after_a_restart(
    home: DataHome, tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_database, "PATIENCE_S", 0.2)
    with open_home(home) as store:
        postgres_server.stop()
        postgres_server.start()
        store.create_session(OWNER, "after the restart")

        with pytest.raises(DataFolderBusyError, match="in use by another StemGen server"):
            open_home(DataHome(tmp_path / "other", home.database_url))
        store.create_session(OWNER, "and once more")


def test_server_whose_place_was_taken_writes_nothing_until_the_other_has_gone(
    home: DataHome, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_database, "PATIENCE_S", 0.2)
    with open_home(home) as store:
        session = store.create_session(OWNER, "before")
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid != pg_backend_pid()"
            )
        )
        connection.commit()
        other = PostgresDatabase(home.database_url)
        other.keep_others_out()

        for _ in range(3):
            with pytest.raises(DataFolderBusyError, match="in use by another StemGen server"):
                store.rename_session(OWNER, session.id, "mine")
        assert store.session(OWNER, session.id).name == "before"

        other.close()
        assert store.rename_session(OWNER, session.id, "mine").name == "mine"


def test_reader_does_not_wait_for_a_writer_sees_one_moment_and_cannot_write(home: DataHome) -> None:
    with open_home(home) as store, open_for_reading(home) as operator:
        session = store.create_session(OWNER, "before")
        with store.database.engine.begin() as writing, operator.database.reader.connect() as reading:
            writing.execute(text("UPDATE session SET name = 'after'"))
            names = [operator.listing()[0].name, reading.execute(text("SELECT name FROM session")).scalar_one()]
            writing.commit()
            names.append(reading.execute(text("SELECT name FROM session")).scalar_one())
            with pytest.raises(DBAPIError, match="read-only transaction"):
                reading.execute(text("DELETE FROM session"))

        assert names == ["before"] * 3
        assert store.session(OWNER, session.id).name == "after"


def _is_somebody_waiting(connection: Connection) -> bool:
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    return connection.execute(waiting).scalar_one() > 0


def test_writer_waits_for_the_writer_before_it_and_sees_what_it_wrote(
    home: DataHome, postgres_server: PostgresServer
) -> None:
    looker = PostgresDatabase(postgres_server.url("postgres"), may_write=False)
    with open_home(home) as store:
        session = store.create_session(OWNER, "first")
        seen: list[str] = []

        def write() -> None:
            with store.database.engine.begin() as later:
                seen.append(later.execute(text("SELECT name FROM session")).scalar_one())

        with store.database.engine.begin() as earlier, looker.reader.connect() as connection:
            earlier.execute(text("SELECT name FROM session"))
            thread = threading.Thread(target=write)
            thread.start()
            while thread.is_alive() and not _is_somebody_waiting(connection):
                time.sleep(0.01)
            earlier.execute(text("UPDATE session SET name = 'second' WHERE id = :id"), {"id": session.id})
        thread.join()
    looker.close()

    assert seen == ["second"]


def test_full_disk_of_the_database_is_an_error_that_loses_nothing_and_passes(
    home: DataHome, connection: Connection
) -> None:
    with open_home(home) as store:
        stem = _fill(store)
        connection.execute(
            text("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE SQLSTATE ''53100''; END'")
        )
        connection.execute(text("CREATE TRIGGER fail BEFORE UPDATE ON node EXECUTE FUNCTION fail()"))
        connection.commit()

        with pytest.raises(StorageFullError, match="disk of the studio's server is full"):
            store.rename_node(OWNER, stem.id, "too much")
        assert store.node(OWNER, stem.id) == stem

        connection.execute(text("DROP TRIGGER fail ON node"))
        connection.commit()
        assert store.rename_node(OWNER, stem.id, "again").name == "again"


def test_copy_is_a_file_of_sqlite_that_holds_everything(home: DataHome, tmp_path: Path) -> None:
    with open_home(home) as store:
        _fill(store)
        before = _everything(store)
        store.database.copy_to(tmp_path / "copy" / DATABASE_NAME)

    with open_store(tmp_path / "copy") as copy:
        assert _everything(copy) == before


def test_file_of_sqlite_comes_back_whole_and_is_counted_on_from(empty_home: DataHome, tmp_path: Path) -> None:
    with open_store(tmp_path / "sqlite") as store:
        stem = _fill(store)
        before = _everything(store)

    empty_home.take_in(tmp_path / "sqlite" / DATABASE_NAME)

    with open_home(empty_home) as store:
        assert _everything(store) == before
        assert Scene(store).stem(stem).parent_id == stem.id  # rows get numbers that are free
        assert list(check_database(store.database)) == []
    with pytest.raises(DatabaseError, match=r"There are sessions at .* already"):
        empty_home.take_in(tmp_path / "sqlite" / DATABASE_NAME)


def test_migrations_make_what_the_models_describe(empty_home: DataHome) -> None:
    with open_home(empty_home) as store, store.database.reader.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
        look = inspect(connection)
        made = {str(check["name"]) for table in look.get_table_names() for check in look.get_check_constraints(table)}

    described = {str(c.name) for t in Base.metadata.tables.values() for c in t.constraints if "ck_" in str(c.name)}
    assert differences == []
    assert described <= made


def test_database_of_another_program_is_refused_and_left_alone(empty_home: DataHome) -> None:
    database = PostgresDatabase(empty_home.database_url)
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE session (secret text)"))

    with pytest.raises(DatabaseError, match="holds tables of another program"):
        open_home(empty_home)

    with database.reader.connect() as connection:
        assert inspect(connection).get_table_names() == ["session"]
    database.close()


def test_database_of_a_newer_version_is_refused_and_left_alone(home: DataHome, connection: Connection) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = 'from the future'"))
    connection.commit()

    with pytest.raises(DatabaseError, match="made by a newer StemGen"):
        open_home(home)
    with pytest.raises(DatabaseError, match="of another version"), open_for_reading(home):
        pass

    assert not (home.folder / "backups").exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://somebody:secret@localhost/x", "must begin with postgresql://, got 'mysql'"),
        ("nonsense", "is no address"),
        ("postgresql://somebody:secret@127.0.0.1:1/x", r"somebody:\*\*\*@127.0.0.1:1/x can't be opened"),
    ],
)
def test_address_that_leads_nowhere_is_said_without_its_password(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(DatabaseError, match=message) as caught:
        open_home(DataHome(tmp_path, url))

    assert "secret" not in str(caught.value)
    assert "secret" not in repr(DataHome(tmp_path, url))


def test_missing_driver_is_said_with_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(DatabaseError, match=r"pip install 'psycopg\[binary\]'"):
        open_home(DataHome(tmp_path, "postgresql://127.0.0.1:1/x"))


def test_check_finds_broken_references_and_says_nothing_of_sqlite(home: DataHome, connection: Connection) -> None:
    with open_home(home) as store:
        _fill(store)
        connection.execute(text("SET session_replication_role = replica"))  # switches the checks off
        connection.execute(text("UPDATE turn SET node_id = 'nowhere' WHERE number = 1"))
        connection.commit()

        (finding,) = check_database(store.database)

        assert finding.severity is Severity.BROKEN
        assert "1 references that lead nowhere" in finding.what
        assert "Postgres" in finding.advice
        assert not [one for one in check_surroundings(home) if "SQLite" in one.what]


def test_names_that_no_database_takes_are_made_fit(home: DataHome) -> None:
    with open_home(home) as store:
        session = store.create_session(OWNER, "a\0b\ud800c")

        assert store.session(OWNER, session.id).name == "abc"


def test_stores_leave_no_file_of_sqlite(home: DataHome) -> None:
    with open_home(home) as store:
        _fill(store)

    assert not (home.folder / DATABASE_NAME).exists()
    with pytest.raises(sqlite3.OperationalError):
        sqlite3.connect(f"file:{home.folder / DATABASE_NAME}?mode=ro", uri=True)
