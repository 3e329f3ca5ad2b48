"""A corpus of sine stems, written in the corpus's own format without FluidSynth."""

import json
from pathlib import Path

import numpy as np

from stemgen_core.corpus.piece import ChordSpan, Piece, StemScore, piece_to_json
from stemgen_core.corpus.storage import FORMAT_VERSION, HELDOUT_EVERY, Corpus
from stemgen_core.score import Note

RATE_HZ = 32_000
HELD_OUT = (19, 39, 59)
TRIAD = (0, 4, 7)


def compose(seed: int, duration_s: float) -> Piece:
    """Return a bass, a piano and drums that share roots and beat; root and tempo differ from piece to piece."""
    rng = np.random.default_rng(seed)
    beat_s = float(rng.choice([0.4, 0.48, 0.6]))
    beats_s = np.arange(float(rng.integers(0, 5)) * 0.04, duration_s - beat_s, beat_s).tolist()
    chords, bass, piano, drums, root = [], [], [], [], 0
    for number, start_s in enumerate(beats_s):
        if number % 4 == 0:
            root = int(rng.integers(12))
            end_s = beats_s[number + 4] if number + 4 < len(beats_s) else duration_s
            chords.append(ChordSpan(start_s, end_s, root, "major", tuple((root + step) % 12 for step in TRIAD)))
            piano += [Note(start_s, 60 + root + step, end_s - start_s - 0.04, 90) for step in TRIAD]
        bass.append(Note(start_s, 36 + root, 0.8 * beat_s, 100))
        drums.append(Note(start_s, 36 if number % 2 == 0 else 38, 0.1, 110))
    stems = (
        StemScore("bass", "bass", 33, tuple(bass), "roots"),
        StemScore("piano", "piano", 0, tuple(sorted(piano)), "chords"),
        StemScore("drums", "drums", 0, tuple(drums), "beat"),
    )
    beats = tuple(beats_s)
    return Piece(seed, "toy", 60 / beat_s, 4, 0, "major", tuple(chords), beats, beats[::4], stems, duration_s)


def render(piece: Piece) -> np.ndarray:
    """Return decaying sines, clicks for drums, int16 [S, L]."""
    audio = np.zeros((len(piece.stems), round(piece.duration_s * RATE_HZ)))
    for stem, sound in zip(piece.stems, audio, strict=True):
        for note in stem.notes:
            first = round(note.start_s * RATE_HZ)
            seconds = np.arange(min(round(note.duration_s * RATE_HZ), len(sound) - first)) / RATE_HZ
            hz = 440 * 2 ** ((note.pitch - 69) / 12)
            tone = np.sin(2 * np.pi * hz * seconds) + 0.5 * np.sin(4 * np.pi * hz * seconds)
            sound[first : first + len(seconds)] += 0.12 * tone * np.exp(-4 * seconds)
    return np.round(audio * 32_767).astype(np.int16)


def write_toy_corpus(folder: Path, *, num_training: int = 6, num_held_out: int = 2, duration_s: float = 6.0) -> Corpus:
    """Write some pieces of a corpus; the others count as not finished yet."""
    (folder / "pieces").mkdir(parents=True)
    for index in (*range(num_training), *HELD_OUT[:num_held_out]):
        piece = compose(index, duration_s)
        np.save(folder / "pieces" / f"{index:06d}.npy", render(piece))
        (folder / "pieces" / f"{index:06d}.json").write_text(json.dumps(piece_to_json(piece)))
    manifest = {
        "format_version": FORMAT_VERSION,
        "generator_version": 1,
        "seed": 1,
        "num_pieces": HELD_OUT[-1] + 1,
        "duration_s": duration_s,
        "sample_rate_hz": RATE_HZ,
        "heldout_every": HELDOUT_EVERY,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Corpus.open(folder)
