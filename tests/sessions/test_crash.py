"""Killed in the middle: what was answered for is there, and no row names a file that isn't."""

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from sqlalchemy import event

from sessions.blobs import BlobStore
from sessions.store import DATABASE_NAME, SessionStore, open_store
from sessions.tree import Variation, WorkState
from tests.sessions.scene import OWNER, Scene


def _die(*_: object, **__: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit


def _dying_after(function: Callable[..., object]) -> Callable[..., Any]:
    def call(*arguments: object, **options: object) -> None:
        function(*arguments, **options)
        _die()

    return call


def _set_trap(store: SessionStore, point: str) -> None:
    """Let this process kill itself when it reaches a named point."""
    if point == "file written, not flushed":
        os.fsync = _die
    elif point == "file flushed, not renamed":
        Path.replace = _die
    elif point == "file renamed, folder not flushed":
        Path.replace = _dying_after(Path.replace)
    elif point == "file stored, row not begun":
        BlobStore.add_bytes = _dying_after(BlobStore.add_bytes)
    elif point == "row written, not committed":
        event.listen(store.database.engine, "commit", _die)
    elif point == "row committed, not answered":
        store.finish_variation = _dying_after(store.finish_variation)


def _store_one_stem_and_die_in_the_second(folder: Path, point: str) -> None:
    store = open_store(folder / "data")
    scene = Scene(store)
    turn = scene.turn(scene.context())
    store.start_turn(OWNER, turn.id)
    scene.finish(turn.variations[0], b"one")
    (folder / "answered").touch()
    _set_trap(store, point)
    scene.finish(turn.variations[1], b"two")


def _run_victim(folder: Path, point: str) -> int:
    """Return the signal that ended a process which ran the above; 0 if none did."""
    # A fork is quicker than a new interpreter; no database is open here that it could inherit.
    pid = os.fork()
    if pid == 0:
        try:
            _store_one_stem_and_die_in_the_second(folder, point)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _read(store: SessionStore, variations: tuple[Variation, ...]) -> list[bytes]:
    return [store.blobs.path(v.audio.sha256).read_bytes() for v in variations if v.audio is not None]


@pytest.mark.parametrize(
    ("point", "is_second_kept"),
    [
        ("file written, not flushed", False),
        ("file flushed, not renamed", False),
        ("file renamed, folder not flushed", False),
        ("file stored, row not begun", False),
        ("row written, not committed", False),
        ("row committed, not answered", True),
    ],
)
def test_kill_at_any_point_loses_no_answered_stem_and_leaves_no_row_without_file(
    tmp_path: Path, point: str, is_second_kept: bool
) -> None:
    assert _run_victim(tmp_path, point) == -signal.SIGKILL
    assert (tmp_path / "answered").exists()

    with open_store(tmp_path / "data") as store:
        (turn,) = store.turns(OWNER, store.sessions(OWNER)[0].id)
        heard = _read(store, turn.variations)

    assert heard == ([b"one", b"two"] if is_second_kept else [b"one"])
    assert turn.state is (WorkState.DONE if is_second_kept else WorkState.FAILED)
    assert not list(tmp_path.rglob(".writing-*"))
    with sqlite3.connect(tmp_path / "data" / DATABASE_NAME) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
