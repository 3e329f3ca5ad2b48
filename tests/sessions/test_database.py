"""One server, one connection, no lost update."""

import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from sessions.errors import DatabaseError, DataFolderBusyError, StorageFullError
from sessions.home import DataHome
from sessions.sqlite_database import APPLICATION_ID, SqliteDatabase
from sessions.store import DATABASE_NAME, SessionStore, open_store
from tests.sessions.scene import OWNER, Scene, on_sqlite_only

# Adds to a counter, reading it first, as often as the second argument says.
COUNTER = """
import sys
from pathlib import Path
from sqlalchemy import text
from sessions.postgres_database import PostgresDatabase
from sessions.sqlite_database import SqliteDatabase

where = sys.argv[1]
engine = (PostgresDatabase(where) if "://" in where else SqliteDatabase(Path(where))).engine
for _ in range(int(sys.argv[2])):
    with engine.begin() as connection:
        value = connection.execute(text("SELECT value FROM counter")).scalar_one()
        connection.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})
"""


def count_in_processes(home: DataHome, num_processes: int, num_updates: int) -> tuple[int, list[str]]:
    """Let processes read and then write one number; return it, and what each process said of errors."""
    home.folder.mkdir(parents=True)
    database = home.open_database()
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    database.close()
    where = home.database_url or str(home.folder / DATABASE_NAME)
    command = [sys.executable, "-c", COUNTER, where, str(num_updates)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(num_processes)]
    errors = [process.communicate(timeout=1800)[1] for process in processes]
    database = home.open_reader()
    with database.reader.connect() as connection:
        value = connection.execute(text("SELECT value FROM counter")).scalar_one()
    database.close()
    return value, errors


def test_processes_that_read_and_then_write_lose_no_update(home: DataHome) -> None:
    assert count_in_processes(home, 3, 40) == (120, [""] * 3)


def test_threads_of_one_server_lose_no_update(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    turns = [scene.turn(context, tuple(range(4))) for _ in range(4)]
    variations = [variation for turn in turns for variation in turn.variations]

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda variation: scene.finish(variation, variation.id.encode()), variations))
        list(pool.map(lambda variation: store.pick_variation(OWNER, variation.id), variations * 2))

    nodes = store.tree(OWNER, context.session_id)
    assert sorted(str(node.variation_id) for node in nodes[1:]) == sorted(variation.id for variation in variations)


@on_sqlite_only
def test_reader_is_not_starved_by_threads_that_write_without_a_pause(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    num_writes = 0
    waits: list[int] = []
    stop = threading.Event()

    def write() -> None:
        nonlocal num_writes
        while not stop.is_set():
            store.rename_node(OWNER, context.id, "x")
            num_writes += 1

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write) for _ in range(3)]
        try:
            for _ in range(20):
                before = num_writes
                store.tree(OWNER, context.session_id)
                waits.append(num_writes - before)
        finally:
            stop.set()
    for writer in writers:
        writer.result()

    assert num_writes > 10  # they did compete
    assert sorted(waits)[len(waits) // 2] <= 4  # each writer is let in front about once


@on_sqlite_only
def test_connection_is_set_up_for_data_that_must_not_get_lost(store: SessionStore) -> None:
    with store.database.engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout", "application_id")
        }

    assert settings == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "synchronous": 2,  # FULL
        "busy_timeout": 30_000,
        "application_id": APPLICATION_ID,
    }


def test_there_is_never_more_than_one_connection(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "x.sqlite")
    seen: set[int] = set()
    barrier = threading.Barrier(8)

    def use() -> None:
        barrier.wait()
        with database.reader.connect() as connection:
            seen.add(id(connection.connection.driver_connection))

    with ThreadPoolExecutor(8) as pool:
        for job in [pool.submit(use) for _ in range(8)]:
            job.result()

    assert len(seen) == 1
    database.close()


def test_second_server_on_a_data_folder_is_refused_and_named_the_first(tmp_path: Path) -> None:
    with open_store(tmp_path):
        with pytest.raises(DataFolderBusyError, match=rf"in use by another StemGen server \(process {os.getpid()}\)"):
            open_store(tmp_path)
        other = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys, pathlib; from sessions.store import open_store; open_store(pathlib.Path(sys.argv[1]))",
                str(tmp_path),
            ],
            capture_output=True,
            text=True,
        )

    assert "DataFolderBusyError" in other.stderr
    open_store(tmp_path).close()  # free again


def test_disk_without_write_ahead_logging_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # A database in memory can't do it either; what SQLite answers is the same.
    with pytest.raises(DatabaseError, match=r"needs write-ahead logging, but its disk only allows 'memory'"):
        SqliteDatabase(Path(":memory:"))


def test_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(b"<html>" * 1_000)

    with pytest.raises(DatabaseError, match="file is not a database"):
        open_store(tmp_path)

    assert (tmp_path / DATABASE_NAME).read_bytes() == b"<html>" * 1_000


def test_database_of_another_program_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    connection.execute("PRAGMA application_id = 7")
    connection.close()

    with pytest.raises(DatabaseError, match="belongs to another program"):
        open_store(tmp_path)


@on_sqlite_only
def test_full_disk_is_an_error_that_loses_nothing_and_passes(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    with store.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite takes the present size at least

    with pytest.raises(StorageFullError, match="could not be saved: the disk of the studio's server is full"):
        store.set_analysis(OWNER, context.id, {"beats_s": list(range(50_000))})
    assert store.node(OWNER, context.id) == context

    with store.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1073741823")
    assert store.rename_node(OWNER, context.id, "again").name == "again"


def test_backup_is_a_whole_database(store: SessionStore, scene: Scene, tmp_path: Path) -> None:
    context = scene.context()

    store.database.copy_to(tmp_path / "copy" / DATABASE_NAME)
    store.rename_node(OWNER, context.id, "later")
    (tmp_path / "copy" / "audio").symlink_to(tmp_path / "data" / "audio")

    with open_store(tmp_path / "copy") as copy:
        assert copy.lineage(OWNER, context.id) == (context,)
