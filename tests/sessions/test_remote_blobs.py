"""Sounds at an address: the same store to whoever uses it, and what is only so when files lie elsewhere."""

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from sessions import remote_blobs
from sessions.archive import write_archive
from sessions.blobs import BlobState, BlobStore
from sessions.check import check_sounds
from sessions.errors import AudioNotFoundError, PlaceError, StorageFullError
from sessions.home import CACHE_FOLDER, DataHome
from sessions.local_blobs import LocalBlobs
from sessions.place import Place
from sessions.remote_blobs import RemoteBlobs
from sessions.snapshot import SnapshotFolder
from sessions.store import SessionStore, open_home, open_store
from tests.sessions.scene import OWNER, Scene

HASH = hashlib.sha256(b"sound").hexdigest()
NAME = f"{HASH[:2]}/{HASH}.flac"


@pytest.fixture
def address() -> Iterator[str]:
    address = f"memory://{secrets.token_hex(4)}/sounds"
    yield address
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def place(address: str) -> Place:
    return Place(address)


@pytest.fixture
def blobs(place: Place, tmp_path: Path) -> RemoteBlobs:
    return RemoteBlobs(place, tmp_path / "cache")


@pytest.fixture
def home(tmp_path: Path, address: str) -> DataHome:
    return DataHome(tmp_path / "data", blob_url=address)


@pytest.fixture
def store(home: DataHome) -> Iterator[SessionStore]:
    with open_home(home) as store:
        yield store


@pytest.fixture(params=["local", "remote"])
def open_any(request: pytest.FixtureRequest, place: Place, tmp_path: Path) -> Callable[..., BlobStore]:
    """Return what opens one and the same store again and again, of either kind."""
    if request.param == "local":
        return lambda **options: LocalBlobs(tmp_path / "audio", **options)
    return lambda **options: RemoteBlobs(place, tmp_path / "cache", **options)


def _put(place: Place, content: bytes, tmp_path: Path, name: str = NAME) -> None:
    (tmp_path / "source").write_bytes(content)
    place.put(tmp_path / "source", name)


def test_file_is_found_under_its_hash_by_this_store_and_a_later_one(open_any: Callable[..., BlobStore]) -> None:
    sha256 = open_any().add_bytes(b"sound")

    for blobs in (open_any(), open_any()):
        assert sha256 == HASH
        assert (blobs.has(sha256), blobs.state(sha256), blobs.verify(sha256)) == (True, "present", "present")
        assert blobs.path(sha256).read_bytes() == b"sound"
        assert (blobs.num_bytes(sha256), blobs.total_bytes()) == (5, 5)
        (entry,) = blobs.entries()
        assert (entry.sha256, entry.num_bytes) == (sha256, 5)
        assert abs(entry.modified_s - time.time()) < 600


def test_removed_file_is_gone_and_removing_it_again_is_no_error(open_any: Callable[..., BlobStore]) -> None:
    blobs = open_any()
    sha256, other = blobs.add_bytes(b"sound"), blobs.add_bytes(b"other")

    blobs.remove(sha256)
    blobs.remove(sha256)

    assert (blobs.has(sha256), blobs.state(sha256), blobs.verify(sha256)) == (False, "missing", "missing")
    assert (blobs.num_bytes(sha256), blobs.total_bytes()) == (0, 5)
    assert [entry.sha256 for entry in open_any().entries()] == [other]
    with pytest.raises(AudioNotFoundError, match="not stored here"):
        blobs.path(sha256)


def test_file_stored_since_a_moment_is_not_removed_and_an_older_one_is(open_any: Callable[..., BlobStore]) -> None:
    blobs = open_any()
    sha256 = blobs.add_bytes(b"sound")

    assert not blobs.remove(sha256, stored_before_s=time.time() - 600)
    assert blobs.path(sha256).read_bytes() == b"sound"
    assert (blobs.total_bytes(), blobs.verify(sha256)) == (5, "present")

    assert blobs.remove(sha256, stored_before_s=time.time() + 600)
    assert blobs.remove(sha256, stored_before_s=time.time() + 600)  # one that isn't there is no error
    assert not blobs.has(sha256)


def test_file_sent_again_while_it_is_removed_is_there_in_the_end(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = RemoteBlobs(place, tmp_path / "cache")
    sha256 = blobs.add_bytes(b"sound")
    sending = threading.Thread(target=blobs.add_bytes, args=(b"sound",))

    def old(_: str) -> float:
        sending.start()
        sending.join(0.3)
        return 0.0

    monkeypatch.setattr(place, "modified_s", old)

    assert blobs.remove(sha256, stored_before_s=time.time() - 600)

    sending.join()
    assert blobs.verify(sha256) == "present"
    assert blobs.path(sha256).read_bytes() == b"sound"


def test_copy_that_is_about_to_be_sent_outlasts_the_removal_of_what_was_there_before(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = RemoteBlobs(place, tmp_path / "cache")
    sha256 = blobs.add_bytes(b"sound")
    monkeypatch.setattr(place, "modified_s", lambda _: 0.0)

    assert blobs.remove(sha256, stored_before_s=time.time() - 600)

    assert (tmp_path / "cache" / sha256[:2] / f"{sha256}.flac").read_bytes() == b"sound"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "0" * 63, "A" * 64, "0" * 64, "0" * 64 + "\n"])
def test_what_is_no_stored_hash_is_not_found(open_any: Callable[..., BlobStore], name: str) -> None:
    blobs = open_any()

    assert (blobs.has(name), blobs.state(name), blobs.verify(name)) == (False, "missing", "missing")
    with pytest.raises(AudioNotFoundError, match="not stored here"):
        blobs.path(name)


def test_store_of_either_kind_holds_no_more_than_it_may(open_any: Callable[..., BlobStore]) -> None:
    blobs = open_any(max_total_bytes=10)
    sha256 = blobs.add_bytes(b"12345678")

    with pytest.raises(StorageFullError, match="storage is full"):
        blobs.add_bytes(b"abc")

    assert [entry.sha256 for entry in open_any().entries()] == [sha256]
    assert blobs.add_bytes(b"12345678") == sha256  # the same once more takes no room
    blobs.remove(sha256)
    assert blobs.has(blobs.add_bytes(b"abc"))


def test_writer_that_fails_halfway_leaves_nothing(open_any: Callable[..., BlobStore]) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        open_any().add(write)

    assert list(open_any().entries()) == []


def test_file_of_the_address_is_fetched_once(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _put(place, b"sound", tmp_path)
    fetched: list[str] = []
    get = Place.get
    monkeypatch.setattr(Place, "get", lambda self, name, target: fetched.append(name) or get(self, name, target))
    blobs = RemoteBlobs(place, tmp_path / "cache")

    paths = {blobs.path(HASH), blobs.path(HASH)}

    assert [path.read_bytes() for path in paths] == [b"sound"]
    assert fetched == [NAME]


def test_file_that_rots_at_the_address_is_damaged_and_never_given_out(place: Place, tmp_path: Path) -> None:
    _put(place, b"rotten", tmp_path)
    blobs = RemoteBlobs(place, tmp_path / "cache")

    assert blobs.verify(HASH) is BlobState.DAMAGED
    again = RemoteBlobs(place, tmp_path / "cache")
    for _ in range(2):
        with pytest.raises(AudioNotFoundError, match="is damaged"):
            again.path(HASH)
    assert again.state(HASH) is BlobState.DAMAGED

    again.add_bytes(b"sound")
    assert again.path(HASH).read_bytes() == b"sound"
    assert again.verify(HASH) is BlobState.PRESENT  # stored again is mended


def test_sound_that_was_cut_on_the_way_is_not_taken_for_damaged(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(place, b"sound", tmp_path)
    blobs = RemoteBlobs(place, tmp_path / "cache")

    with monkeypatch.context() as patch:
        patch.setattr(Place, "get", lambda *arguments: arguments[-1].write_bytes(b"sou"))
        with pytest.raises(PlaceError, match="did not come whole"):
            blobs.path(HASH)

    assert blobs.path(HASH).read_bytes() == b"sound"


def test_check_reads_the_address_and_not_the_copy_here(blobs: RemoteBlobs, place: Place, tmp_path: Path) -> None:
    blobs.add_bytes(b"sound")
    _put(place, b"rotten", tmp_path)

    assert blobs.verify(HASH) is BlobState.DAMAGED


def test_file_that_goes_away_behind_the_store_is_missing_once_somebody_wants_it(place: Place, tmp_path: Path) -> None:
    _put(place, b"sound", tmp_path)
    blobs = RemoteBlobs(place, tmp_path / "cache")
    assert blobs.has(HASH)
    place.remove(NAME)

    with pytest.raises(AudioNotFoundError, match="not stored here"):
        blobs.path(HASH)
    assert (blobs.state(HASH), blobs.total_bytes()) == (BlobState.MISSING, 0)


def test_other_files_at_the_address_are_left_alone_and_not_counted(place: Place, tmp_path: Path) -> None:
    _put(place, b"mine", tmp_path, "readme.txt")
    _put(place, b"mine", tmp_path, f"xx/{HASH}.flac")
    blobs = RemoteBlobs(place, tmp_path / "cache")

    assert (list(blobs.entries()), blobs.total_bytes(), blobs.has(HASH)) == ([], 0, False)


def test_what_a_crash_left_half_sent_is_removed_at_the_next_start(home: DataHome, place: Place, tmp_path: Path) -> None:
    _put(place, b"half", tmp_path, "writing/0123")

    open_home(home).close()

    assert place.sizes("") == {}


def test_copies_here_stay_within_their_limit_but_for_those_in_use(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = RemoteBlobs(place, tmp_path / "cache", max_cache_bytes=10)
    hashes = [blobs.add_bytes(bytes([number]) * 4) for number in range(4)]
    assert len(list((tmp_path / "cache").rglob("*.flac"))) == 4  # somebody may be reading
    monkeypatch.setattr(remote_blobs, "_SPARED_S", -1.0)
    blobs.path(hashes[0])

    hashes.append(blobs.add_bytes(b"last"))

    kept = {path.stem for path in (tmp_path / "cache").rglob("*.flac")}
    assert kept == {hashes[0], hashes[-1]}  # used last
    assert [blobs.path(sha256).stat().st_size for sha256 in hashes] == [4] * 5  # the address has them all


def test_row_never_names_a_sound_that_could_not_be_sent(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch, home: DataHome
) -> None:
    scene = Scene(store)
    context = scene.context()

    def refuse(*_: object) -> None:
        raise PlaceError("the address can't be written")

    turn = scene.turn(context, (1,))
    with monkeypatch.context() as patch:
        patch.setattr(Place, "put", refuse)
        with pytest.raises(PlaceError, match="can't be written"):
            scene.finish(turn.variations[0], b"lost")
    assert not store.blobs.has(hashlib.sha256(b"lost").hexdigest())
    assert list(check_sounds(store.database, store.blobs)) == []

    assert scene.finish(turn.variations[0], b"lost").audio is not None  # later it can
    assert list(check_sounds(store.database, home.open_blobs())) == []


def test_store_sweeps_exports_copies_and_comes_back(
    store: SessionStore, home: DataHome, place: Place, tmp_path: Path
) -> None:
    scene = Scene(store)
    stem = scene.stem(scene.context())
    orphan = store.blobs.add_bytes(b"orphan")
    assert store.sweep_orphans() == (0, 0)  # young
    assert store.sweep_orphans(grace_s=-1) == (1, 6)
    assert not store.blobs.has(orphan)
    assert len(place.sizes("")) == 2

    assert write_archive(store.session_record(OWNER, stem.session_id), store.blobs, tmp_path / "out.zip") == ()
    assert SnapshotFolder(str(tmp_path / "copies")).save(store.database, store.blobs).missing == ()
    nodes = store.tree(OWNER, stem.session_id)
    target = DataHome(tmp_path / "new", blob_url=f"{home.blob_url}-new")
    SnapshotFolder(str(tmp_path / "copies")).restore(target)

    with open_home(target) as restored:
        assert restored.tree(OWNER, stem.session_id) == nodes
        assert list(check_sounds(restored.database, restored.blobs)) == []
    assert not (target.folder / "audio").exists()
    assert (target.folder / CACHE_FOLDER).is_dir()


def test_lost_sound_at_the_address_is_named_by_the_check_and_harms_nothing_else(
    store: SessionStore, place: Place
) -> None:
    stem = Scene(store).stem(Scene(store).context())
    assert stem.audio is not None
    place.remove(f"{stem.audio.sha256[:2]}/{stem.audio.sha256}.flac")

    (finding,) = check_sounds(store.database, store.blobs)

    assert f"{stem.audio.sha256[:12]} of session {stem.session_id[:12]} is missing" in finding.what
    assert len(store.tree(OWNER, stem.session_id)) == 2


def test_address_that_is_a_folder_is_one_with_all_its_flushing(tmp_path: Path) -> None:
    for url in (str(tmp_path / "elsewhere"), f"file://{tmp_path}/elsewhere"):
        blobs = DataHome(tmp_path / "data", blob_url=url).open_blobs()

        assert isinstance(blobs, LocalBlobs)
        assert blobs.path(blobs.add_bytes(b"sound")) == tmp_path / "elsewhere" / NAME


def test_address_that_nobody_knows_stops_the_start_in_words(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match="'nosuchthing://x' can't be used as a place for files"):
        open_home(DataHome(tmp_path, blob_url="nosuchthing://x"))

    open_store(tmp_path).close()  # nothing is left locked


def test_many_threads_may_fetch_one_sound_at_once(place: Place, tmp_path: Path) -> None:
    _put(place, b"sound", tmp_path)
    blobs = RemoteBlobs(place, tmp_path / "cache")
    barrier = threading.Barrier(8)
    found: list[bytes] = []

    def fetch() -> None:
        barrier.wait()
        found.append(blobs.path(HASH).read_bytes())

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [b"sound"] * 8


def test_memory_address_is_no_folder(blobs: RemoteBlobs, place: Place) -> None:
    # Guards the fixture: were it a folder after all, these tests would prove nothing.
    blobs.add_bytes(b"sound")

    assert place.folder is None
    found: Any = fsspec.filesystem("memory").find(place.address.removeprefix("memory:/"))
    assert len(found) == 1
    assert not os.path.exists(found[0])
