"""Folders of stems to fine-tune on: the toy corpus's pieces as people keep their own music."""

from pathlib import Path

import numpy as np
import soundfile

from stemgen_core.sound.midi import write_midi
from stemgen_core.sound.programs import DRUM_BANK, Sound
from tests.core.toy_corpus import RATE_HZ, compose, render

SONG_S = 5.0


def write_plain_songs(folder: Path, *, num_songs: int = 3, num_channels: int = 1) -> Path:
    """Write `song/bass.wav` and so on; with two channels, each stem stands at a side of its own."""
    for seed in range(num_songs):
        piece = compose(seed, SONG_S)
        place = folder / f"song {seed}"
        place.mkdir(parents=True)
        for number, (stem, samples) in enumerate(zip(piece.stems, render(piece), strict=True)):
            sides = np.array([1.0, 1.0] if num_channels == 1 else [0.2 + 0.4 * number, 1.0 - 0.4 * number])
            sound = (samples[:, None] / 32_768 * sides)[:, :num_channels]  # [L, C]
            soundfile.write(place / f"{stem.name}.wav", sound, RATE_HZ)
    return folder


def write_songs_with_notes(folder: Path, *, num_songs: int = 3) -> Path:
    """Write songs as Slakh2100 has them, with the MIDI of each stem."""
    for seed in range(num_songs):
        piece = compose(seed, SONG_S)
        place, lines = folder / f"Track{seed:05d}", ["stems:"]
        (place / "stems").mkdir(parents=True)
        (place / "MIDI").mkdir()
        for number, (stem, samples) in enumerate(zip(piece.stems, render(piece), strict=True)):
            key, is_drum = f"S{number:02d}", stem.instrument == "drums"
            soundfile.write(place / "stems" / f"{key}.flac", samples, RATE_HZ)
            sound = Sound(DRUM_BANK if is_drum else 0, stem.program, stem.name)
            write_midi(place / "MIDI" / f"{key}.mid", stem.notes, sound)
            lines.append(f"  {key}: {{is_drum: {str(is_drum).lower()}, program_num: {stem.program}}}")
        (place / "metadata.yaml").write_text("\n".join(lines) + "\n")
    return folder
