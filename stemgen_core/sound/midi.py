"""Notes as a MIDI file."""

from collections.abc import Sequence
from pathlib import Path

import mido

from stemgen_core.score import Note
from stemgen_core.sound.programs import DRUM_BANK, Sound

TICKS_PER_BEAT = 960
DRUM_CHANNEL = 9


def write_midi(path: Path, notes: Sequence[Note], sound: Sound, *, tempo_bpm: float = 120.0) -> None:
    """Write notes as a type 0 file that plays at the times the notes have, whatever the tempo it states.

    Args:
        path: of the file.
        notes: in any order.
        sound: sets program and channel.
        tempo_bpm: what the file states, so that bars in an editor fall where they should.

    Raises:
        ValueError: if the tempo is not positive.
    """
    if tempo_bpm <= 0:
        raise ValueError(f"tempo_bpm must be positive, got {tempo_bpm}")
    channel = DRUM_CHANNEL if sound.bank == DRUM_BANK else 0
    ticks_per_second = TICKS_PER_BEAT * tempo_bpm / 60
    events = []
    for note in notes:
        # A release at the tick of the next onset comes first, or it would end the new note of the same pitch. For the
        # same reason no note is shorter than a tick: its own release would come before it, and it would never end.
        onset_tick = round(note.start_s * ticks_per_second)
        events.append((onset_tick, 1, note.pitch, note.velocity))
        events.append((max(round(note.end_s * ticks_per_second), onset_tick + 1), 0, note.pitch, 0))
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name=sound.label))
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo_bpm)))
    track.append(mido.Message("program_change", channel=channel, program=sound.program))
    now = 0
    for tick, is_onset, pitch, velocity in sorted(events):
        kind = "note_on" if is_onset else "note_off"
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(track)
    file.save(path)
