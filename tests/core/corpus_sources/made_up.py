"""Small made-up collections in the layouts that sources read."""

import json
from pathlib import Path

import mido
import numpy as np
import soundfile

RATE_HZ = 16_000


def write_song(
    path: Path,
    parts: list[tuple[int, int, list[int]]],
    *,
    tempo_bpm: float = 120.0,
    transpose: int = 0,
    num_beats: int = 64,
) -> None:
    """Write a MIDI file: (channel, program, pitches), one pitch a beat in turns."""
    file = mido.MidiFile(ticks_per_beat=96)
    head = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo_bpm))])
    head.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    file.tracks.append(head)
    for channel, program, pitches in parts:
        track = mido.MidiTrack([mido.Message("program_change", channel=channel, program=program)])
        for beat in range(num_beats):
            pitch = pitches[beat % len(pitches)] + (0 if channel == 9 else transpose)
            track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=90))
            track.append(mido.Message("note_off", channel=channel, note=pitch, time=96))
        file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)


BAND = [(0, 0, [60, 64, 67, 72]), (1, 33, [36, 36, 43, 43]), (9, 0, [36, 42, 38, 42])]
OTHER_BAND = [(0, 24, [57, 60, 64, 62]), (1, 38, [33, 40, 33, 41]), (2, 73, [69, 71, 72, 74])]


def write_tone(path: Path, hz: float, *, seconds: float = 6.0, level: float = 0.3) -> None:
    """Write a tone as audio."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)
    soundfile.write(path, samples, RATE_HZ)


def write_musdb(folder: Path, *songs: str) -> None:
    """Write songs as MUSDB18-HQ has them."""
    for number, song in enumerate(songs):
        for place, name in enumerate(("mixture", "drums", "bass", "other", "vocals")):
            write_tone(folder / song / f"{name}.wav", 100 * (place + 1) + number)


def write_slakh(folder: Path, *tracks: str) -> None:
    """Write tracks as Slakh2100 has them, with the MIDI of each stem."""
    for number, track in enumerate(tracks):
        place = folder / track
        for stem, hz in (("S00", 220.0), ("S01", 110.0), ("S02", 330.0)):
            write_tone(place / "stems" / f"{stem}.flac", hz + number)
        write_song(place / "MIDI" / "S00.mid", [(0, 4, [57, 60])], num_beats=12)
        (place / "metadata.yaml").write_text(
            "stems:\n"
            "  S00: {inst_class: Piano, is_drum: false, program_num: 4}\n"
            "  S01: {inst_class: Bass, is_drum: false, program_num: 33}\n"
            "  S02: {inst_class: Drums, is_drum: true, program_num: 128}\n"
            "  S03: {inst_class: Guitar, is_drum: false, program_num: 27}\n"  # listed, but not rendered
        )


def write_moises(folder: Path, song: str) -> None:
    """Write a song as MoisesDB has it: a stem of two tracks, one of one, one whose name says nothing."""
    stems = []
    for name, ids in (("guitar", ("a1", "a2")), ("vocals", ("b1",)), ("other", ("c1",))):
        for place, identifier in enumerate(ids):
            write_tone(folder / song / name / f"{identifier}.wav", 200.0 + 100 * place)
        stems.append({"stemName": name, "tracks": [{"id": identifier, "extension": "wav"} for identifier in ids]})
    (folder / song / "data.json").write_text(json.dumps({"song": song, "stems": stems}))
