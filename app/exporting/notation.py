"""Notes of a piece as MIDI."""

from dataclasses import replace
from pathlib import Path

import mido

from app.exporting.piece import Part, Piece
from stemgen_core.instruments import find_instrument
from stemgen_core.sound.midi import DRUM_CHANNEL, write_midi
from stemgen_core.sound.programs import SOUNDS, Sound, choose_sound


def has_notes(piece: Piece) -> bool:
    """Return whether a stem of it was written as notes."""
    return any(part.notes for part in piece.parts)


def write_part(path: Path, part: Part, piece: Piece) -> None:
    """Write the notes of one stem as a MIDI file.

    Raises:
        ValueError: if it has none.
    """
    if part.notes is None:
        raise ValueError(f"{part.label} has no notes")
    nudge_s = part.mixer.nudge_ms / 1000
    notes = [replace(note, start_s=note.start_s + nudge_s) for note in part.notes if note.start_s + nudge_s >= 0]
    write_midi(path, notes, _sound_of(part), tempo_bpm=piece.grid_bpm)


def write_score(path: Path, piece: Piece, folder: Path) -> None:
    """Write the notes of every stem as one MIDI file, a track and a channel each.

    Args:
        path: of the file.
        piece: with at least one stem written as notes.
        folder: for files in between; they stay there.
    """
    score = mido.MidiFile(type=1)
    channels = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    for part in piece.parts:
        if not part.notes:
            continue
        write_part(folder / "one.mid", part, piece)
        single = mido.MidiFile(folder / "one.mid")
        score.ticks_per_beat = single.ticks_per_beat
        is_drums = any(message.type == "note_on" and message.channel == DRUM_CHANNEL for message in single.tracks[0])
        channel = DRUM_CHANNEL if is_drums else channels[len(score.tracks) % len(channels)]
        score.tracks.append(_retold(single.tracks[0], part.label, channel))
    score.save(path)


def _retold(track: mido.MidiTrack, name: str, channel: int) -> mido.MidiTrack:
    """Return a track under the user's name and on another channel."""
    told = mido.MidiTrack()
    for message in track:
        if message.type == "track_name":
            told.append(mido.MetaMessage("track_name", name=_latin(name), time=message.time))
        else:
            told.append(message if message.is_meta else message.copy(channel=channel))
    return told


def _latin(name: str) -> str:
    """MIDI text is Latin-1: what is not becomes a question mark."""
    return name.encode("latin-1", errors="replace").decode("latin-1")


def _sound_of(part: Part) -> Sound:
    """Return the sound that the stem was played with, or its category's own program where none is known."""
    instrument = find_instrument(part.node.instrument or "")
    if instrument.name in SOUNDS:
        return choose_sound(instrument.name, part.node.seed or 0, (part.node.settings or {}).get("genre"))
    return Sound(0, 0, instrument.label)
