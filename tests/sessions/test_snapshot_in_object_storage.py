"""Copies in object storage, which a server of its own plays here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessions.home import DataHome
from sessions.snapshot import SnapshotFolder
from sessions.store import SessionStore, open_store
from tests.sessions.scene import OWNER, Scene

pytestmark = [
    pytest.mark.slow,  # importing what speaks S3 takes seconds
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield fsspec's view of a server that speaks S3, on which there is one bucket."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.mkdir("bucket")
    yield files
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_copies_go_to_object_storage_and_come_back(store: SessionStore, scene: Scene, tmp_path: Path, s3: Any) -> None:
    stem = scene.stem(scene.context())
    place = SnapshotFolder("s3://bucket/stemgen")
    for number in range(7):
        store.rename_node(OWNER, stem.id, f"name {number}")
        assert place.save(store.database, store.blobs).missing == ()
    nodes = store.tree(OWNER, stem.session_id)

    type(s3).clear_instance_cache()
    SnapshotFolder("s3://bucket/stemgen").restore(DataHome(tmp_path / "new"))

    s3.invalidate_cache()
    assert len(s3.ls("bucket/stemgen/databases")) == 5
    assert not s3.find("bucket/stemgen/writing")
    with open_store(tmp_path / "new") as restored:
        assert restored.tree(OWNER, stem.session_id) == nodes
        assert all(restored.blobs.path(node.audio.sha256) for node in nodes if node.audio)
