"""Sounds and copies in object storage, which a server of its own plays here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessions.blobs import BlobState
from sessions.check import check_sounds
from sessions.errors import PlaceError
from sessions.home import CACHE_FOLDER, DataHome
from sessions.snapshot import SnapshotFolder
from sessions.store import open_home, open_store
from tests.object_storage import running_bucket
from tests.sessions.scene import OWNER, Scene

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    with running_bucket() as files:
        yield files


@pytest.mark.slow  # a hundred requests
def test_copies_go_to_object_storage_and_come_back(tmp_path: Path, bucket: Any) -> None:
    with open_store(tmp_path / "data") as store:
        stem = Scene(store).stem(Scene(store).context())
        place = SnapshotFolder("s3://bucket/copies")
        for number in range(7):
            store.rename_node(OWNER, stem.id, f"name {number}")
            assert place.save(store.database, store.blobs).missing == ()
        assert place.sweep(grace_s=-1) == 0
        nodes = store.tree(OWNER, stem.session_id)

    type(bucket).clear_instance_cache()
    SnapshotFolder("s3://bucket/copies").restore(DataHome(tmp_path / "new"))

    bucket.invalidate_cache()
    assert len([name for name in bucket.ls("bucket/copies/databases") if name.endswith(".sqlite")]) == 5
    assert not bucket.find("bucket/copies/writing")
    with open_store(tmp_path / "new") as restored:
        assert restored.tree(OWNER, stem.session_id) == nodes
        assert all(restored.blobs.path(node.audio.sha256) for node in nodes if node.audio)


def test_sounds_live_in_object_storage_and_are_found_there_by_another_machine(tmp_path: Path, bucket: Any) -> None:
    with open_home(DataHome(tmp_path / "data", blob_url="s3://bucket/sounds")) as store:
        stem = Scene(store).stem(Scene(store).context())
        store.blobs.add_bytes(b"orphan")
        assert (store.sweep_orphans(), store.sweep_orphans(grace_s=-1)) == ((0, 0), (1, 6))
        assert list(check_sounds(store.database, store.blobs)) == []
        store.database.copy_to(tmp_path / "elsewhere" / "sessions.sqlite")
    bucket.pipe_file("bucket/sounds/writing/0123", b"half")
    assert not (tmp_path / "data" / "audio").exists()

    with open_home(DataHome(tmp_path / "elsewhere", blob_url="s3://bucket/sounds")) as other:
        for node in other.tree(OWNER, stem.session_id):
            assert node.audio is not None
            assert other.blobs.path(node.audio.sha256).read_bytes() in (b"bass", b"drums")
        assert other.blobs.total_bytes() == 9
        bucket.invalidate_cache()
        assert len(bucket.find("bucket/sounds")) == 2  # the half file is gone
        assert stem.audio is not None
        bucket.pipe_file(f"bucket/sounds/{stem.audio.sha256[:2]}/{stem.audio.sha256}.flac", b"rot")
        assert other.blobs.verify(stem.audio.sha256) is BlobState.DAMAGED
    assert (tmp_path / "elsewhere" / CACHE_FOLDER).is_dir()


def test_bucket_that_is_not_there_stops_the_start_in_words(tmp_path: Path, bucket: Any) -> None:
    with pytest.raises(PlaceError, match=r"s3://nosuchbucket/x can't be read: .*bucket does not exist"):
        open_home(DataHome(tmp_path, blob_url="s3://nosuchbucket/x"))
