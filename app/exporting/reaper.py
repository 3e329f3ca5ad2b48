"""A Reaper project: plain text that opens with every stem on its track, at its level, and at the right tempo."""

from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid5

from app.exporting.mixdown import fader_gain
from app.exporting.piece import Part, Piece

_STEREO_PAN = 5  # Reaper's mode that moves both channels, as the studio's panner does
_NO_PAN_LAW = 1.0  # the middle keeps its level


def reaper_project(piece: Piece, files: Mapping[str, str], *, mix_gain_db: float) -> str:
    """Return the project's text.

    Args:
        piece: what sounds.
        files: a stem's address relative to the project, by node id.
        mix_gain_db: of the master, so that the project sounds like the exported mix.
    """
    master = 10 ** (mix_gain_db / 20)
    lines = [
        '<REAPER_PROJECT 0.1 "6.0/StemGen" 0',
        f"  TEMPO {piece.grid_bpm:.6f} {piece.beats_per_bar} 4",
        f"  SAMPLERATE {piece.sample_rate_hz} 1 0",
        f"  PANLAW {_NO_PAN_LAW:g}",
        f"  PANMODE {_STEREO_PAN}",
        f"  MASTER_VOLUME {master:.8f} 0 -1 -1 1",
        "  LOOP 1",
        f"  SELECTION 0 {piece.duration_s:.9f}",
    ]
    for part in piece.parts:
        lines += _track(piece, part, files[part.node.id])
    return "\n".join([*lines, ">", ""])


def _track(piece: Piece, part: Part, file: str) -> list[str]:
    mixer = part.mixer
    gain = fader_gain(mixer)
    identity = "{" + str(uuid5(NAMESPACE_URL, part.node.id)).upper() + "}"
    return [
        f"  <TRACK {identity}",
        f"    NAME {quoted(part.label)}",
        f"    TRACKID {identity}",
        f"    VOLPAN {gain:.8f} {mixer.pan:.6f} {_NO_PAN_LAW:g} -1 1",
        f"    MUTESOLO {int(mixer.is_muted)} {int(mixer.is_soloed)} 0",
        f"    PANMODE {_STEREO_PAN}",
        "    NCHAN 2",
        "    <ITEM",
        "      POSITION 0",
        f"      LENGTH {piece.duration_s:.9f}",
        "      LOOP 0",
        f"      NAME {quoted(part.label)}",
        "      <SOURCE WAVE" if file.endswith(".wav") else "      <SOURCE FLAC",
        f"        FILE {quoted(file)}",
        "      >",
        "    >",
        "  >",
    ]


def quoted(text: str) -> str:
    """Return text as one word of the format, which knows three kinds of quotes and no escapes."""
    one_line = " ".join(text.split())
    for quote in "\"'`":
        if quote not in one_line:
            return f"{quote}{one_line}{quote}"
    return "`" + one_line.replace("`", "'") + "`"
