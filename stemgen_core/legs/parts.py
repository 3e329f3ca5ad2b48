"""A folder as numbered files of limited size, for ways that carry only so much at once.

    NAME.json     sha256 and size of every part
    NAME-000      the parts: one tar.xz, cut
    NAME-001

The parts of one archive may travel on several occasions; they are joined when all are there, and only if they are what
was cut.
"""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stemgen_core.errors import InvalidRequestError

_CHUNK_BYTES = 1 << 20
_XZ_PRESET = 1  # fonts and weights hardly shrink, and higher presets take minutes to find that out


@dataclass(frozen=True, slots=True)
class PartList:
    """What `NAME.json` says.

    Attributes:
        name: of the archive.
        sizes: bytes of each part.
        sha256s: of each part.
    """

    name: str
    sizes: tuple[int, ...]
    sha256s: tuple[str, ...]

    def file_name(self, number: int) -> str:
        """Return the file name of a part."""
        return f"{self.name}-{number:03d}"


def cut_folder(folder: Path, out_folder: Path, name: str, *, max_part_bytes: int) -> PartList:
    """Write a folder's content as parts.

    Args:
        folder: what to cut; its own name is not kept.
        out_folder: made if need be.
        name: of the archive; earlier parts of the same name are replaced.
        max_part_bytes: size of the largest part.

    Raises:
        InvalidRequestError: if the limit is not positive.
    """
    if max_part_bytes < 1:
        raise InvalidRequestError(f"A part needs at least 1 byte, got {max_part_bytes}.")
    out_folder.mkdir(parents=True, exist_ok=True)
    for earlier in out_folder.glob(f"{name}-[0-9][0-9][0-9]"):
        earlier.unlink()
    whole = out_folder / f"{name}.tar.xz"
    with tarfile.open(whole, "w:xz", preset=_XZ_PRESET) as archive:
        archive.add(folder, arcname=".")
    sizes, sha256s = [], []
    with whole.open("rb") as source:
        while content := source.read(max_part_bytes):
            (out_folder / f"{name}-{len(sizes):03d}").write_bytes(content)
            sizes.append(len(content))
            sha256s.append(hashlib.sha256(content).hexdigest())
    whole.unlink()
    parts = PartList(name, tuple(sizes), tuple(sha256s))
    listed = {"name": name, "parts": [{"size": s, "sha256": h} for s, h in zip(sizes, sha256s, strict=True)]}
    (out_folder / f"{name}.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    return parts


def read_part_list(path: Path) -> PartList:
    """Read `NAME.json`.

    Raises:
        InvalidRequestError: if it is no list of parts.
    """
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        parts = listed["parts"]
        return PartList(
            str(listed["name"]), tuple(int(one["size"]) for one in parts), tuple(str(one["sha256"]) for one in parts)
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRequestError(f"{path} is no list of parts: {error}") from error


def find_part_lists(folders: Sequence[Path]) -> dict[str, PartList]:
    """Return the part lists that lie in the folders, by name; all with one name must be the same.

    Raises:
        InvalidRequestError: if two differ, or one can't be read.
    """
    found: dict[str, PartList] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.json"))):
        parts = read_part_list(path)
        if found.setdefault(parts.name, parts) != parts:
            raise InvalidRequestError(f"{path} lists other parts of {parts.name} than a folder before it.")
    return found


def join_parts(folders: Sequence[Path], parts: PartList, out_folder: Path) -> None:
    """Put a folder together again.

    Args:
        folders: where the parts lie, in any order.
        parts: what to join.
        out_folder: made; must be empty or not there.

    Raises:
        InvalidRequestError: if a part is missing or damaged, or `out_folder` is not empty.
    """
    if out_folder.exists() and any(out_folder.iterdir()):
        raise InvalidRequestError(f"{out_folder} is not empty. Choose another folder or delete it.")
    paths, missing = [], []
    for number, sha256 in enumerate(parts.sha256s):
        name = parts.file_name(number)
        whole = [path for folder in folders if (path := folder / name).is_file() and _sha256(path) == sha256]
        paths += whole[:1]
        missing += [] if whole else [name]
    if missing:
        raise InvalidRequestError(f"Missing or damaged: {', '.join(missing)}. Bring them again, then join again.")
    out_folder.mkdir(parents=True, exist_ok=True)
    whole = out_folder.with_name(f"{out_folder.name}.tar")
    with whole.open("wb") as file:
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, file, _CHUNK_BYTES)
    try:
        with tarfile.open(whole, "r:*") as archive:
            archive.extractall(out_folder, filter="data")
    except tarfile.TarError as error:
        raise InvalidRequestError(f"The parts of {parts.name} don't hold a folder: {error}") from error
    finally:
        whole.unlink()


def choose_parts(parts: PartList, first: int, *, max_files: int, max_bytes: int) -> range:
    """Return which parts fit into one journey, from number `first` on; the list itself is one of the files."""
    last, size = first, 0
    while last < len(parts.sizes) and last - first < max_files - 1 and size + parts.sizes[last] <= max_bytes:
        size += parts.sizes[last]
        last += 1
    return range(first, last)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
