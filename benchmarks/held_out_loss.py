"""Compare bundles of the score family by held-out loss: the same windows and masks for all of them.

    .venv/bin/python -m benchmarks.held_out_loss CORPUS BUNDLE [BUNDLE ...]

The instrument is given, other fields are not. Prints nats per hidden code, over all levels and for each.
"""

import argparse
from pathlib import Path

import torch

from stemgen_core.checkpoint import load_bundle
from stemgen_core.corpus.storage import Corpus
from stemgen_core.masking import mask_target
from stemgen_core.training.families import ScoreFamily
from stemgen_core.training.processes import Processes, SharedLoss

SEED = 4242  # of windows; evaluation and training use others
NUM_BATCHES, BATCH_SIZE, WINDOW_FRAMES, MASKS_PER_BATCH = 6, 16, 250, 2


def main() -> None:
    """Print one line per bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    parsed = parser.parse_args()
    family = ScoreFamily()
    pieces = Corpus.open(parsed.corpus).pieces("heldout")
    source = family.batches(pieces, batch_size=BATCH_SIZE, window_frames=WINDOW_FRAMES, seed=SEED, is_rough=False)
    batches = [source[index] for index in range(NUM_BATCHES)]
    for path in parsed.bundles:
        bundle = load_bundle(path)
        loss = SharedLoss(bundle.model, Processes())
        sums: dict[int, tuple[float, int]] = {}
        for index, batch in enumerate(batches):
            for number in range(MASKS_PER_BATCH):
                rng = torch.Generator().manual_seed(100 * index + number)
                masked = mask_target(
                    batch.codes, bundle.model.config.spec, batch.levels, rng, first_level_share=family.first_level_share
                )
                absent = {
                    field.name: torch.full((BATCH_SIZE,), field.absent_id) for field in bundle.model.config.fields
                }
                conditions = absent | {"instrument": batch.conditions["instrument"]}
                with torch.no_grad():
                    _, per_level = loss(batch.context, batch.codes, masked, conditions, torch.ones(BATCH_SIZE).bool())
                for level, (total, count) in per_level.items():
                    before = sums.get(level, (0.0, 0))
                    sums[level] = (before[0] + total, before[1] + count)
        everything = sum(total for total, _ in sums.values()) / sum(count for _, count in sums.values())
        levels = "  ".join(f"level {level} {total / count:.3f}" for level, (total, count) in sorted(sums.items()))
        print(f"{bundle.manifest.model_id}  all {everything:.4f}  {levels}", flush=True)


if __name__ == "__main__":
    main()
