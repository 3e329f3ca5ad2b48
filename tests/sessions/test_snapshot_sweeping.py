"""What a snapshot keeps, and what it lets go."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sessions.errors import SnapshotError
from sessions.home import DataHome
from sessions.snapshot import SWEEP_GRACE_S, SnapshotFolder
from sessions.store import SessionStore, open_home
from tests.sessions.scene import OWNER, Scene, on_sqlite_only

pytestmark = on_sqlite_only
DAY_S = 86_400


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    return tmp_path / "copies"


@pytest.fixture
def save_at(store: SessionStore, copies: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what makes a copy at some moment, days after a noon in 2027."""

    def save(days: float) -> None:
        at_s = 1_800_014_400 + days * DAY_S
        with monkeypatch.context() as patch:
            patch.setattr(time, "time_ns", lambda: int(at_s * 1e9))
            SnapshotFolder(str(copies)).save(store.database, store.blobs)

    return save


def _days(copies: Path) -> list[float]:
    found = sorted(int(path.stem) for path in (copies / "databases").glob("*.sqlite"))
    return [round((ms / 1000 - 1_800_014_400) / DAY_S, 1) for ms in found]


def _sounds(copies: Path) -> set[str]:
    return {path.stem for path in (copies / "audio").rglob("*.flac")}


def _age(copies: Path, seconds: float) -> None:
    for path in (copies / "audio").rglob("*.flac"):
        os.utime(path, (time.time() - seconds, time.time() - seconds))


def test_last_five_databases_and_the_last_of_each_of_seven_days_are_kept(
    scene: Scene, copies: Path, save_at: Callable[[float], None]
) -> None:
    scene.context()
    for days in (0, 1, 1.1, 2, 3, 3.1, 4, 5, 6, 7, 8, 9, 9.1, 9.2, 9.3, 9.4):
        save_at(days)

    assert _days(copies) == [3.1, 4, 5, 6, 7, 8, 9, 9.1, 9.2, 9.3, 9.4]
    assert len(list((copies / "databases").glob("*.sounds.json"))) == 11


def test_sound_that_no_kept_database_names_goes_after_the_grace_and_no_other(
    store: SessionStore, scene: Scene, copies: Path, save_at: Callable[[float], None]
) -> None:
    gone, kept = scene.context(), scene.stem(scene.context())
    save_at(0)
    named = {node.audio.sha256 for node in store.tree(OWNER, kept.session_id) if node.audio}
    extra = store.blobs.add_bytes(b"only in the first copies")
    store.delete_session(OWNER, gone.session_id)
    orphaned = scene.turn(kept, (1,)).variations[0]
    scene.finish(orphaned, b"only in the first copies")
    save_at(0.1)
    store.delete_session(OWNER, kept.session_id)
    store.erase_trash(older_than_s=-60)
    place = SnapshotFolder(str(copies))
    _age(copies, SWEEP_GRACE_S + 60)

    assert place.sweep() == 0  # the databases of day 0 name them
    for days in (9, 9.1, 9.2, 9.3, 9.4):
        save_at(days)
    _age(copies, SWEEP_GRACE_S - 600)
    assert place.sweep() == 0  # the grace
    _age(copies, SWEEP_GRACE_S + 60)
    assert _sounds(copies) == named | {extra}
    assert place.sweep() == len(named) + 1

    assert _sounds(copies) == set()


def test_sound_that_comes_back_is_sent_again_by_whoever_did_not_sweep(
    store: SessionStore, scene: Scene, copies: Path, save_at: Callable[[float], None], tmp_path: Path
) -> None:
    server, operator = SnapshotFolder(str(copies)), SnapshotFolder(str(copies))
    context = scene.context()
    server.save(store.database, store.blobs)
    store.delete_session(OWNER, context.session_id)
    store.erase_trash(older_than_s=-60)
    for path in (copies / "databases").iterdir():
        path.unlink()
    operator.save(store.database, store.blobs)
    assert operator.sweep(grace_s=-1) == 1
    back = scene.context()  # the same sound

    assert server.save(store.database, store.blobs).missing == ()

    assert back.audio is not None
    assert _sounds(copies) == {back.audio.sha256}
    server.restore(DataHome(tmp_path / "new"))
    with open_home(DataHome(tmp_path / "new")) as restored:
        assert restored.blobs.path(back.audio.sha256).is_file()


def test_databases_of_earlier_versions_are_read_for_what_they_name(
    store: SessionStore, scene: Scene, copies: Path, save_at: Callable[[float], None]
) -> None:
    context = scene.context()
    save_at(0)
    for path in (copies / "databases").glob("*.sounds.json"):
        path.unlink()

    assert SnapshotFolder(str(copies)).sweep(grace_s=-1) == 0

    assert context.audio is not None
    assert _sounds(copies) == {context.audio.sha256}


def test_snapshot_whose_lists_are_damaged_loses_nothing(
    scene: Scene, copies: Path, save_at: Callable[[float], None]
) -> None:
    scene.context()
    save_at(0)
    before = _sounds(copies)
    (listing,) = (copies / "databases").glob("*.sounds.json")
    for damage in ("[1", '{"a": 1}', json.dumps([1])):
        listing.write_text(damage)

        with pytest.raises(SnapshotError, match="no list of sounds"):
            SnapshotFolder(str(copies)).sweep(grace_s=-1)

    assert _sounds(copies) == before
