"""Compare decoding settings by what they write: notes against the score of held-out pieces, without rendering.

    .venv/bin/python -m benchmarks.preset_choice CORPUS [--bundle BUNDLE] [--batches 3]

The pieces are the corpus's held-out ones, with their held-out font; presets were chosen with this table. Lines with
candidates weigh choosing against more steps: what chooses is the listening score, which is among none of the columns.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from stemgen_core.checkpoint import SHIPPED_BUNDLE_PATH, load_bundle
from stemgen_core.corpus.storage import Corpus, CorpusPiece
from stemgen_core.model.precision import gains_by_bfloat16, halve_blocks
from stemgen_core.sampling.settings import PRESETS, SamplingSettings
from stemgen_core.training.examples import ExampleBatch
from stemgen_core.training.families import ScoreFamily
from stemgen_core.training.listening import score_listening

SEED = 77  # of the windows; evaluation and training use others
BASE = SamplingSettings(num_steps=(16, 8, 4), context_guidance_scale=2.0, top_p=0.95)
CANDIDATES = {
    "fast": PRESETS["fast"],
    "balanced": PRESETS["balanced"],
    "unguided": replace(BASE, context_guidance_scale=1.0),
    "guidance 1.5": replace(BASE, context_guidance_scale=1.5),
    "guidance 3": replace(BASE, context_guidance_scale=3.0),
    "guidance 2, density 1": replace(BASE, density_guidance_share=1.0),
    "guidance 2, density 0": replace(BASE, density_guidance_share=0.0),
    "guidance 2, density 0.3": replace(BASE, density_guidance_share=0.3),
    "guidance 3, density 1": replace(BASE, context_guidance_scale=3.0, density_guidance_share=1.0),
    "guidance 3, density 0": replace(BASE, context_guidance_scale=3.0, density_guidance_share=0.0),
    "guidance 3, density 0.3": replace(BASE, context_guidance_scale=3.0, density_guidance_share=0.3),
    "guidance 4, density 0": replace(BASE, context_guidance_scale=4.0, density_guidance_share=0.0),
    "top p 1": replace(BASE, top_p=1.0),
    "top p 0.98": replace(BASE, top_p=0.98),
    "top p 0.9": replace(BASE, top_p=0.9),
    "temperature 0.9": replace(BASE, temperature=0.9),
    "temperature 1.1": replace(BASE, temperature=1.1, top_p=0.98),
    "confidence 0": replace(BASE, confidence_weight=0.0),
    "confidence 1": replace(BASE, confidence_weight=1.0),
    "causal bias 0": replace(BASE, causal_bias=0.0),
    "causal bias 0.5": replace(BASE, causal_bias=0.5),
    "causal bias 2": replace(BASE, causal_bias=2.0),
    "32 steps": replace(BASE, num_steps=(32, 16, 8)),
    "64 steps": replace(BASE, num_steps=(64, 32, 16)),
    "2 candidates": replace(BASE, num_candidates=2),
    "3 candidates": replace(BASE, num_candidates=3),
    "4 candidates": replace(BASE, num_candidates=4),
    "fast, 2 candidates": replace(PRESETS["fast"], num_candidates=2),
    "fast, 4 candidates": replace(PRESETS["fast"], num_candidates=4),
    "fast, 8 candidates": replace(PRESETS["fast"], num_candidates=8),
    "all levels guided": replace(BASE, num_guided_levels=99),
}


def main() -> None:
    """Print one line per setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--bundle", type=Path, default=SHIPPED_BUNDLE_PATH)
    parser.add_argument("--batches", type=int, default=3, help="of 16 windows")
    parser.add_argument("--only", nargs="*", choices=sorted(CANDIDATES), help="names of settings")
    parsed = parser.parse_args()
    torch.set_num_threads(1)
    bundle = load_bundle(parsed.bundle)
    pieces = Corpus.open(parsed.corpus).pieces("heldout")
    window = bundle.manifest.window_frames
    batches = draw_batches(pieces, window, parsed.batches)
    if gains_by_bfloat16():  # as the generator does
        halve_blocks(bundle.model)
    print(f"{'settings':24} chords (chance)  onsets (chance)  notes, length per true  silent  s per stem (CPU)")
    for name in parsed.only or CANDIDATES:
        started, cpu_started = time.monotonic(), time.process_time()
        score = score_listening(bundle.model, pieces, batches, CANDIDATES[name])
        stems = 16 * len(batches)
        seconds, cpu = (time.monotonic() - started) / stems, (time.process_time() - cpu_started) / stems
        print(
            f"{name:24} {score.chord_share:.3f} ({score.other_chord_share:.3f})"
            f"   {score.onset_hits:.3f} ({score.other_onset_hits:.3f})"
            f"   {score.note_rate_ratio:.2f}, {score.note_length_ratio:.2f}"
            f"   {score.silent_share:.3f}   {seconds:.2f} ({cpu:.2f})",
            flush=True,
        )


def draw_batches(pieces: Sequence[CorpusPiece], window_frames: int, count: int) -> list[ExampleBatch]:
    """Return batches of 16 windows, the same for every line."""
    source = ScoreFamily().batches(pieces, batch_size=16, window_frames=window_frames, seed=SEED, is_rough=False)
    return [_only_instruments(source[index]) for index in range(count)]


def _only_instruments(batch: ExampleBatch) -> ExampleBatch:
    """Leave genre and category open, as most requests do."""
    return replace(batch, conditions={"instrument": batch.conditions["instrument"]})


if __name__ == "__main__":
    main()
