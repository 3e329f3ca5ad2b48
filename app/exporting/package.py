"""All of a piece in one zip: stems, mix, notes, settings and a project that puts them together."""

import json
import zipfile
from pathlib import Path
from typing import Any

from app.exporting.encoding import FileTags, describe, generated_label, write_audio
from app.exporting.mixdown import Mixdown, mix_parts, placed
from app.exporting.notation import has_notes, write_part, write_score
from app.exporting.piece import Part, Piece
from app.exporting.reaper import reaper_project
from sessions.tree import Mixer

SETTINGS_FORMAT = "stemgen-piece"
SETTINGS_VERSION = 1

_READ_ME = """{title}

stems/        every stem as it is, before its fader: one length, one start; drop them all at bar 1
{mix}  the mix as the faders stand{turned_down}
{project}  the same in Reaper: tracks, volumes, pans, mutes and tempo
settings.json seeds, settings and models, to make every stem again
{midi}
{label}
"""


def write_package(path: Path, piece: Piece, format_name: str) -> None:
    """Write the zip.

    Args:
        path: of the zip.
        piece: what sounds.
        format_name: of stems and mix; lossless, so that they add up.

    Raises:
        ExportError: if the format can't be written.
    """
    mixdown = mix_parts(piece.parts, piece.num_audio_samples)
    mix_name = f"{piece.file_stem}.{format_name}"
    folder = path.parent
    # Audio hardly shrinks further: stored files open faster, and a DAW can read them in place.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, strict_timestamps=False) as package:

        def add_text(name: str, text: str) -> None:
            package.writestr(f"{piece.file_stem}/{name}", text, zipfile.ZIP_DEFLATED)

        def add_file(name: str) -> None:
            package.write(folder / "member", f"{piece.file_stem}/{name}")
            (folder / "member").unlink()

        files = {part.node.id: f"stems/{part.file_stem}.{format_name}" for part in piece.parts}
        for part in piece.parts:
            tags = FileTags(part.label, describe(piece, _part_words(part)), piece.tempo_bpm)
            write_audio(folder / "member", placed(part, piece.num_audio_samples), format_name, tags)
            add_file(files[part.node.id])
        tags = FileTags(piece.title, describe(piece, "Mix"), piece.tempo_bpm)
        write_audio(folder / "member", mixdown.waveform, format_name, tags)
        add_file(mix_name)
        midi_files = {part.node.id: f"midi/{part.file_stem}.mid" for part in piece.parts if part.notes}
        for part in piece.parts:
            if part.notes:
                write_part(folder / "member", part, piece)
                add_file(midi_files[part.node.id])
        if has_notes(piece):
            write_score(folder / "member", piece, folder)
            add_file(f"midi/{piece.file_stem}.mid")
        add_text(f"{piece.file_stem}.rpp", reaper_project(piece, files, mix_gain_db=mixdown.gain_db))
        settings = settings_of(piece, mixdown, mix_file=mix_name, files=files, midi_files=midi_files)
        add_text("settings.json", json.dumps(settings, indent=2, ensure_ascii=False))
        add_text("README.txt", _read_me(piece, mixdown, mix_name))


def settings_of(
    piece: Piece,
    mixdown: Mixdown,
    *,
    mix_file: str | None = None,
    files: dict[str, str] | None = None,
    midi_files: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return everything that makes the piece again, as JSON values.

    Args:
        piece: what sounds.
        mixdown: of it.
        mix_file: address of the mix in the package, if there is one.
        files: addresses of the stems in the package, by node id.
        midi_files: addresses of the stems' notes in the package, by node id.
    """
    return {
        "format": SETTINGS_FORMAT,
        "version": SETTINGS_VERSION,
        "title": piece.title,
        "ai_generated": any(part.is_generated for part in piece.parts),
        "label": generated_label(piece),
        "tempo_bpm": piece.tempo_bpm,
        "beats_per_bar": piece.beats_per_bar,
        "key": piece.key,
        "sample_rate_hz": piece.sample_rate_hz,
        "num_audio_samples": piece.num_audio_samples,
        "mix": {"file": mix_file, "gain_db": mixdown.gain_db},
        "stems": [
            {
                "label": part.label,
                "file": (files or {}).get(part.node.id),
                "midi_file": (midi_files or {}).get(part.node.id),
                "ai_generated": part.is_generated,
                "made_on": list(part.made_on),
                "instrument": part.node.instrument,
                "seed": part.node.seed,
                "model_id": part.node.model_id,
                "settings": part.node.settings,
                "fit": part.node.fit,
                "mixer": _mixer(part.mixer),
            }
            for part in piece.parts
        ],
    }


def _mixer(mixer: Mixer) -> dict[str, Any]:
    return {
        "gain_db": mixer.gain_db,
        "pan": mixer.pan,
        "is_muted": mixer.is_muted,
        "is_soloed": mixer.is_soloed,
        "nudge_ms": mixer.nudge_ms,
    }


def _part_words(part: Part) -> str:
    return f"Stem, seed {part.node.seed}" if part.is_generated else "Context"


def _read_me(piece: Piece, mixdown: Mixdown, mix_name: str) -> str:
    return _READ_ME.format(
        title=piece.title,
        mix=mix_name,
        turned_down=f", turned down by {-mixdown.gain_db:.1f} dB so that nothing clips" if mixdown.gain_db else "",
        project=f"{piece.file_stem}.rpp",
        midi="midi/         the notes of the stems, one file each and all in one\n" if has_notes(piece) else "",
        label=generated_label(piece),
    )
