"""Compare bundles of the score family by held-out loss: the same windows and masks for all of them.

    .venv/bin/python -m benchmarks.held_out_loss CORPUS BUNDLE [BUNDLE ...]

The instrument is given, other fields are not. Prints nats per hidden code, over all levels and for each.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from stemgen_core.checkpoint import load_bundle
from stemgen_core.corpus.storage import Corpus
from stemgen_core.masking import mask_target
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.training.examples import ExampleBatch
from stemgen_core.training.families import ScoreFamily
from stemgen_core.training.processes import Processes, SharedLoss

SEED = 4242  # of windows; evaluation and training use others
NUM_BATCHES, BATCH_SIZE, WINDOW_FRAMES, MASKS_PER_BATCH = 6, 16, 250, 2


def held_out_batches(corpus: Path, num_batches: int = NUM_BATCHES) -> list[ExampleBatch]:
    """Return windows of the held-out pieces, the same in every call."""
    pieces = Corpus.open(corpus).pieces("heldout")
    source = ScoreFamily().batches(
        pieces, batch_size=BATCH_SIZE, window_frames=WINDOW_FRAMES, seed=SEED, is_rough=False
    )
    return [source[index] for index in range(num_batches)]


def measure_loss(model: StemTransformer, batches: Sequence[ExampleBatch]) -> tuple[float, dict[int, float]]:
    """Return nats per hidden code, over all levels and for each."""
    loss = SharedLoss(model, Processes())
    sums: dict[int, tuple[float, int]] = {}
    absent = {field.name: torch.full((BATCH_SIZE,), field.absent_id) for field in model.config.fields}
    for index, batch in enumerate(batches):
        for number in range(MASKS_PER_BATCH):
            rng = torch.Generator().manual_seed(100 * index + number)
            masked = mask_target(
                batch.codes, model.config.spec, batch.levels, rng, first_level_share=ScoreFamily.first_level_share
            )
            conditions = absent | {"instrument": batch.conditions["instrument"]}
            with torch.no_grad():
                _, per_level = loss(batch.context, batch.codes, masked, conditions, torch.ones(BATCH_SIZE).bool())
            for level, (total, count) in per_level.items():
                before = sums.get(level, (0.0, 0))
                sums[level] = (before[0] + total, before[1] + count)
    everything = sum(total for total, _ in sums.values()) / sum(count for _, count in sums.values())
    return everything, {level: total / count for level, (total, count) in sorted(sums.items())}


def main() -> None:
    """Print one line per bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    parsed = parser.parse_args()
    batches = held_out_batches(parsed.corpus)
    for path in parsed.bundles:
        bundle = load_bundle(path)
        everything, per_level = measure_loss(bundle.model, batches)
        levels = "  ".join(f"level {level} {nats:.3f}" for level, nats in per_level.items())
        print(f"{bundle.manifest.model_id}  all {everything:.4f}  {levels}", flush=True)


if __name__ == "__main__":
    main()
