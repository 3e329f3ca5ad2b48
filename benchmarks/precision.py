"""Speed and held-out loss of a bundle's blocks in float32, bfloat16 and int8.

    .venv/bin/python -m benchmarks.precision CORPUS [--bundle BUNDLE]

Milliseconds are processor time of one pass over 250 frames on one thread, the least of six; int8 is torch's dynamic
quantisation of linear layers. Losses are those of `benchmarks.held_out_loss`, on its first two batches.
"""

import argparse
import copy
import time
import warnings
from pathlib import Path

import torch
from torch import nn

from benchmarks.held_out_loss import WINDOW_FRAMES, held_out_batches, measure_loss
from stemgen_core.checkpoint import SHIPPED_BUNDLE_PATH, load_bundle
from stemgen_core.model.precision import gains_by_bfloat16, halve_blocks
from stemgen_core.model.transformer import StemTransformer

NUM_ITEMS = (1, 2, 4, 8)
NUM_RUNS = 6
NUM_BATCHES = 2


def main() -> None:
    """Print one row per precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--bundle", type=Path, default=SHIPPED_BUNDLE_PATH)
    parsed = parser.parse_args()
    torch.set_num_threads(1)
    batches = held_out_batches(parsed.corpus, NUM_BATCHES)
    whole = load_bundle(parsed.bundle).model
    halved = copy.deepcopy(whole)
    halve_blocks(halved)
    print(f"this processor multiplies bfloat16: {gains_by_bfloat16()}\n")
    print(f"| blocks | {' | '.join(f'{count} items' for count in NUM_ITEMS)} | nats per code |")
    print("|---|" + "---|" * (len(NUM_ITEMS) + 1))
    for name, model in (("float32", whole), ("bfloat16", halved), ("int8, dynamic", _quantised(whole))):
        times = " | ".join(f"{1e3 * _seconds(model, count):.0f} ms" for count in NUM_ITEMS)
        loss, _ = measure_loss(model, batches)
        print(f"| {name} | {times} | {loss:.4f} |", flush=True)


def _quantised(model: StemTransformer) -> StemTransformer:
    copied = copy.deepcopy(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that this way of quantising will move
        for block in copied.blocks:
            torch.ao.quantization.quantize_dynamic(block, {nn.Linear}, dtype=torch.qint8, inplace=True)
    return copied


def _seconds(model: StemTransformer, num_items: int) -> float:
    config = model.config
    rng = torch.Generator().manual_seed(0)
    if config.num_context_features is None:
        raise SystemExit("This measures bundles of the score family.")
    context = torch.rand(num_items, config.num_context_features, WINDOW_FRAMES, generator=rng)
    shape = (num_items, config.spec.num_codebooks, WINDOW_FRAMES)
    codes = torch.randint(config.spec.codebook_size, shape, generator=rng)
    conditions = {field.name: torch.zeros(num_items, dtype=torch.int64) for field in config.fields}
    found = []
    with torch.inference_mode():
        for _ in range(1 + NUM_RUNS):
            started = time.process_time()
            model(context, codes, conditions, torch.ones(num_items).bool())
            found.append(time.process_time() - started)
    return min(found[1:])


if __name__ == "__main__":
    main()
