"""How often the pulse of a context is found: tracked tempo and sixteenths against what the pieces know.

    .venv/bin/python -m benchmarks.tracked_tempo CORPUS [--batches 25]

Contexts are mixes of some stems, roughened, as training has them; only composed pieces, whose beats are known for sure.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from stemgen_core.analysis.onset import onset_envelope
from stemgen_core.analysis.tempo import estimate_tempo
from stemgen_core.codec.context_features import FRAME_LENGTH, SAMPLE_RATE_HZ
from stemgen_core.codec.pulse_features import beat_position
from stemgen_core.corpus.storage import Corpus, CorpusPiece
from stemgen_core.training.examples import TARGETS_PER_CONTEXT
from stemgen_core.training.families import ScoreBatches
from stemgen_core.types import Waveform

SEED = 9
BATCH_SIZE, WINDOW_FRAMES = 16, 250
RATIOS = (1, 2, 0.5, 3, 1 / 3)
SAME_TEMPO_OCTAVES = 0.03
LINE_WINDOW_S = 0.025


class _Contexts(ScoreBatches):
    """Batches whose "features" are the contexts themselves."""

    def _hear(self, contexts: torch.Tensor, num_frames: int, rng: np.random.Generator) -> torch.Tensor:
        return contexts


def main() -> None:
    """Print how often tempo and grid were found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--batches", type=int, default=25, help="of 8 contexts")
    parsed = parser.parse_args()
    pieces = [entry for entry in Corpus.open(parsed.corpus).pieces() if entry.piece.source == "composer"]
    source = _Contexts(
        pieces,
        batch_size=BATCH_SIZE,
        window_frames=WINDOW_FRAMES,
        frame_length=FRAME_LENGTH,
        sample_rate_hz=SAMPLE_RATE_HZ,
        seed=SEED,
        is_rough=True,
    )
    found = [each for number in range(parsed.batches) for each in _compare(source, number, pieces)]
    tempo, grid = np.array(found, float).T
    print(f"{len(found)} contexts: tempo {tempo.mean():.2f}, tempo and grid {(tempo * (grid > 0.8)).mean():.2f}")


def _compare(source: _Contexts, number: int, pieces: Sequence[CorpusPiece]) -> list[tuple[bool, float]]:
    """Return for each context whether its tempo was found, and the share of beats on tracked sixteenths."""
    batch = source[number]
    found = []
    for context, place in list(zip(batch.context, batch.places, strict=True))[::TARGETS_PER_CONTEXT]:
        piece = pieces[place.piece].piece
        estimate = estimate_tempo(onset_envelope(Waveform(context, SAMPLE_RATE_HZ)))
        if estimate.bpm is None or piece.tempo_bpm is None or len(estimate.beats_s) < 2:
            found.append((False, 0.0))
            continue
        octaves = [abs(np.log2(estimate.bpm / piece.tempo_bpm * ratio)) for ratio in RATIOS]
        duration_s = context.shape[-1] / SAMPLE_RATE_HZ
        beats_s = np.array(piece.beat_times_s) - place.start_frame * FRAME_LENGTH / SAMPLE_RATE_HZ
        beats_s = beats_s[(beats_s > 0.2) & (beats_s < duration_s - 0.2)]
        sixteenths = 4 * beat_position(beats_s, estimate.beats_s, 60 / estimate.bpm)
        distance_s = np.abs(sixteenths - np.round(sixteenths)) * 15 / estimate.bpm
        found.append((min(octaves) < SAME_TEMPO_OCTAVES, float((distance_s < LINE_WINDOW_S).mean())))
    return found


if __name__ == "__main__":
    main()
