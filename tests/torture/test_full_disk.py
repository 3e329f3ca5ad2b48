"""A disk that fills up: said in words, nothing half-written, everything acknowledged is there."""

import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sessions.errors import DatabaseError, StorageFullError
from sessions.store import DATABASE_NAME, open_store
from tests.sessions.scene import OWNER, Scene
from tests.torture.victim import assert_sound, run_in_child


def _fill(folder: Path, room_bytes: int) -> None:
    """Work until no file may grow any more, write down what was acknowledged, then go on with room again."""
    with open_store(folder / "data") as store:
        scene = Scene(store)
        context = scene.context()
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        # What a full disk does to a write, for every file that is larger: those of sounds, and SQLite's.
        log_bytes = (folder / "data" / f"{DATABASE_NAME}-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (log_bytes + room_bytes, unlimited[1]))
        told: list[str] = []
        num_refused = 0
        for number in range(60):
            try:
                turn = scene.turn(context, (number,))
                stem = scene.finish(turn.variations[0], bytes([number]) * (20_000 * number + 1))
                store.finish_turn(OWNER, turn.id)
                store.pick_variation(OWNER, stem.id)
                told.append(stem.id)
            except (StorageFullError, DatabaseError) as error:
                num_refused += 1
                if "full" not in str(error) and "disk I/O" not in str(error):
                    raise
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        assert num_refused > 0
        for variation_id in told:
            assert store.variation(OWNER, variation_id).audio is not None
        assert_sound(store)
        assert scene.stem(context).audio is not None  # there is room again
    (folder / "told").write_text("\n".join(told))


def _look_at(folder: Path) -> int:
    with open_store(folder / "data") as store:
        assert_sound(store)
        assert not list((folder / "data" / "audio").glob(".writing-*"))
        told = (folder / "told").read_text().split()
        for variation_id in told:
            assert store.variation(OWNER, variation_id).picked_node_id is not None
    return len(told)


def _run_full(tmp_path: Path, room_bytes: int) -> int:
    folder = tmp_path / f"{room_bytes}"
    folder.mkdir()
    assert run_in_child(lambda: _fill(folder, room_bytes)) == 0
    return _look_at(folder)


@pytest.mark.parametrize("room_bytes", [1_000, 300_000])
def test_full_disk_loses_nothing_acknowledged(tmp_path: Path, room_bytes: int) -> None:
    _run_full(tmp_path, room_bytes)


@pytest.mark.torture
def test_disk_full_at_twenty_points_loses_nothing_acknowledged(tmp_path: Path, tell: Callable[[str], None]) -> None:
    began_s = time.monotonic()
    kept = [_run_full(tmp_path, 1_000 + 60_000 * point) for point in range(20)]

    tell(f"kept at each point: {kept}, {time.monotonic() - began_s:.0f} s")
    assert kept[-1] > kept[0]  # later points were later
