"""Files by the hash of their bytes."""

import hashlib
import os
import resource
from pathlib import Path

import pytest

from sessions.blobs import BlobState
from sessions.errors import AudioNotFoundError, StorageFullError
from sessions.local_blobs import LocalBlobs


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_file_lies_under_the_hash_of_its_bytes(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)

    sha256 = blobs.add_bytes(b"sound")

    assert sha256 == hashlib.sha256(b"sound").hexdigest()
    assert blobs.path(sha256).read_bytes() == b"sound"
    assert _files(tmp_path) == [f"{sha256[:2]}/{sha256}.flac"]


def test_file_is_flushed_before_it_gets_its_name_and_the_folders_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_flush(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        steps.append(f"flush {'folder' if path.is_dir() else 'file'}")
        fsync(descriptor)

    def note_rename(path: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(Path, "replace", note_rename)
    blobs = LocalBlobs(tmp_path)

    blobs.add_bytes(b"sound")

    # The upper folder first, as the one with the file in it is new in it.
    assert steps == ["flush file", "flush folder", "rename", "flush folder"]


def test_same_bytes_are_stored_once_however_they_come(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "audio")
    source = tmp_path / "source"
    source.write_bytes(b"sound")

    assert blobs.add_file(source) == blobs.add_bytes(b"sound")
    assert len(_files(tmp_path / "audio")) == 1
    assert source.exists()


def test_writer_gets_a_path_with_the_suffix_at_which_nothing_is(tmp_path: Path) -> None:
    seen: list[tuple[str, bool]] = []

    def write(path: Path) -> None:
        seen.append((path.suffix, path.exists()))
        path.write_bytes(b"sound")

    LocalBlobs(tmp_path, suffix=".wav").add(write)

    assert seen == [(".wav", False)]


def test_writer_that_fails_halfway_leaves_nothing(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)

    def write(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        blobs.add(write)

    assert _files(tmp_path) == []


def test_what_a_crash_left_half_written_is_removed_at_the_next_start(tmp_path: Path) -> None:
    sha256 = LocalBlobs(tmp_path).add_bytes(b"sound")
    (tmp_path / ".writing-0123.flac").write_bytes(b"half")

    assert LocalBlobs(tmp_path).remove_leftovers() == 1

    assert _files(tmp_path) == [f"{sha256[:2]}/{sha256}.flac"]


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "0" * 63, "0" * 65, "A" * 64, "0" * 64, "0" * 64 + "\n", "/etc/passwd\0"]
)
def test_what_is_no_stored_hash_is_not_found_and_leads_nowhere(tmp_path: Path, name: str) -> None:
    blobs = LocalBlobs(tmp_path)

    assert not blobs.has(name)
    with pytest.raises(AudioNotFoundError, match="not stored here"):
        blobs.path(name)


def test_missing_and_damaged_files_are_told_from_whole_ones_also_when_it_happens_later(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    whole, cut, gone, swapped = (blobs.add_bytes(name) for name in (b"whole", b"cut short", b"gone", b"swapped"))
    places = {sha256: blobs.path(sha256) for sha256 in (whole, cut, gone, swapped)}

    places[cut].write_bytes(b"cut")
    places[gone].unlink()
    places[swapped].write_bytes(b"swappet")  # as long as before

    assert {sha256: blobs.state(sha256) for sha256 in places} == {
        whole: BlobState.PRESENT,
        cut: BlobState.DAMAGED,
        gone: BlobState.MISSING,
        swapped: BlobState.DAMAGED,
    }
    with pytest.raises(AudioNotFoundError, match="is damaged"):
        blobs.path(cut)
    assert blobs.add_bytes(b"cut short") == cut
    assert blobs.state(cut) is BlobState.PRESENT  # stored again is mended


def test_store_holds_no_more_than_it_may_and_says_so(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path, max_total_bytes=10)
    sha256 = blobs.add_bytes(b"12345678")

    with pytest.raises(StorageFullError, match="storage is full"):
        blobs.add_bytes(b"abc")

    assert len(_files(tmp_path)) == 1
    assert blobs.add_bytes(b"12345678") == sha256  # the same once more takes no room
    assert blobs.total_bytes() == 8
    blobs.remove(sha256)
    assert (blobs.add_bytes(b"abc"), blobs.total_bytes()) == (blobs.add_bytes(b"abc"), 3)


def test_what_was_there_before_counts_too(tmp_path: Path) -> None:
    LocalBlobs(tmp_path).add_bytes(b"12345678")

    with pytest.raises(StorageFullError):
        LocalBlobs(tmp_path, max_total_bytes=10).add_bytes(b"abc")


def test_full_disk_is_said_in_words_and_leaves_nothing(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(StorageFullError, match="disk of the studio's server is full"):
            blobs.add_bytes(bytes(2_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert _files(tmp_path) == []
