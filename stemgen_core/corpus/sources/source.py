"""What every source of pieces offers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from stemgen_core.corpus.piece import Piece
from stemgen_core.errors import InvalidRequestError
from stemgen_core.sound.level import FloatArray
from stemgen_core.types import SoundFormat

Split = Literal["train", "heldout"]

CORPUS_SOUND = SoundFormat()  # unless it is asked for otherwise
_HELDOUT_SHARE = 0.05


@dataclass(frozen=True)
class SourcedPiece:
    """A piece from a source.

    Attributes:
        piece: what is known of it.
        audio: float32 [S, L], with more channels than one [S, C, L], in the corpus's format where the source has
            recordings; None: to be rendered.
    """

    piece: Piece
    audio: FloatArray | None = None


class PieceSource(Protocol):
    """Makes pieces; the same seed gives the same piece, and no song is in both splits."""

    def draw(self, seed: int, split: Split, duration_s: float, sound: SoundFormat = CORPUS_SOUND) -> SourcedPiece:
        """Return a piece of a split.

        Args:
            seed: any integer.
            split: "train" or "heldout".
            duration_s: wanted length; a song that is shorter gives a shorter piece.
            sound: the corpus's format, for sources that have recordings.
        """
        ...

    def has(self, split: Split) -> bool:
        """Whether there is anything to draw in a split."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what the manifest records: kind, songs, their digest, licences, how many were passed over."""
        ...


@dataclass(frozen=True)
class Song:
    """One song of a folder, before anything is read at length.

    Attributes:
        title: path below the folder.
        fingerprint: hex digest of its content, the same for copies.
        split: where its pieces go, if the collection says so; None leaves it to the fingerprint.
    """

    title: str
    fingerprint: str
    split: Split | None = None


AnySong = TypeVar("AnySong", bound=Song)


def without_copies(songs: Sequence[AnySong]) -> list[AnySong]:
    """Return the songs, each content once, the first title of each; so nothing can be in two splits."""
    seen: dict[str, AnySong] = {}
    for song in sorted(songs, key=lambda song: song.title):
        seen.setdefault(song.fingerprint, song)
    return list(seen.values())


def split_songs(songs: Sequence[AnySong]) -> dict[Split, list[AnySong]]:
    """Part songs by what their collection says, or else by their content; of two songs or more, one is held out.

    The fingerprint decides, not the place in the list, so that a song stays in its split when a folder grows.
    """
    parts: dict[Split, list[AnySong]] = {"train": [], "heldout": []}
    for song in songs:
        share = int(song.fingerprint[:8], 16) / 0x1_0000_0000
        parts[song.split or ("heldout" if share < _HELDOUT_SHARE else "train")].append(song)
    if not parts["heldout"] and len(parts["train"]) > 1:
        first = min(parts["train"], key=lambda song: song.fingerprint)
        parts["train"].remove(first)
        parts["heldout"].append(first)
    return parts


def digest_of(songs: Sequence[Song]) -> str:
    """Return a digest of a collection, the same whatever its order."""
    return hashlib.sha256("\n".join(sorted(song.fingerprint for song in songs)).encode()).hexdigest()[:16]


def need_songs(songs: Sequence[Song], what: str) -> None:
    """Refuse an empty collection.

    Raises:
        InvalidRequestError: if there is no song.
    """
    if not songs:
        raise InvalidRequestError(f"There is nothing to learn from in {what}.")
