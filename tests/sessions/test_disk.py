"""Where a database must not lie, and what broken and forbidden disks lead to."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sessions.blobs import BlobState
from sessions.check import Severity, check_disk
from sessions.disk import unfit_for_database
from sessions.errors import DiskError
from sessions.home import DataHome
from sessions.local_blobs import LocalBlobs
from sessions.store import open_store
from tests.slow_reading import SlowToRead

LINE = "{number} 1 0:{number} / {place} rw,relatime shared:1 - {kind} source rw\n"


def _mounts(tmp_path: Path, *mounted: tuple[str, str]) -> Path:
    lines = [LINE.format(number=at, place=place, kind=kind) for at, (place, kind) in enumerate(mounted)]
    (tmp_path / "mountinfo").write_text("".join(lines))
    return tmp_path / "mountinfo"


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs", "fuse.rclone"])
def test_network_file_systems_are_named(tmp_path: Path, kind: str) -> None:
    mounts = _mounts(tmp_path, ("/", "ext4"), ("/srv/my\\040share", kind), ("/srv/my\\040share/local", "ext4"))

    assert unfit_for_database(Path("/srv/my share/data"), mounts=mounts) == f"lies on a network file system ({kind})"
    assert unfit_for_database(Path("/srv/my share/local/data"), mounts=mounts) is None
    assert unfit_for_database(Path("/srv/my"), mounts=mounts) is None


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "overlay", "fuse.fuse-overlayfs", "fuseblk"])
def test_disks_of_this_machine_are_no_matter(tmp_path: Path, kind: str) -> None:
    assert unfit_for_database(Path("/srv/data"), mounts=_mounts(tmp_path, ("/", "ext4"), ("/srv", kind))) is None


def test_what_is_mounted_over_another_counts(tmp_path: Path) -> None:
    mounts = _mounts(tmp_path, ("/", "ext4"), ("/srv", "nfs"), ("/srv", "ext4"))

    assert unfit_for_database(Path("/srv/data"), mounts=mounts) is None


@pytest.mark.parametrize("name", ["Dropbox", "OneDrive - Company", "Google Drive", "Nextcloud"])
def test_synchronised_folders_are_known_by_name_also_without_a_list_of_mounts(tmp_path: Path, name: str) -> None:
    said = unfit_for_database(tmp_path / name / "music" / "data", mounts=tmp_path / "none")

    assert said == f"lies in a folder that is synchronised ({tmp_path / name})"


def test_synchronised_folders_are_known_by_what_lies_in_them(tmp_path: Path) -> None:
    (tmp_path / "shared" / ".stfolder").mkdir(parents=True)

    assert unfit_for_database(tmp_path / "shared" / "data", mounts=tmp_path / "none") is not None
    assert unfit_for_database(tmp_path / "other" / "data", mounts=tmp_path / "none") is None


def test_the_check_says_what_to_do_and_postgres_may_have_its_folder_there(tmp_path: Path) -> None:
    home = DataHome(tmp_path / "Dropbox")
    home.folder.mkdir()

    (finding,) = [one for one in check_disk(home) if "SQLite" in one.what]

    assert finding.severity is Severity.NOTE
    assert "STEMGEN_SNAPSHOT_URL" in finding.advice
    with_postgres = DataHome(home.folder, database_url="postgresql://nobody@nowhere/none")
    assert [one for one in check_disk(with_postgres) if "SQLite" in one.what] == []


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_folder_that_can_not_be_written_stops_the_start_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    opened = os.open

    def refuse(path: Path, *more: int) -> int:
        if str(path).endswith("server.lock"):
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, *more)

    monkeypatch.setattr(os, "open", refuse)  # the tests may run as root, whom no permission keeps out

    with pytest.raises(DiskError, match=r"can't be written: .*STEMGEN_DATA"):
        open_store(tmp_path / "data")


def test_file_where_the_folder_should_be_stops_the_start_in_words(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")

    with pytest.raises(DiskError, match="can't be written"):
        open_store(tmp_path / "data")


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_disk_that_breaks_at_any_step_is_said_in_words_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, step: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    blobs = LocalBlobs(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(*((os, "fsync", fail) if step == "fsync" else (Path, "replace", fail)))
        with pytest.raises(DiskError, match="does not do its work"):
            blobs.add_bytes(b"sound")

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert blobs.state(blobs.add_bytes(b"sound")) is BlobState.PRESENT


def test_other_errors_of_the_system_stay_what_they_are(tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise FileNotFoundError(errno.ENOENT, "no such file")

    with pytest.raises(FileNotFoundError):
        LocalBlobs(tmp_path).add(fail)


def test_of_a_store_of_millions_only_the_last_files_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.local_blobs._MAX_LOOKED_AT", 3)
    blobs = LocalBlobs(tmp_path)
    names = [blobs.add_bytes(bytes([number])) for number in range(6)]

    assert [blobs.state(name) for name in (*names, names[5], names[0])] == [BlobState.PRESENT] * 8

    assert list(blobs._looked_at) == [names[4], names[5], names[0]]


def test_a_file_is_read_through_again_while_others_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions.local_blobs._MAX_LOOKED_AT", 2)
    blobs = LocalBlobs(tmp_path)
    names = [blobs.add_bytes(bytes([number])) for number in range(3)]
    blobs._looked_at = looked_at = SlowToRead()
    for name in names[:2]:
        blobs.state(name)

    with ThreadPoolExecutor(1) as pool:
        third = pool.submit(blobs.state, names[2])  # the one seen first is forgotten for it
        assert looked_at.is_being_read.wait(30)

        assert blobs.verify(names[0]) is BlobState.PRESENT
        assert third.result() is BlobState.PRESENT
