"""Snapshots by the clock and at the end, the start from one, and what operators do by hand."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.commands.main import main
from app.errors import SettingsError
from app.orders import StemOrder
from app.settings import REPOSITORY, Settings
from app.upkeep import Upkeep, restore_if_empty
from app.worker import GenerationWorker
from sessions.errors import DatabaseError, DiskError, SessionError, StorageFullError
from sessions.home import DataHome
from sessions.snapshot import SnapshotFolder
from tests.app.conftest import OpenStudio
from tests.app.waiting import OWNER, finished, wait_for

ROOT = Path(__file__).parents[2]


def test_snapshot_is_made_while_anything_changes_and_once_more_at_the_end(
    open_studio: OpenStudio, tmp_path: Path
) -> None:
    place = SnapshotFolder(str(tmp_path / "copies"))
    with open_studio() as studio:
        upkeep = Upkeep(studio.store, snapshots=place, interval_s=0.05)
        node = studio.start_from_example(OWNER, "loop")
        wait_for(lambda: (info := place.latest()) is not None and info.num_sounds == 1)
        turn = studio.request_stem(OWNER, node.id, StemOrder("bass", 1, "fast", 7))
        finished(studio, turn.id)
        upkeep.close()
        last = place.latest()
        assert last is not None
        assert studio.store.num_writes == upkeep._num_writes_copied

    assert restore_if_empty(DataHome(tmp_path / "new"), place)
    assert not restore_if_empty(DataHome(tmp_path / "new"), place)  # what is there wins


def test_nothing_new_makes_no_new_snapshot(open_studio: OpenStudio, tmp_path: Path) -> None:
    place = SnapshotFolder(str(tmp_path / "copies"))
    with open_studio() as studio:
        studio.start_from_example(OWNER, "loop")
        upkeep = Upkeep(studio.store, snapshots=place, interval_s=60)
        upkeep._copy()
        first = place.latest()
        upkeep.close()

    assert place.latest() == first


def test_first_start_without_a_snapshot_begins_empty(tmp_path: Path) -> None:
    assert not restore_if_empty(DataHome(tmp_path / "new"), SnapshotFolder(str(tmp_path / "none")))


def test_place_that_fails_keeps_the_studio_going(
    open_studio: OpenStudio, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    with open_studio() as studio:
        upkeep = Upkeep(studio.store, snapshots=SnapshotFolder(str(tmp_path / "file" / "x")), interval_s=60)
        upkeep._copy()
        upkeep.close()
        assert studio.start_from_example(OWNER, "loop").id

    assert "No snapshot was made" in caplog.text


def test_address_that_does_not_answer_does_not_keep_the_server_from_ending(
    open_studio: OpenStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = threading.Event()
    place = SnapshotFolder(str(tmp_path / "copies"))
    monkeypatch.setattr(place._place, "put", lambda *_: answers.wait(60))
    with open_studio() as studio:
        node = studio.start_from_example(OWNER, "loop")
        upkeep = Upkeep(studio.store, snapshots=place, interval_s=60)

        began_s = time.monotonic()
        upkeep.close(patience_s=0.2)
        took_s = time.monotonic() - began_s

        assert "The last snapshot was not finished within 0 s" in caplog.text
        assert took_s < 30
        answers.set()
        upkeep._thread.join(60)
    with open_studio() as studio:
        assert studio.store.node(OWNER, node.id).id == node.id


def test_copy_that_breaks_in_a_way_nobody_thought_of_is_not_the_last_one(
    open_studio: OpenStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = SnapshotFolder(str(tmp_path / "copies"))
    with open_studio() as studio:
        with monkeypatch.context() as broken:
            broken.setattr(place, "save", lambda *_: (_ for _ in ()).throw(RuntimeError("never seen before")))
            upkeep = Upkeep(studio.store, snapshots=place, interval_s=0.05)
            wait_for(lambda: "never seen before" in caplog.text)
        wait_for(place.latest)
        upkeep.close()


def test_sweeping_that_breaks_in_a_way_nobody_thought_of_does_not_end_the_snapshots(
    open_studio: OpenStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_: object, **__: float) -> tuple[int, int]:
        raise RuntimeError("never seen before")

    place = SnapshotFolder(str(tmp_path / "copies"))
    with open_studio() as studio:
        monkeypatch.setattr(type(studio.store), "sweep_orphans", break_down)
        upkeep = Upkeep(studio.store, snapshots=place, interval_s=0.05)
        studio.start_from_example(OWNER, "loop")
        wait_for(lambda: (info := place.latest()) is not None and info.num_sounds == 1)
        upkeep.close()

    assert "Unused files could not be swept" in caplog.text


def test_operator_backs_up_while_the_server_runs_and_restores(
    open_studio: OpenStudio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, copies, new = (str(tmp_path / name) for name in ("data", "copies", "new"))
    with open_studio() as studio:
        studio.start_from_example(OWNER, "loop")
        assert main(["sessions", "--data", data, "backup", copies]) == 0
        assert main(["sessions", "--data", data, "check"]) == 0
        assert main(["sessions", "--data", data, "gc"]) == 1  # somebody is at work
    assert main(["sessions", "--data", new, "restore", copies]) == 0
    assert main(["sessions", "--data", new, "check"]) == 0
    assert main(["sessions", "--data", new, "gc", "--trash-days", "0"]) == 0
    assert main(["sessions", "--data", new, "restore", copies]) == 1

    said = capsys.readouterr()
    assert said.out.count("1 sessions, 1 sounds\n") == 2
    assert said.out.count("all is well\n") == 2
    assert "0 unused files removed" in said.out
    assert "in use by another StemGen server" in said.err
    assert "There are sessions at" in said.err


def test_operator_does_the_same_with_rows_in_postgres_and_sounds_at_an_address(
    open_studio: OpenStudio,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    postgres_url: str,
    empty_postgres_url: str,
) -> None:
    copies, packed = str(tmp_path / "copies"), str(tmp_path / "x.zip")
    sounds = f"memory://{tmp_path.name}"
    monkeypatch.setenv("STEMGEN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("STEMGEN_DATABASE_URL", postgres_url)
    monkeypatch.setenv("STEMGEN_BLOB_URL", f"{sounds}/old")
    with open_studio(home=Settings.from_environment().home) as studio:
        node = studio.start_from_example(OWNER, "loop")
        for command in (["list"], ["export", node.session_id[:8], packed], ["backup", copies], ["check"]):
            assert main(["sessions", *command]) == 0, command
        assert main(["sessions", "gc"]) == 1  # somebody is at work
    monkeypatch.setenv("STEMGEN_DATA", str(tmp_path / "new"))
    monkeypatch.setenv("STEMGEN_DATABASE_URL", empty_postgres_url)
    monkeypatch.setenv("STEMGEN_BLOB_URL", f"{sounds}/new")
    for command in (["restore", copies], ["import", packed], ["check"], ["gc", "--trash-days", "0"]):
        assert main(["sessions", *command]) == 0, command
    assert main(["sessions", "restore", copies]) == 1

    said = capsys.readouterr()
    assert "1 sessions, 1 sounds\n" in said.out
    assert "2 sessions, 1 sounds\n" in said.out
    assert "in use by another StemGen server" in said.err
    assert "There are sessions at" in said.err
    assert not list(tmp_path.rglob("*.sqlite-wal"))


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("STEMGEN_DATABASE_URL", "postgresql://h/x", "home", DataHome(REPOSITORY / "data", "postgresql://h/x")),
        ("STEMGEN_BLOB_URL", "s3://bucket/x", "home", DataHome(REPOSITORY / "data", blob_url="s3://bucket/x")),
        ("STEMGEN_MAX_SESSION_MB", "7", "max_session_mb", 7),
        ("STEMGEN_MAX_TOTAL_MB", "7", "max_total_mb", 7),
        ("STEMGEN_MAX_TOTAL_MB", "", "max_total_mb", None),
        ("STEMGEN_SNAPSHOT_URL", "s3://bucket/x", "snapshot_url", "s3://bucket/x"),
        ("STEMGEN_SNAPSHOT_INTERVAL_S", "9", "snapshot_interval_s", 9),
    ],
)
def test_settings_are_read(name: str, value: str, field: str, expected: object) -> None:
    assert getattr(Settings.from_environment({name: value}), field) == expected


@pytest.mark.parametrize("name", ["STEMGEN_MAX_SESSION_MB", "STEMGEN_MAX_TOTAL_MB", "STEMGEN_SNAPSHOT_INTERVAL_S"])
def test_settings_out_of_range_are_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: "0"})


# ---- a full disk ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [StorageFullError, DiskError])
def test_full_disk_fails_the_turn_in_words_and_the_next_one_works(
    open_studio: OpenStudio, monkeypatch: pytest.MonkeyPatch, kind: type[SessionError]
) -> None:
    with open_studio() as studio:
        node = studio.start_from_example(OWNER, "loop")
        with monkeypatch.context() as full:

            def no_room(_: object) -> str:
                raise kind("The disk of the studio's server is full.")

            full.setattr(studio.sounds.blobs, "add", no_room)
            turn = studio.request_stem(OWNER, node.id, StemOrder("bass", 2, "fast", 7))
            broken = finished(studio, turn.id)

        assert (broken.state, broken.error) == ("failed", "The disk of the studio's server is full.")
        assert finished(studio, studio.retry_turn(OWNER, turn.id).id).state == "done"


def test_failure_that_could_not_be_written_down_is_written_later(
    open_studio: OpenStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.worker._SAY_AGAIN_S", 0.05)
    with open_studio() as studio:
        node = studio.start_from_example(OWNER, "loop")
        refused: list[str] = []
        fail_turn = studio.store.fail_turn

        def refuse_twice(owner: str, turn_id: str, error: str) -> object:
            if len(refused) < 2:
                refused.append(turn_id)
                raise DatabaseError("disk I/O error")
            return fail_turn(owner, turn_id, error)

        monkeypatch.setattr(studio.store, "fail_turn", refuse_twice)
        monkeypatch.setattr(studio.store, "start_variation", lambda *_: (_ for _ in ()).throw(RuntimeError("broken")))
        turn = studio.request_stem(OWNER, node.id, StemOrder("bass", 1, "fast", 7))

        assert finished(studio, turn.id).state == "failed"
        assert refused == [turn.id] * 2
        assert isinstance(studio.worker, GenerationWorker)


# ---- the whole server ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_server_told_to_stop_makes_a_snapshot_and_a_new_machine_begins_with_it(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PORT": "17861",
        "STEMGEN_DATA": str(tmp_path / "data"),
        "STEMGEN_SNAPSHOT_URL": str(tmp_path / "copies"),
        "STEMGEN_SNAPSHOT_INTERVAL_S": "86400",
    }
    command = [sys.executable, "-m", "app"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        wait_for(lambda: (tmp_path / "data" / "browser.secret").exists(), 240)
        wait_for(lambda: _answers(17861), 240)
        server.send_signal(signal.SIGTERM)
        assert server.wait(120) == 0
    secret = (tmp_path / "data" / "browser.secret").read_text()

    assert restore_if_empty(DataHome(tmp_path / "new"), SnapshotFolder(str(tmp_path / "copies")))

    assert (tmp_path / "new" / "browser.secret").read_text() == secret


def _answers(port: int) -> bool:
    import socket

    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
