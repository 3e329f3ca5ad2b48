"""A session as one file: a zip of `session.json` and its sounds, `audio/<sha256>.flac`.

The same session gives the same bytes, wherever and whenever it is written. A file that comes in is taken for hostile:
it is read under limits into a folder of its own, every sound is held against its hash and looked at by whoever knows
sounds, and only when all of it is in order does the first byte of it reach the store.
"""

import hashlib
import json
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from sessions.blobs import BlobStore
from sessions.errors import ArchiveError, AudioNotFoundError
from sessions.record import Json, audio_hashes
from sessions.tree import AudioRef

RECORD_NAME = "session.json"
_AUDIO_FOLDER = "audio/"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip file can't say earlier; any constant keeps the bytes the same
_CHUNK_BYTES = 1 << 20
# All that reading a damaged zip was seen to raise; NotImplementedError and RuntimeError: unknown methods, passwords.
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What a session file may take.

    Attributes:
        max_file_bytes: of the zip itself.
        max_record_bytes: of `session.json`, unpacked.
        max_audio_bytes: of one sound, unpacked.
        max_total_bytes: of everything, unpacked.
        max_entries: files in the zip.
    """

    max_file_bytes: int = 2_000_000_000
    max_record_bytes: int = 100_000_000
    max_audio_bytes: int = 250_000_000
    max_total_bytes: int = 4_000_000_000
    max_entries: int = 20_001


@dataclass(frozen=True, slots=True)
class OpenArchive:
    """A session file that was read and found in order.

    Attributes:
        record: what `insert_record` takes; names only sounds that came along.
        sounds: files by hash; there until the archive is closed.
    """

    record: Json
    sounds: Mapping[str, Path]


CheckAudio = Callable[[Path, AudioRef], object]
"""Raises if the file is not the sound that the reference says it is."""
CheckRecord = Callable[[Json], object]
"""Raises if the record holds what the program could not show or play."""


def write_archive(record: Json, blobs: BlobStore, path: Path) -> tuple[str, ...]:
    """Write a session file; there is none if it fails.

    Args:
        record: of the session.
        blobs: where its sounds are.
        path: of the file; what is there is replaced.

    Returns:
        Hashes of sounds that could not come along, because their files are missing or damaged.

    Raises:
        OSError: if it can't be written.
    """
    missing: list[str] = []
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".exporting-") as folder:
        whole = Path(folder) / "session.zip"
        with zipfile.ZipFile(whole, "w") as archive:
            text = json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False)
            archive.writestr(_entry(RECORD_NAME, zipfile.ZIP_DEFLATED), text.encode())
            for sha256 in audio_hashes(record):
                try:
                    sound = blobs.path(sha256)
                except AudioNotFoundError:
                    missing.append(sha256)
                    continue
                # FLAC does not shrink any further.
                _add_file(archive, sound, _entry(f"{_AUDIO_FOLDER}{sha256}.flac", zipfile.ZIP_STORED))
        whole.replace(path)
    return tuple(missing)


@contextmanager
def open_archive(
    path: Path, *, limits: ArchiveLimits, check_audio: CheckAudio, check_record: CheckRecord
) -> Generator[OpenArchive]:
    """Read a session file of unknown origin into a folder that is gone when the block ends.

    A sound that was missing where the file was made is renamed to a hash that nothing has: a row may not come to name
    a sound of somebody else's by saying its hash.

    Args:
        path: of the file.
        limits: what it may take.
        check_audio: called for every sound.
        check_record: called with the record.

    Raises:
        ArchiveError: if it is not in order; nothing was stored.
    """
    if path.stat().st_size > limits.max_file_bytes:
        raise ArchiveError(f"This file is larger than {limits.max_file_bytes / 1e6:.0f} MB, which no session is.")
    with tempfile.TemporaryDirectory(prefix="stemgen-import-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                record, sounds = _unpack(archive, Path(folder), limits)
        except _DAMAGE as error:
            raise ArchiveError("This file is no session of StemGen, or it is damaged. Export it again.") from error
        _check_shape(record)
        for reference in _references(record):
            if reference.sha256 in sounds:
                check_audio(sounds[reference.sha256], reference)
        check_record(record)
        unnamed = sorted(set(sounds) - set(audio_hashes(record)))
        if unnamed:
            _refuse(f"nothing in it uses the sound {unnamed[0][:12]}")
        _rename_missing(record, sounds)
        yield OpenArchive(record, sounds)


def _entry(name: str, compression: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = compression
    entry.external_attr = 0o644 << 16
    entry.create_system = 3  # the same on every system
    return entry


def _add_file(archive: zipfile.ZipFile, source: Path, entry: zipfile.ZipInfo) -> None:
    entry.file_size = source.stat().st_size
    with source.open("rb") as file, archive.open(entry, "w") as out:
        while chunk := file.read(_CHUNK_BYTES):
            out.write(chunk)


def _unpack(archive: zipfile.ZipFile, folder: Path, limits: ArchiveLimits) -> tuple[Json, dict[str, Path]]:
    entries = archive.infolist()
    if len(entries) > limits.max_entries:
        _refuse(f"it has {len(entries)} entries")
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        _refuse("a name stands in it twice")
    if RECORD_NAME not in names:
        raise ArchiveError(f"This zip is no session of StemGen: there is no {RECORD_NAME} in it.")
    left = limits.max_total_bytes
    record: Json = {}
    sounds: dict[str, Path] = {}
    for entry in entries:
        if entry.filename == RECORD_NAME:
            place, most = folder / RECORD_NAME, limits.max_record_bytes
        else:
            sha256 = _sound_name(entry.filename)
            place, most = folder / sha256, limits.max_audio_bytes  # our own name: no path of the zip is ever used
            sounds[sha256] = place
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            _refuse("it is packed in a way that no session is")
        with archive.open(entry) as packed:
            found_sha256, num_bytes = _copy(packed, place, min(most, left), entry.filename)
        left -= num_bytes
        if entry.filename != RECORD_NAME and found_sha256 != place.name:
            _refuse(f"the sound {place.name[:12]} is not what it was when it was exported")
    record = _parse(folder / RECORD_NAME)
    return record, sounds


def _sound_name(name: str) -> str:
    sha256 = name.removeprefix(_AUDIO_FOLDER).removesuffix(".flac")
    if not _is_hash(sha256) or name != f"{_AUDIO_FOLDER}{sha256}.flac":
        _refuse(f"it holds {name[:80]!r}, which no session does")
    return sha256


def _is_hash(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _copy(packed: IO[bytes], place: Path, most_bytes: int, name: str) -> tuple[str, int]:
    """Unpack one entry and return its hash and size; what the zip says of its size is not believed."""
    digest = hashlib.sha256()
    num_bytes = 0
    with place.open("xb") as file:
        while chunk := packed.read(_CHUNK_BYTES):
            num_bytes += len(chunk)
            if num_bytes > most_bytes:
                _refuse(f"{name[:80]!r} unpacks to more than {most_bytes / 1e6:.0f} MB")
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest(), num_bytes


def _parse(path: Path) -> Json:
    try:
        record = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"This session file is damaged: its {RECORD_NAME} can't be read.") from error
    if not isinstance(record, dict):
        _refuse(f"its {RECORD_NAME} is no object")
    return cast(Json, record)


def _check_shape(record: Json) -> None:
    """Refuse a record that can't be walked; `insert_record` looks at every value."""
    for name in ("nodes", "turns", "variations"):
        rows = record.get(name)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast(list[object], rows)):
            _refuse(f"it has no list of {name}")


def _references(record: Json) -> list[AudioRef]:
    found: list[AudioRef] = []
    for row in _sounding_rows(record):
        values = [row.get(name) for name in ("audio_sha256", "sample_rate_hz", "num_audio_samples", "num_channels")]
        if not isinstance(values[0], str) or not all(type(value) is int for value in values[1:]):
            _refuse("a sound has no shape")
        if not _is_hash(values[0]):
            _refuse(f"{values[0][:80]!r} is no audio_sha256")
        found.append(AudioRef(*cast("tuple[str, int, int, int]", tuple(values))))
    return list(dict.fromkeys(found))


def _sounding_rows(record: Json) -> list[dict[str, Any]]:
    return [row for row in (*record["nodes"], *record["variations"]) if row.get("audio_sha256") is not None]


def _rename_missing(record: Json, sounds: Mapping[str, Path]) -> None:
    for row in _sounding_rows(record):
        if row["audio_sha256"] not in sounds:
            row["audio_sha256"] = hashlib.sha256(f"missing {row['audio_sha256']}".encode()).hexdigest()


def _refuse(why: str) -> NoReturn:
    raise ArchiveError(f"This session file can't be used: {why}. Export it again where it came from.")
