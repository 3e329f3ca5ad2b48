"""A small folder of stems with MIDI, laid out as Slakh2100 is: something to fine-tune a bundle on.

`python -m benchmarks.slakh_folder FOLDER --genre techno` composes and renders songs of one genre, some of them into
`test/`, which `stemgen train lm --data FOLDER` holds out.
"""

import argparse
from pathlib import Path

import soundfile
import yaml

from stemgen_core.corpus.arrangement import compose_piece
from stemgen_core.corpus.genre_table import GENRES
from stemgen_core.corpus.offline_synth import SAMPLE_RATE_HZ
from stemgen_core.corpus.piece import Piece
from stemgen_core.corpus.render import render_piece
from stemgen_core.sound.midi import write_midi
from stemgen_core.sound.programs import DRUM_BANK, Sound

FIRST_SEED = 7_000_000_000  # no corpus gets that far


def main() -> None:
    """Write the songs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--genre", choices=tuple(GENRES), default="techno")
    parser.add_argument("--songs", type=int, default=16)
    parser.add_argument("--held-out", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=48.0)
    parsed = parser.parse_args()
    seed = FIRST_SEED
    for number in range(parsed.songs):
        while compose_piece(seed, 1.0).genre != parsed.genre:  # the genre is drawn first, whatever the length
            seed += 1
        piece = compose_piece(seed, parsed.seconds)
        seed += 1
        split = "test" if number < parsed.held_out else "train"
        write_song(parsed.folder / split / f"Track{number + 1:05d}", piece)
    print(f"{parsed.songs} songs of {parsed.genre}, {parsed.held_out} of them in test: {parsed.folder}")


def write_song(place: Path, piece: Piece) -> None:
    """Write stems, their MIDI and what Slakh says of them."""
    (place / "stems").mkdir(parents=True, exist_ok=True)
    (place / "MIDI").mkdir(exist_ok=True)
    stems = {}
    for number, (stem, samples) in enumerate(zip(piece.stems, render_piece(piece), strict=True)):
        key, is_drum = f"S{number:02d}", stem.instrument == "drums"
        soundfile.write(place / "stems" / f"{key}.flac", samples, SAMPLE_RATE_HZ)
        sound = Sound(DRUM_BANK if is_drum else 0, stem.program, stem.name)
        write_midi(place / "MIDI" / f"{key}.mid", stem.notes, sound, tempo_bpm=piece.tempo_bpm or 120.0)
        stems[key] = {"inst_class": stem.instrument, "is_drum": is_drum, "program_num": stem.program}
    (place / "metadata.yaml").write_text(yaml.safe_dump({"stems": stems}), encoding="utf-8")


if __name__ == "__main__":
    main()
