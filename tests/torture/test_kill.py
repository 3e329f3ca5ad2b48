"""Killed with -9: at every named edge, and at any time while generating and editing. Nothing acknowledged is lost."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from sessions.archive import ArchiveLimits, open_archive, write_archive
from sessions.home import DataHome
from sessions.snapshot import SnapshotFolder
from sessions.store import DATABASE_NAME, SessionStore, open_store
from tests.app.fakes import write_clip
from tests.sessions.scene import OWNER as SCENE_OWNER
from tests.sessions.scene import Scene
from tests.torture.victim import assert_nothing_lost, assert_sound, generate_and_edit, kill_after, run_in_child

Tell = Callable[[str], None]

# ---- at named edges ------------------------------------------------------------------------------------------------


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _around(holder: Any, name: str, *, is_before: bool) -> Callable[[int], None]:
    """Return what sets a trap: the process dies before or after the n-th call of a function."""

    def arm(count: int) -> None:
        function = getattr(holder, name)
        left = count

        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0 and is_before:
                _die()
            result = function(*arguments, **options)
            if left == 0:
                _die()
            return result

        setattr(holder, name, call)

    return arm


def _before_statement(count: int) -> None:
    left = count

    def watch(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            _die()

    event.listen(Engine, "before_cursor_execute", watch)


EDGES: dict[str, Callable[[int], None]] = {
    "before a flush": _around(os, "fsync", is_before=True),
    "after a flush": _around(os, "fsync", is_before=False),
    "before a file gets its name": _around(Path, "replace", is_before=True),
    "after a file got its name": _around(Path, "replace", is_before=False),
    "before a commit": _around(DefaultDialect, "do_commit", is_before=True),
    "after a commit": _around(DefaultDialect, "do_commit", is_before=False),
    "before a statement": _before_statement,
    "before a file is removed": _around(Path, "unlink", is_before=True),
    "after a file was removed": _around(Path, "unlink", is_before=False),
    "before a restored database gets its name": _around(Path, "rename", is_before=True),
}


def _make_template(folder: Path) -> None:
    """Make a data folder in which every operation has something to do."""
    with open_store(folder / "data") as store:
        scene = Scene(store)
        stem = scene.stem(scene.context())
        turn = scene.turn(stem, (1, 2, 3))
        store.start_turn(SCENE_OWNER, turn.id)
        scene.finish(turn.variations[0], b"acknowledged")
        thrown = scene.stem(scene.context(), "piano")
        store.delete_session(SCENE_OWNER, thrown.session_id)
        for number in range(4):
            store.blobs.add_bytes(f"orphan {number}".encode())
        write_archive(store.session_record(SCENE_OWNER, stem.session_id), store.blobs, folder / "session.zip")
        SnapshotFolder(str(folder / "copies")).save(store.database, store.blobs)


def _finish(store: SessionStore, _: Path) -> None:
    scene = Scene(store)
    turn = scene.turn(scene.context(), (1, 2, 3, 4))
    for variation in turn.variations:
        scene.finish(variation, variation.id.encode())
        store.pick_variation(SCENE_OWNER, variation.id)


def _bring(store: SessionStore, folder: Path) -> None:
    def accept(*_: object) -> None:
        pass

    with open_archive(
        folder / "session.zip", limits=ArchiveLimits(), check_audio=accept, check_record=accept
    ) as archive:
        store.add_session(SCENE_OWNER, archive.record, archive.sounds)


def _restore(folder: Path) -> None:
    place = SnapshotFolder(str(folder / "copies"))
    place.restore(DataHome(folder / "new"))


OPERATIONS: dict[str, Callable[[SessionStore, Path], object]] = {
    "finish and pick": _finish,
    "edit": lambda store, _: [
        store.rename_session(SCENE_OWNER, info.id, "later") for info in store.sessions(SCENE_OWNER)
    ],
    "export": lambda store, folder: write_archive(
        store.session_record(SCENE_OWNER, store.sessions(SCENE_OWNER)[0].id), store.blobs, folder / "out.zip"
    ),
    "import": _bring,
    "sweep": lambda store, _: store.sweep_orphans(grace_s=-1),
    "erase the trash": lambda store, _: store.erase_trash(older_than_s=-60),
    "snapshot": lambda store, folder: SnapshotFolder(str(folder / "copies")).save(store.database, store.blobs),
}


def _kill_once(template: Path, folder: Path, operation: str, edge: str, count: int) -> bool:
    """Kill one operation at one edge and look at what is left; return whether the edge was reached."""
    shutil.copytree(template, folder)

    def work() -> None:
        if operation == "start":
            EDGES[edge](count)
            open_store(folder / "data").close()
        elif operation == "restore":
            EDGES[edge](count)
            _restore(folder)
        else:
            with open_store(folder / "data") as store:
                EDGES[edge](count)
                OPERATIONS[operation](store, folder)

    status = run_in_child(work)
    assert status in (0, -signal.SIGKILL)
    _look_at(folder, operation)
    shutil.rmtree(folder)
    return status != 0


def _look_at(folder: Path, operation: str) -> None:
    if operation == "restore":
        if not (folder / "new" / DATABASE_NAME).exists():
            _restore(folder)
        with open_store(folder / "new") as store:
            assert_sound(store)
            assert len(store.sessions(SCENE_OWNER)) == 1
    with open_store(folder / "data") as store:
        assert_sound(store)
        first = store.sessions(SCENE_OWNER)[-1]
        contents = {
            store.blobs.path(v.audio.sha256).read_bytes()
            for info in store.sessions(SCENE_OWNER)
            for turn in store.turns(SCENE_OWNER, info.id)
            for v in turn.variations
            if v.audio is not None
        }
        assert {b"acknowledged", b"bass"} <= contents
        for info in store.sessions(SCENE_OWNER):
            assert all(turn.state.is_finished for turn in store.turns(SCENE_OWNER, info.id))
        assert not list((folder / "data").rglob(".writing-*"))
        store.sweep_orphans(grace_s=-1)
        assert_sound(store)
        assert {entry.sha256 for entry in store.blobs.entries()} == store.named_audio()
        assert store.rename_session(SCENE_OWNER, first.id, "goes on").name == "goes on"
    latest = SnapshotFolder(str(folder / "copies"))
    latest.restore(DataHome(folder / "from-snapshot"))
    with open_store(folder / "from-snapshot") as store:
        assert_sound(store)


def _kill_at_edges(tmp_path: Path, operations: list[str], edges: list[str], counts: range) -> tuple[int, int]:
    _make_template(tmp_path / "template")
    num_killed = num_cases = 0
    for operation in operations:
        for edge in edges:
            for count in counts:
                num_cases += 1
                num_killed += _kill_once(tmp_path / "template", tmp_path / "case", operation, edge, count)
    return num_killed, num_cases


def test_kill_at_an_edge_loses_nothing_acknowledged(tmp_path: Path) -> None:
    edges = ["after a file got its name", "before a commit"]

    num_killed, _ = _kill_at_edges(tmp_path, ["finish and pick", "import"], edges, range(1, 2))

    assert num_killed == 4


@pytest.mark.torture
def test_kill_at_every_edge_of_every_operation_loses_nothing_acknowledged(tmp_path: Path, tell: Tell) -> None:
    began_s = time.monotonic()

    num_killed, num_cases = _kill_at_edges(tmp_path, [*OPERATIONS, "start", "restore"], list(EDGES), range(1, 5))

    tell(f"{num_cases} cases, {num_killed} reached their edge and were killed, {time.monotonic() - began_s:.0f} s")
    assert num_killed >= 2 * len(EDGES)  # most operations have only some of the edges


# ---- at any time ---------------------------------------------------------------------------------------------------


def _kill_at_random(tmp_path: Path, num_times: int) -> tuple[int, int]:
    clip = write_clip(tmp_path / "loop.wav", seconds=1.0, sample_rate_hz=8_000)
    rng = random.Random(20)
    num_stems = num_acks = 0
    folder = tmp_path
    for number in range(num_times):
        if number % 20 == 0:  # a folder goes through twenty crashes
            folder = tmp_path / f"round-{number}"
            folder.mkdir()
        home, acks_path = DataHome(folder / "data"), folder / "acks"
        work = partial(generate_and_edit, home, acks_path, clip, number)
        kill_after(work, acks_path, rng.randrange(1, 60), rng.uniform(0, 0.05))
        found = assert_nothing_lost(home, acks_path)
        if number % 20 == 19 or number == num_times - 1:
            num_stems, num_acks = num_stems + found[0], num_acks + found[1]
    return num_stems, num_acks


def test_kill_at_any_time_while_generating_and_editing_loses_nothing_acknowledged(tmp_path: Path) -> None:
    _kill_at_random(tmp_path, 3)


@pytest.mark.torture
def test_two_hundred_kills_while_generating_and_editing_lose_nothing_acknowledged(tmp_path: Path, tell: Tell) -> None:
    began_s = time.monotonic()

    num_stems, num_acks = _kill_at_random(tmp_path, 200)

    tell(f"200 kills, {num_stems} stems and {num_acks} other words acknowledged, {time.monotonic() - began_s:.0f} s")
    assert num_stems > 200
