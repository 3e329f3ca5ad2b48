"""Everything that can be taken out of the studio as a file, made when it is asked for and kept nowhere."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from app.errors import BusyError, ExportError
from app.exporting.encoding import FORMATS, LOSSLESS, FileTags, describe, offered_formats, write_audio
from app.exporting.mixdown import mix_parts
from app.exporting.names import file_name
from app.exporting.notation import has_notes, write_score
from app.exporting.package import settings_of, write_package
from app.exporting.piece import Piece, gather_piece
from app.session_files import FILE_SUFFIX, export_session
from app.sounds import SoundShelf
from sessions.local_blobs import saying_what_disks_say
from sessions.store import SessionStore

MAX_AT_ONCE = 2
MAX_WAITING = 6  # each holds one of the 40 threads that everything else of the server needs, too
RETRY_AFTER_S = 10


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file that was made for one download.

    Attributes:
        name: for the one who saves it; any script.
        media_type: for the browser.
        content: open at its start; its name on the disk is gone already, its bytes go when it is closed.
        num_bytes: its length.
    """

    name: str
    media_type: str
    content: BinaryIO
    num_bytes: int


@dataclass(frozen=True, slots=True)
class ExportDesk:
    """Makes files of what sounds at a node.

    Attributes:
        store: where nodes are kept.
        sounds: where their audio is kept.
    """

    store: SessionStore
    sounds: SoundShelf
    _places: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(MAX_AT_ONCE + MAX_WAITING)
    )
    _room: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MAX_AT_ONCE))

    def offers(self) -> dict[str, tuple[str, ...]]:
        """Return what can be had of a node, and in which formats."""
        return {
            "mix": offered_formats(),
            "package": LOSSLESS,
            "midi": ("mid",),
            "settings": ("json",),
        }

    def export(self, token: str, node_id: str, what: str, format_name: str) -> ExportedFile:
        """Make a file of what sounds at a node.

        Args:
            token: of the node's owner, or of a share of its session.
            node_id: whose mix it is.
            what: a key of `offers`.
            format_name: one of its formats.

        Raises:
            NodeNotFoundError: if the token opens no such node.
            AudioNotFoundError: if a sound is gone from the disk.
            ExportError: if there is no such export, or it could not be made.
            InvalidRequestError: if the mix holds more than can be in memory at once.
            BusyError: if too many files are being made already.
            StorageFullError: if the disk has no room for the file.
            DiskError: if the disk can't be read or written.
        """
        if format_name not in self.offers().get(what, ()):
            raise ExportError(f"There is no {what!r} as {format_name!r} to be had.")
        with self._place():
            piece = gather_piece(self.store, self.sounds, token, node_id)
            if what == "mix":
                media_type = FORMATS[format_name].media_type
                return _made(
                    f"{piece.file_stem}.{format_name}", media_type, lambda path: _write_mix(path, piece, format_name)
                )
            if what == "package":
                return _made(
                    f"{piece.file_stem}.zip", "application/zip", lambda path: write_package(path, piece, format_name)
                )
            if what == "midi":
                if not has_notes(piece):
                    raise ExportError("None of these stems was written as notes, so there is no MIDI.")
                return _made(f"{piece.file_stem}.mid", "audio/midi", lambda path: write_score(path, piece, path.parent))
            return _made(f"{piece.file_stem}.json", "application/json", lambda path: _write_settings(path, piece))

    def export_session(self, token: str, session_id: str) -> ExportedFile:
        """Make a file of a whole session, to be brought to this or another studio.

        Raises:
            SessionNotFoundError: if the token opens no such session.
            BusyError: if too many files are being made already.
            StorageFullError: if the disk has no room for the file.
            DiskError: if the disk can't be read or written.
        """
        name = file_name(self.store.session(token, session_id).name, "Session") + FILE_SUFFIX
        with self._place():
            return _made(name, "application/zip", lambda path: export_session(self.store, token, session_id, path))

    @contextmanager
    def _place(self) -> Generator[None]:
        """Wait for one's turn, unless too many do already.

        Raises:
            BusyError: if they do.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError(
                f"Many files are being made for download just now. Try again in about {RETRY_AFTER_S} s.",
                RETRY_AFTER_S,
            )
        try:
            with self._room:
                yield
        finally:
            self._places.release()


def _write_mix(path: Path, piece: Piece, format_name: str) -> None:
    mixdown = mix_parts(piece.parts, piece.num_audio_samples)
    write_audio(path, mixdown.waveform, format_name, FileTags(piece.title, describe(piece, "Mix"), piece.tempo_bpm))


def _write_settings(path: Path, piece: Piece) -> None:
    settings = settings_of(piece, mix_parts(piece.parts, piece.num_audio_samples))
    path.write_text(json.dumps(settings, indent=2, ensure_ascii=False), "utf-8")


def _made(name: str, media_type: str, write: Callable[[Path], object]) -> ExportedFile:
    # Once it is open the file needs no name: whatever becomes of the download, nothing is left on the disk.
    with saying_what_disks_say(), TemporaryDirectory(prefix="stemgen-export-") as folder:
        path = Path(folder) / "export"
        write(path)
        content = path.open("rb")
    num_bytes = content.seek(0, 2)
    content.seek(0)
    return ExportedFile(name, media_type, content, num_bytes)
