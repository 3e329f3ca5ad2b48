"""Is the genre obeyed that was asked for? By the notes, with what true stems and random labels give beside it.

`python -m benchmarks.genre_obedience CORPUS --items 24` learns from the corpus's training pieces how each genre is
played, says how much of that true held-out stems show, and then asks the model twice for each context, with the same
seed: for the piece's own genre and for another one.
"""

import argparse
import random
from pathlib import Path

import numpy as np
import torch

from stemgen_core.checkpoint import SHIPPED_BUNDLE_PATH
from stemgen_core.corpus.piece import Piece
from stemgen_core.corpus.sources.source import Split
from stemgen_core.corpus.storage import Corpus
from stemgen_core.evaluation.controls import mean_interval
from stemgen_core.evaluation.genre_style import Features, GenreStyles, describe, kind_of
from stemgen_core.evaluation.held_out import EvaluationItem, held_out_windows
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.sampling.settings import settings_from_preset
from stemgen_core.score import crop_notes

WINDOW_S = 10.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", type=Path, default=SHIPPED_BUNDLE_PATH)
    parser.add_argument("--items", type=int, default=24, help="0: true stems only")
    parser.add_argument("--preset", default="fast")
    parsed = parser.parse_args()
    corpus = Corpus.open(parsed.corpus)
    styles = GenreStyles.learn(described(corpus, "train"))
    rng = random.Random(1)
    true = [row for row in described(corpus, "heldout") if styles.knows(row[0], row[1])]
    ranks = [styles.rank_of(instrument, features, genre) for instrument, genre, features in true]
    print(f"true held-out stems: {line(ranks)}")
    for kind in styles.means:
        of_kind = [rank for rank, row in zip(ranks, true, strict=True) if kind_of(row[0]) == kind]
        print(f"  {kind}: {line(of_kind)}")
    labels = [rng.choice(list(styles.means["pitched"])) for _ in true]
    known = [(row, label) for row, label in zip(true, labels, strict=True) if styles.knows(row[0], label)]
    print(f"true stems, random labels: {line([styles.rank_of(row[0], row[2], label) for row, label in known])}")
    if parsed.items:
        torch.set_num_threads(1)
        generated(parsed, corpus, styles, rng)


def generated(parsed: argparse.Namespace, corpus: Corpus, styles: GenreStyles, rng: random.Random) -> None:
    """Ask for the own genre and for another one, in the same context with the same seed."""
    generator = StemGenerator.load(parsed.model)
    pieces = [entry for entry in corpus.pieces("heldout") if entry.piece.genre in generator.genres]
    by_index = {str(entry.index): entry.piece for entry in pieces}
    own_ranks, other_ranks, unasked_ranks, leans = [], [], [], []
    names = [instrument.name for instrument in generator.instruments]
    for item in held_out_windows(pieces, names, num_items=parsed.items, window_s=WINDOW_S, seed=1):
        piece = by_index[item.piece]
        known = [name for name in generator.genres if name != piece.genre and styles.knows(item.instrument, name)]
        if item.facts is None or not known or not styles.knows(item.instrument, piece.genre):
            continue
        other = rng.choice(known)
        own_stem, other_stem = (play(generator, item, genre, parsed.preset) for genre in (piece.genre, other))
        if own_stem is None or other_stem is None:
            continue
        own_ranks.append(styles.rank_of(item.instrument, own_stem, piece.genre))
        other_ranks.append(styles.rank_of(item.instrument, other_stem, other))
        unasked_ranks.append(styles.rank_of(item.instrument, own_stem, other))
        towards = [styles.leaning(item.instrument, stem, other, piece.genre) for stem in (other_stem, own_stem)]
        leans.append(float(towards[0] > towards[1]) if towards[0] != towards[1] else 0.5)
    print(f"asked for the piece's own genre: {line(own_ranks)}")
    print(f"asked for another genre: {line(other_ranks)}")
    print(f"that other genre, where it was not asked for: {line(unasked_ranks)}")
    print(f"of two stems for one context, leans to what it was asked for: {line(leans)}")


def play(generator: StemGenerator, item: EvaluationItem, genre: str, preset: str) -> Features | None:
    """Return how the stem is played that the model makes."""
    request = GenerationRequest(item.instrument, item.seed, settings_from_preset(preset), genre=genre)
    notes = generator.generate(item.context, request, is_scored=False).notes
    return describe(notes or (), () if item.facts is None else item.facts.beats_s)


def described(corpus: Corpus, split: Split) -> list[tuple[str, str, Features]]:
    """Return instrument, genre and description of every stem of the composed pieces of a split, window by window."""
    rows = []
    for entry in corpus.pieces(split):
        piece = entry.piece
        if piece.source == "composer":
            for start_s in np.arange(0, piece.duration_s - WINDOW_S + 1, WINDOW_S):
                rows += of_window(piece, float(start_s))
    return rows


def of_window(piece: Piece, start_s: float) -> list[tuple[str, str, Features]]:
    """Return the same of one window of a piece."""
    beats = [time_s - start_s for time_s in piece.beat_times_s if start_s <= time_s < start_s + WINDOW_S]
    found = [
        (stem.instrument, piece.genre, describe(crop_notes(stem.notes, start_s, start_s + WINDOW_S), beats))
        for stem in piece.stems
    ]
    return [(instrument, genre, features) for instrument, genre, features in found if features is not None]


def line(values: list[float]) -> str:
    """Return mean, 95 % bootstrap interval and number."""
    if not values:
        return "nothing"
    interval = mean_interval(np.array(values))
    return f"{interval.mean:.2f} ({interval.low:.2f} to {interval.high:.2f}), {interval.num_items} stems"


if __name__ == "__main__":
    main()
