"""How fast a corpus is made: `python benchmarks/corpus_speed.py`, with what `make corpus-tools` installs.

Seconds of stems per second of one core: by FluidSynth, by our own synthesiser, and for whole pieces with composing,
effects and levels; and milliseconds to roughen a context of 10 s. The corpus is to be made at 100 x real time or more.
"""

import os
import time
from collections import defaultdict

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from stemgen_core.corpus.arrangement import compose_piece
from stemgen_core.corpus.offline_synth import SAMPLE_RATE_HZ, shared_synth
from stemgen_core.corpus.render import render_piece
from stemgen_core.corpus.roughening import roughen
from stemgen_core.sound.electronic.drum_machine import play_drums
from stemgen_core.sound.electronic.presets import TRAINING_PRESETS, draw_kit, draw_preset
from stemgen_core.sound.electronic.voices import play_voices

NUM_PIECES, PIECE_S, WINDOW_S = 20, 24.0, 10
LENGTH = round(PIECE_S * SAMPLE_RATE_HZ)


def main() -> None:
    """Print one line per thing measured."""
    spent: dict[str, float] = defaultdict(float)
    made: dict[str, float] = defaultdict(float)

    def add(name: str, started: float, seconds: float) -> None:
        spent[name] += time.process_time() - started
        made[name] += seconds

    synth = shared_synth(is_heldout=False)
    render_piece(compose_piece(0, 1.0))  # whatever loads on first use
    for seed in range(NUM_PIECES):
        started = time.process_time()
        piece = compose_piece(seed, PIECE_S)
        render_piece(piece)
        add("whole pieces", started, PIECE_S * len(piece.stems))
        for stem in piece.stems:
            is_drums, rng = stem.instrument == "drums", np.random.default_rng(seed)
            started = time.process_time()
            synth.render(stem.notes, font="fluid", program=stem.program, is_drums=is_drums, num_audio_samples=LENGTH)
            add("soundfont", started, PIECE_S)
            started = time.process_time()
            if is_drums:
                kit = draw_kit(rng, is_heldout=False)
                play_drums(stem.notes, kit, num_audio_samples=LENGTH, sample_rate_hz=SAMPLE_RATE_HZ, rng=rng)
                add("drum machine", started, PIECE_S)
            elif stem.instrument in TRAINING_PRESETS:
                preset = draw_preset(stem.instrument, rng, is_heldout=False)
                play_voices(stem.notes, preset, num_audio_samples=LENGTH, sample_rate_hz=SAMPLE_RATE_HZ, rng=rng)
                add("synthesiser", started, PIECE_S)
    for name in made:
        print(f"{name:14s} {made[name] / spent[name]:6.0f} stem-seconds a core-second")

    rng = np.random.default_rng(0)
    mix = 0.1 * rng.standard_normal(WINDOW_S * SAMPLE_RATE_HZ).astype(np.float32)
    roughen(mix, SAMPLE_RATE_HZ, rng)
    times_ms = []
    for _ in range(100):
        started = time.process_time()
        roughen(mix, SAMPLE_RATE_HZ, rng)
        times_ms.append(1000 * (time.process_time() - started))
    print(f"roughening     {np.mean(times_ms):6.1f} ms a window of {WINDOW_S} s, at most {max(times_ms):.1f} ms")


if __name__ == "__main__":
    main()
