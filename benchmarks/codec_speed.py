"""How long encoding and decoding 10 s of sound take: `python -m benchmarks.codec_speed CODEC [--threads 2]`.

Prints the median and the quickest of the runs, the quickest's processor time over all threads, the machine and how busy
it was: on a busy one only processor time says something, and two cores need between half of it and all of it.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from stemgen_core.codec.waveform_codec import load_waveform_codec
from stemgen_core.evaluation.experiments.results import machine

SOUND_S = 10


def main() -> None:
    """Print a line each for encoding and decoding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("codec", type=Path, metavar="CODEC")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=15)
    parsed = parser.parse_args()
    torch.set_num_threads(parsed.threads)
    codec = load_waveform_codec(parsed.codec)
    rate_hz = codec.spec.sample_rate_hz
    rng = torch.Generator().manual_seed(0)
    seconds = torch.arange(SOUND_S * rate_hz) / rate_hz
    tones = sum(torch.sin(2 * torch.pi * hz * seconds) for hz in (130.8, 164.8, 196.0))
    sound = (0.05 * tones + 0.02 * torch.randn(len(seconds), generator=rng))[None, None]  # [1, 1, L]
    codes = codec.encode(sound)
    print(f"{machine()}, {parsed.threads} threads, load average {os.getloadavg()[0]:.1f}")
    for name, call in (("encode", lambda: codec.encode(sound)), ("decode", lambda: codec.decode(codes))):
        runs = [timed(call) for _ in range(parsed.runs)]
        median_s, quickest_s = statistics.median(wall_s for wall_s, _ in runs), min(wall_s for wall_s, _ in runs)
        processor_s = min(each_s for _, each_s in runs)
        words = f"median {median_s:.3f} s, quickest {quickest_s:.3f} s, processor time {processor_s:.3f} s"
        print(f"{name} {SOUND_S} s: {words}", flush=True)


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that a call takes by the clock, and of processor time."""
    began_s, used_s = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - began_s, time.process_time() - used_s


if __name__ == "__main__":
    main()
