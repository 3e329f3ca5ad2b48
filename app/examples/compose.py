"""Makes the example clips: `python -m app.examples.compose`, with what `make corpus-tools` installs.

Each is four bars of one stem of a generated piece. The bars are rendered twice in a row and the second pass is kept,
so that what rings over the end is there at the beginning and the clip loops without a seam.
"""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from app.examples import FOLDER, INDEX_NAME
from stemgen_core.audio import write_flac
from stemgen_core.corpus.arrangement import compose_piece
from stemgen_core.corpus.offline_synth import SAMPLE_RATE_HZ
from stemgen_core.corpus.piece import Piece, StemScore
from stemgen_core.corpus.render import render_stem
from stemgen_core.score import Note
from stemgen_core.types import Waveform

NUM_BARS = 4
EARLY_S = 0.05  # players are a little early now and then; such a note belongs to the bar that it leads into
PEAK = 0.7
_PITCH_CLASSES = ("C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One clip: which stem of which piece."""

    id: str
    label: str
    seed: int
    stem_name: str


# Seeds for version 3 of the generator; the clips in the folder were made by an earlier one.
RECIPES = (
    Recipe("drums", "Soul drums", 10, "drums"),
    Recipe("chords", "Lo-fi piano chords", 79, "piano"),
    Recipe("melody", "Saxophone melody", 425, "reed"),
)


def compose_clip(recipe: Recipe) -> tuple[Waveform, str]:
    """Render a clip.

    Returns:
        The clip, and one line that says its tempo, key and length.
    """
    piece = compose_piece(recipe.seed)
    stem = next(stem for stem in piece.stems if stem.name == recipe.stem_name)
    bar_s = piece.downbeat_times_s[1] - piece.downbeat_times_s[0]
    num_audio_samples = round(NUM_BARS * bar_s * SAMPLE_RATE_HZ)
    looped = _twice(stem, piece.downbeat_times_s[0], num_audio_samples / SAMPLE_RATE_HZ)
    both = render_stem(
        looped, seed=piece.seed, genre=piece.genre, num_audio_samples=2 * num_audio_samples, is_heldout=False
    )
    clip = torch.from_numpy(both[num_audio_samples:].copy())[None]
    return Waveform(clip * (PEAK / clip.abs().max()), SAMPLE_RATE_HZ), _describe(piece, stem)


def _twice(stem: StemScore, start_s: float, loop_s: float) -> StemScore:
    """Return the stem's notes from `start_s` on, for one loop, twice in a row."""
    once = [
        replace(note, start_s=max(0.0, note.start_s - start_s))
        for note in stem.notes
        if -EARLY_S <= note.start_s - start_s < loop_s - EARLY_S
    ]
    # A note held past the end would sound on into its own repetition.
    once = [replace(note, duration_s=min(note.duration_s, loop_s - note.start_s)) for note in once]
    again = [Note(note.start_s + loop_s, note.pitch, note.duration_s, note.velocity) for note in once]
    return replace(stem, notes=tuple(sorted([*once, *again])))


def _describe(piece: Piece, stem: StemScore) -> str:
    words = [f"{piece.tempo_bpm:.0f} BPM", f"{NUM_BARS} bars"]
    if stem.instrument != "drums" and piece.key_pitch_class is not None:
        words.insert(1, f"{_PITCH_CLASSES[piece.key_pitch_class]} {piece.mode}")
    return ", ".join(words)


def main(folder: Path = FOLDER) -> int:
    """Write every clip and their index."""
    index = []
    for recipe in RECIPES:
        clip, detail = compose_clip(recipe)
        write_flac(folder / f"{recipe.id}.flac", clip, bit_depth=16)
        index.append({"id": recipe.id, "label": recipe.label, "detail": detail})
    (folder / INDEX_NAME).write_text(json.dumps(index, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
