"""Seconds per 10-second stem, by preset and instrument: `python benchmarks/generation_speed.py [--threads 2]`.

The context is synthetic noise and tones, since speed doesn't depend on what is heard. Prints a Markdown table and the
machine; the first generation of each row warms up and isn't counted.
"""

import argparse
import platform
import statistics
import time
from pathlib import Path

import torch

from stemgen_core.checkpoint import SHIPPED_BUNDLE_PATH
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.sampling.settings import PRESETS
from stemgen_core.types import Waveform

CONTEXT_S = 10.0
SAMPLE_RATE_HZ = 44_100
INSTRUMENTS = ("bass", "drums", "piano")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=SHIPPED_BUNDLE_PATH)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parsed = parser.parse_args()
    torch.set_num_threads(parsed.threads)
    started = time.perf_counter()
    generator = StemGenerator.load(parsed.model)
    print(f"{generator.model_id}, loaded in {time.perf_counter() - started:.1f} s")
    print(f"{_processor()}, {parsed.threads} threads, torch {torch.__version__}, Python {platform.python_version()}\n")
    print("| preset | " + " | ".join(INSTRUMENTS) + " |\n|---|" + "---|" * len(INSTRUMENTS))
    context = _context()
    for name, settings in PRESETS.items():
        cells = []
        for instrument in INSTRUMENTS:
            seconds = []
            for run in range(parsed.runs + 1):
                started = time.perf_counter()
                generator.generate(context, GenerationRequest(instrument, seed=run, settings=settings))
                seconds.append(time.perf_counter() - started)
            cells.append(f"{statistics.median(seconds[1:]):.1f} s")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def _context() -> Waveform:
    times = torch.arange(round(CONTEXT_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    rng = torch.Generator().manual_seed(0)
    pulse = torch.exp(-20 * (times % 0.5)) * torch.randn(len(times), generator=rng)
    tones = sum(torch.sin(2 * torch.pi * hz * times) for hz in (130.8, 164.8, 196.0))
    return Waveform((0.1 * pulse + 0.05 * tones)[None], SAMPLE_RATE_HZ)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
