"""Copies of everything: whole, made while others write, and brought back."""

import json
import os
import sqlite3
import threading
from pathlib import Path

import fsspec
import pytest

from sessions import postgres_database
from sessions.errors import DataFolderBusyError, PlaceError, SnapshotError
from sessions.home import DataHome
from sessions.local_blobs import LocalBlobs
from sessions.place import Place
from sessions.snapshot import SnapshotFolder
from sessions.store import AUDIO_FOLDER, DATABASE_NAME, SessionStore, open_store
from sessions.tree import Node, SessionInfo, Turn
from tests.sessions.scene import OWNER, Scene, on_sqlite_only


def _restore(place: SnapshotFolder, folder: Path) -> None:
    place.restore(DataHome(folder))


def _everything(store: SessionStore) -> list[tuple[SessionInfo, tuple[Node, ...], tuple[Turn, ...]]]:
    infos = store.sessions(OWNER)
    return [(info, store.tree(OWNER, info.id), store.turns(OWNER, info.id)) for info in infos]


@pytest.fixture(params=["folder", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where copies go: a folder, and a place that is none."""
    return str(tmp_path / "copies") if request.param == "folder" else f"memory://{tmp_path.name}/copies"


def test_copy_brought_back_is_what_was_copied(store: SessionStore, scene: Scene, tmp_path: Path, address: str) -> None:
    stem = scene.stem(scene.context())
    (tmp_path / "browser.secret").write_text("secret")
    before = _everything(store)

    info = SnapshotFolder(address).save(store.database, store.blobs, (tmp_path / "browser.secret", tmp_path / "none"))
    store.rename_session(OWNER, stem.session_id, "later")
    _restore(SnapshotFolder(address), tmp_path / "new")

    assert (info.num_sounds, info.missing) == (2, ())
    assert (tmp_path / "new" / "browser.secret").read_text() == "secret"
    assert (tmp_path / "new" / "browser.secret").stat().st_mode & 0o777 == 0o600
    with open_store(tmp_path / "new") as restored:
        assert _everything(restored) == before
        for _, nodes, _ in before:
            for node in nodes:
                assert node.audio is not None
                assert restored.blobs.path(node.audio.sha256).read_bytes()


def test_each_copy_takes_only_new_sounds_along_and_the_last_one_counts(
    store: SessionStore, scene: Scene, tmp_path: Path
) -> None:
    place = SnapshotFolder(str(tmp_path / "copies"))
    context = scene.context()
    place.save(store.database, store.blobs)
    (first,) = (tmp_path / "copies" / "audio").rglob("*.flac")
    written = first.stat().st_mtime_ns
    for number in range(7):
        store.rename_node(OWNER, context.id, f"name {number}")
        place.save(store.database, store.blobs)

    assert first.stat().st_mtime_ns == written
    assert len(list((tmp_path / "copies" / "databases").glob("*.sqlite"))) == 5
    _restore(SnapshotFolder(str(tmp_path / "copies")), tmp_path / "new")
    with open_store(tmp_path / "new") as restored:
        assert restored.node(OWNER, context.id).name == "name 6"


def test_missing_sound_is_named_and_keeps_nothing_else_back(store: SessionStore, scene: Scene, tmp_path: Path) -> None:
    stem = scene.stem(scene.context())
    assert stem.audio is not None
    store.blobs.path(stem.audio.sha256).unlink()
    place = SnapshotFolder(str(tmp_path / "copies"))

    assert place.save(store.database, store.blobs).missing == (stem.audio.sha256,)

    _restore(place, tmp_path / "new")
    with open_store(tmp_path / "new") as restored:
        assert len(restored.tree(OWNER, stem.session_id)) == 2


def test_home_with_sessions_is_never_overwritten(
    store: SessionStore, scene: Scene, home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_database, "PATIENCE_S", 0.2)
    scene.context()
    place = SnapshotFolder(str(tmp_path / "copies"))
    place.save(store.database, store.blobs)

    with pytest.raises(DataFolderBusyError):
        place.restore(home)
    store.close()
    with pytest.raises(SnapshotError, match=r"There are sessions at .* already"):
        place.restore(home)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda copies: (copies / "latest.json").unlink(), "There is no snapshot at"),
        (lambda copies: (copies / "latest.json").write_text("{}"), "is no snapshot of StemGen"),
        (lambda copies: (copies / "latest.json").write_text("[1"), "is no snapshot of StemGen"),
        (lambda copies: next((copies / "databases").glob("*.sqlite")).write_bytes(b"x"), "its database has changed"),
        (lambda copies: next((copies / "databases").glob("*.sqlite")).unlink(), "can't be read"),
        (lambda copies: next((copies / "audio").rglob("*.flac")).write_bytes(b"x"), "is damaged: the sound"),
        (lambda copies: next((copies / "audio").rglob("*.flac")).unlink(), "can't be read"),
    ],
)
@on_sqlite_only
def test_damaged_copy_is_refused_and_the_folder_stays_without_sessions(
    store: SessionStore, scene: Scene, tmp_path: Path, damage: object, message: str
) -> None:
    scene.context()
    SnapshotFolder(str(tmp_path / "copies")).save(store.database, store.blobs)
    damage(tmp_path / "copies")  # type: ignore[operator]

    with pytest.raises(SnapshotError, match=message):
        _restore(SnapshotFolder(str(tmp_path / "copies")), tmp_path / "new")

    assert not (tmp_path / "new" / DATABASE_NAME).exists()


@on_sqlite_only
def test_snapshot_that_names_paths_is_refused(store: SessionStore, scene: Scene, tmp_path: Path) -> None:
    scene.context()
    place = SnapshotFolder(str(tmp_path / "copies"))
    place.save(store.database, store.blobs)
    latest = tmp_path / "copies" / "latest.json"
    latest.write_text(json.dumps(json.loads(latest.read_text()) | {"files": ["../../evil"]}))

    with pytest.raises(SnapshotError, match="is no snapshot"):
        _restore(place, tmp_path / "new")


@on_sqlite_only
def test_restoring_that_was_cut_short_is_begun_again(
    store: SessionStore, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stem = scene.stem(scene.context())
    place = SnapshotFolder(str(tmp_path / "copies"))
    place.save(store.database, store.blobs)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            _restore(place, tmp_path / "new")
    assert not (tmp_path / "new" / DATABASE_NAME).exists()

    _restore(place, tmp_path / "new")

    with open_store(tmp_path / "new") as restored:
        assert restored.node(OWNER, stem.id) == stem


@pytest.mark.parametrize("lost", ["audio/", ".sqlite", ".sounds.json"])
def test_copy_that_was_cut_short_is_never_the_newest(
    store: SessionStore, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    whole = scene.stem(scene.context())
    place = SnapshotFolder(str(tmp_path / "copies"))
    first = place.save(store.database, store.blobs)
    scene.stem(scene.context(), "piano")
    put = Place.put

    def put_but_for_one(self: Place, source: Path, name: str) -> None:
        if lost in name:
            raise PlaceError("it is gone")
        put(self, source, name)

    monkeypatch.setattr(Place, "put", put_but_for_one)
    with pytest.raises(SnapshotError, match="it is gone"):
        place.save(store.database, store.blobs)

    assert place.latest() == first
    _restore(place, tmp_path / "new")
    with open_store(tmp_path / "new") as restored:
        assert restored.node(OWNER, whole.id) == whole


@on_sqlite_only
def test_place_that_cannot_be_written_is_said_in_words(store: SessionStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SnapshotError, match="could not be written to"):
        SnapshotFolder(str(tmp_path / "file" / "copies")).save(store.database, store.blobs)


@pytest.mark.parametrize("address", ["nosuchthing://x/y", "zip://x::nosuchthing://y"])
def test_address_that_nobody_knows_is_said_in_words(address: str) -> None:
    with pytest.raises(SnapshotError, match="Snapshots can't go there"):
        SnapshotFolder(address)


def _copy_and_compare_while_writing(folder: Path, num_rounds: int) -> None:
    """Copy while threads write; every copy brought back is byte-equal to what was copied, and whole."""
    with open_store(folder / "data") as store:
        scene = Scene(store)
        context = scene.context()
        stop = threading.Event()

        def write(number: int) -> None:
            at = 0
            while not stop.is_set():
                turn = scene.turn(context, (number,))
                scene.finish(turn.variations[0], f"{number} {at}".encode())
                store.pick_variation(OWNER, turn.variations[0].id)
                at += 1

        writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for writer in writers:
            writer.start()
        try:
            place = SnapshotFolder(str(folder / "copies"))
            for number in range(num_rounds):
                info = place.save(store.database, store.blobs)
                target = folder / f"restored-{number}"
                _restore(place, target)
                copied = (folder / "copies" / info.database).read_bytes()
                assert (target / DATABASE_NAME).read_bytes() == copied
                assert info.missing == ()
                _assert_whole(target)
        finally:
            stop.set()
            for writer in writers:
                writer.join()


def _assert_whole(folder: Path) -> None:
    blobs = LocalBlobs(folder / AUDIO_FOLDER)
    connection = sqlite3.connect(folder / DATABASE_NAME)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    names = connection.execute("SELECT audio_sha256 FROM node UNION SELECT audio_sha256 FROM variation").fetchall()
    connection.close()
    for (sha256,) in names:
        assert sha256 is None or blobs.path(sha256)


def test_copies_made_while_others_write_come_back_byte_equal(tmp_path: Path) -> None:
    _copy_and_compare_while_writing(tmp_path, 3)


@pytest.mark.torture
def test_fifty_copies_made_while_others_write_come_back_byte_equal(tmp_path: Path) -> None:
    _copy_and_compare_while_writing(tmp_path, 50)


def test_memory_place_is_another_than_the_disk() -> None:
    # Guards the parameter above: were it a folder after all, half of these tests would prove nothing.
    assert not os.path.exists(fsspec.core.url_to_fs("memory://x/y")[1])
