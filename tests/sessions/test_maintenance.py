"""Sweeping, erasing, quotas and the check of a data folder."""

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessions.blobs import BlobEntry
from sessions.check import Severity, check_database, check_sounds, check_surroundings, has_wal_reset_fault
from sessions.errors import DatabaseError, SessionNotFoundError, StorageFullError
from sessions.home import DataHome
from sessions.quotas import Quotas
from sessions.sqlite_database import SqliteDatabase
from sessions.store import DATABASE_NAME, SessionStore, open_store
from tests.sessions.scene import OWNER, Scene, on_sqlite_only

DAY_S = 86_400.0


def _age(store: SessionStore, sha256: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(store.blobs.path(sha256), (then, then))


def test_files_that_nothing_names_are_swept_after_a_day_and_no_others(store: SessionStore, scene: Scene) -> None:
    named = scene.context().audio
    old, young = store.blobs.add_bytes(b"old"), store.blobs.add_bytes(b"young")
    assert named is not None
    _age(store, named.sha256, 9 * DAY_S)
    _age(store, old, 1.1 * DAY_S)
    _age(store, young, 0.9 * DAY_S)

    assert store.sweep_orphans() == (1, 3)

    assert [store.blobs.has(one) for one in (named.sha256, old, young)] == [True, False, True]


def test_what_only_a_variation_or_the_trash_names_is_not_swept(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    turn = scene.turn(context, (1,))
    audio = scene.finish(turn.variations[0], b"not picked").audio
    store.delete_session(OWNER, context.session_id)
    assert audio is not None
    _age(store, audio.sha256, 9 * DAY_S)

    assert store.sweep_orphans() == (0, 0)


def test_file_stored_again_after_the_sweep_looked_stays_for_the_row_that_comes(
    store: SessionStore, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    again, gone = store.blobs.add_bytes(b"made again"), store.blobs.add_bytes(b"gone")
    for one in (again, gone):
        _age(store, one, 2 * DAY_S)
    listed = list(store.blobs.entries())

    def look() -> Iterator[BlobEntry]:
        yield from listed
        store.blobs.add_bytes(b"made again")

    monkeypatch.setattr(store.blobs, "entries", look)

    assert store.sweep_orphans() == (1, 4)

    assert [store.blobs.has(one) for one in (again, gone)] == [True, False]
    assert scene.finish(scene.turn(scene.context()).variations[0], b"made again").audio is not None


def test_old_trash_is_erased_whole_and_nothing_else(store: SessionStore, scene: Scene) -> None:
    kept = scene.stem(scene.context())
    thrown = scene.stem(scene.stem(scene.context()), "piano")
    store.share_session(OWNER, thrown.session_id)
    store.delete_session(OWNER, thrown.session_id)

    assert store.erase_trash(older_than_s=60) == 0
    assert store.erase_trash(older_than_s=-60) == 1

    assert [info.id for info in store.sessions(OWNER, include_deleted=True)] == [kept.session_id]
    assert len(store.tree(OWNER, kept.session_id)) == 2
    with pytest.raises(SessionNotFoundError):
        store.session(OWNER, thrown.session_id)
    assert list(check_database(store.database)) == []


def test_session_takes_no_more_than_it_may_and_says_so_before_work_begins(tmp_path: Path) -> None:
    with open_store(tmp_path, quotas=Quotas(session_bytes=10)) as store:
        scene = Scene(store)
        context = scene.context()  # 5 bytes
        turn = scene.turn(context, (1, 2, 3))
        scene.finish(turn.variations[0], b"12345")

        with pytest.raises(StorageFullError, match="This session is full"):
            scene.finish(turn.variations[1], b"6")
        with pytest.raises(StorageFullError, match="Begin a new session"):
            scene.turn(context)
        with pytest.raises(StorageFullError):
            store.add_context(OWNER, context.session_id, scene.audio(b"more"))

        assert scene.finish(turn.variations[2], b"12345").audio is not None  # the same sound takes no more room
        assert scene.context().id  # another session has room of its own
        assert [v.state for v in store.turn(OWNER, turn.id).variations] == ["done", "queued", "done"]


def test_trash_counts_as_it_can_be_fetched_back_until_it_is_erased(tmp_path: Path) -> None:
    with open_store(tmp_path, quotas=Quotas(session_bytes=10)) as store:
        scene = Scene(store)
        context = scene.context()  # 5 bytes
        brought = store.add_context(OWNER, context.session_id, scene.audio(b"12345"))
        store.delete_node(OWNER, brought.id)

        with pytest.raises(StorageFullError, match="what lies in its trash counted"):
            scene.turn(context)

        assert store.restore_node(OWNER, brought.id).audio is not None


def test_check_of_a_sound_folder_finds_nothing(store: SessionStore, scene: Scene) -> None:
    scene.stem(scene.context())

    assert list(check_database(store.database)) == []
    assert list(check_sounds(store.database, store.blobs)) == []


@on_sqlite_only
def test_check_names_each_lost_sound_its_session_and_what_to_do(store: SessionStore, scene: Scene) -> None:
    stem = scene.stem(scene.context())
    context = store.lineage(OWNER, stem.id)[0]
    orphan = store.blobs.add_bytes(b"orphan")
    _age(store, orphan, 2 * DAY_S)
    assert stem.audio is not None
    assert context.audio is not None
    store.blobs.path(stem.audio.sha256).unlink()
    store.blobs.path(context.audio.sha256).write_bytes(b"x")

    findings = list(check_sounds(store.database, store.blobs))

    whats = " ".join(finding.what for finding in findings)
    assert [finding.severity for finding in findings] == [Severity.BROKEN, Severity.BROKEN, Severity.NOTE]
    assert f"{stem.audio.sha256[:12]} of session {stem.session_id[:12]} is missing" in whats
    assert f"{context.audio.sha256[:12]} of session {stem.session_id[:12]} is damaged" in whats
    assert "1 files that nothing uses" in whats
    assert all("stemgen sessions" in finding.advice for finding in findings)


@on_sqlite_only
def test_check_finds_broken_references(store: SessionStore, scene: Scene, tmp_path: Path) -> None:
    scene.stem(scene.context())
    connection = sqlite3.connect(tmp_path / "data" / DATABASE_NAME)
    connection.execute("UPDATE turn SET node_id = 'nowhere'")
    connection.commit()
    connection.close()

    (finding,) = check_database(store.database)

    assert "1 references that lead nowhere" in finding.what
    assert "restore" in finding.advice


def test_check_finds_damaged_pages(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        scene = Scene(store)
        for _ in range(20):
            scene.context()
    path = tmp_path / DATABASE_NAME
    content = bytearray(path.read_bytes())
    content[8_192:40_000] = bytes(31_808)
    path.write_bytes(content)

    database = SqliteDatabase(path, may_write=False)
    findings = list(check_database(database))
    database.close()

    assert findings[0].severity is Severity.BROKEN
    assert "The database is damaged" in findings[0].what


def test_damaged_page_is_said_in_words_to_whoever_meets_it(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        context = Scene(store).context()
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'node'").fetchone()
    connection.close()
    with (tmp_path / DATABASE_NAME).open("r+b") as file:
        file.seek((page - 1) * page_bytes)
        file.write(bytes(page_bytes))

    with open_store(tmp_path) as store:
        assert [info.id for info in store.sessions(OWNER)] == [context.session_id]
        with pytest.raises(DatabaseError, match="could not be read: database disk image is malformed"):
            store.tree(OWNER, context.session_id)
        with pytest.raises(DatabaseError, match="could not be saved: database disk image is malformed"):
            store.rename_node(OWNER, context.id, "later")


@pytest.mark.parametrize(
    ("version", "is_faulty"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
    ],
)
def test_versions_of_sqlite_with_the_wal_reset_fault_are_known(version: tuple[int, int, int], is_faulty: bool) -> None:
    assert has_wal_reset_fault(version) is is_faulty


@on_sqlite_only
def test_check_of_the_surroundings_says_what_a_newer_sqlite_would_not_need(store: SessionStore, tmp_path: Path) -> None:
    findings = list(check_surroundings(DataHome(tmp_path / "data")))

    assert all(finding.severity is Severity.NOTE for finding in findings)
    assert any("SQLite" in finding.what for finding in findings) is has_wal_reset_fault(sqlite3.sqlite_version_info)
