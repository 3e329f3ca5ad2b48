"""Audio files of every kind that is offered, with what players show of them.

WAV and FLAC are written by the core's own writer. The rest is ffmpeg's, called directly: pydub's `export` leaves its
temporary files behind when an encoder fails, and waits for ever when it hangs (docs/decisions/0036-exports.md).
"""

import functools
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from app.errors import ExportError
from app.exporting.piece import Piece
from stemgen_core.audio import write_flac, write_wav
from stemgen_core.types import Waveform

TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """One kind of audio file.

    Attributes:
        suffix: of the file, with its dot; its name on the page is the same in capitals.
        media_type: for the browser.
        encoder: of ffmpeg; None where the core writes it.
        arguments: for ffmpeg.
        tempo_tag: the tag that holds beats per minute; None where there is none.
    """

    suffix: str
    media_type: str
    encoder: str | None = None
    arguments: tuple[str, ...] = ()
    tempo_tag: str | None = None


FORMATS: Mapping[str, AudioFormat] = {
    "wav": AudioFormat(".wav", "audio/wav"),
    "flac": AudioFormat(".flac", "audio/flac"),
    "mp3": AudioFormat(".mp3", "audio/mpeg", "libmp3lame", ("-q:a", "0", "-id3v2_version", "3"), "TBPM"),
    "ogg": AudioFormat(".ogg", "audio/ogg", "libvorbis", ("-q:a", "8"), "BPM"),
    "opus": AudioFormat(".opus", "audio/ogg", "libopus", ("-b:a", "192k"), "BPM"),
    "m4a": AudioFormat(".m4a", "audio/mp4", "aac", ("-b:a", "256k", "-movflags", "+faststart"), "tmpo"),
}
LOSSLESS = ("wav", "flac")


@dataclass(frozen=True, slots=True)
class FileTags:
    """What a player shows of a file.

    Attributes:
        title: of the piece or stem.
        comment: tempo, key, model, and that it was generated.
        tempo_bpm: None where it is not known.
    """

    title: str
    comment: str
    tempo_bpm: float | None


def offered_formats() -> tuple[str, ...]:
    """Return the names of the formats that this machine can write: all of them, where ffmpeg is whole."""
    return tuple(name for name, kind in FORMATS.items() if kind.encoder is None or kind.encoder in _ffmpeg_encoders())


def write_audio(path: Path, waveform: Waveform, format_name: str, tags: FileTags) -> None:
    """Write audio with its tags.

    Args:
        path: of the file, whatever its suffix.
        waveform: within full scale.
        format_name: a key of `FORMATS`.
        tags: what players show.

    Raises:
        ExportError: if there is no such format here, or its encoder failed.
    """
    if format_name not in offered_formats():
        raise ExportError(f"This server can't write {format_name!r}. Choose one of: {', '.join(offered_formats())}.")
    writers = {"wav": write_wav, "flac": write_flac}
    if format_name in writers:
        writers[format_name](path, waveform, tags={"title": tags.title, "comment": tags.comment, "software": "StemGen"})
    else:
        _encode(path, waveform, FORMATS[format_name], tags)


def describe(piece: Piece, what: str) -> str:
    """Return the comment of a file of a piece: what it is, and that a model made stems of it.

    Args:
        piece: that it belongs to.
        what: words for the file, such as "Mix".
    """
    music = [f"{piece.tempo_bpm:g} BPM" if piece.tempo_bpm else "", piece.key or ""]
    facts = ", ".join(fact for fact in (what, *music) if fact)
    return f"{facts}. {generated_label(piece)}".strip()


def generated_label(piece: Piece) -> str:
    """Return the sentence that says which stems a model made; empty if none."""
    stems = [part.label for part in piece.parts if part.is_generated]
    if not stems:
        return ""
    return f"AI-generated with StemGen, model {', '.join(piece.models)}: {', '.join(stems)}."


def _encode(path: Path, waveform: Waveform, kind: AudioFormat, tags: FileTags) -> None:
    with TemporaryDirectory(dir=path.parent) as folder:
        source = Path(folder) / "source.wav"
        write_wav(source, waveform)
        told = {"title": tags.title, "comment": tags.comment}
        if kind.tempo_tag and tags.tempo_bpm:
            told[kind.tempo_tag] = f"{tags.tempo_bpm:.0f}"
        command = [
            *("ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source), "-map_metadata", "-1"),
            *("-c:a", str(kind.encoder), *kind.arguments),
            *(word for name, text in told.items() for word in ("-metadata", f"{name}={text}")),
            str(target := Path(folder) / f"target{kind.suffix}"),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines()
            raise ExportError(f"ffmpeg could not write this file: {said[-1] if said else 'no reason given'}") from error
        except subprocess.TimeoutExpired as error:
            raise ExportError(f"ffmpeg took longer than {TIMEOUT_S:.0f} s. Try again, or take WAV or FLAC.") from error
        target.replace(path)


@functools.cache
def _ffmpeg_encoders() -> frozenset[str]:
    if shutil.which("ffmpeg") is None:
        return frozenset()
    listed = subprocess.run(["ffmpeg", "-hide_banner", "-encoders"], capture_output=True, text=True, check=False)
    return frozenset(line.split()[1] for line in listed.stdout.splitlines() if len(line.split()) > 1)
