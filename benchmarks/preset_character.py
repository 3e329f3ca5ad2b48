"""What the presets tight, balanced and wild do: how well stems fit, and how much two seeds differ.

    python benchmarks/preset_character.py --seeds 4 > presets.md

Each preset plays an instrument over half of each example clip with the same seeds. Printed are means of what is
measured on a stem against its context, of the model's own listening score, and of the difference between stems of two
seeds: the share of their notes (pitch and sixteenth of a second) that they don't have in common.
"""

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np

from app.examples import load_examples
from app.sounds import read_kept
from stemgen_core.generator import GenerationRequest, GenerationResult, StemGenerator
from stemgen_core.sampling.settings import PRESETS
from stemgen_core.types import Waveform

CASES = (("drums", "bass"), ("chords", "bass"), ("melody", "piano"))
NAMES = ("tight", "balanced", "wild")
NOTE_GRID_HZ = 16


def note_set(result: GenerationResult) -> set[tuple[int, int]]:
    """Return pitch and rounded start of each note."""
    return {(note.pitch, round(note.start_s * NOTE_GRID_HZ)) for note in result.notes or ()}


def difference(one: GenerationResult, other: GenerationResult) -> float:
    """Return the share of notes that two stems don't have in common, 0..1."""
    first, second = note_set(one), note_set(other)
    return 1 - len(first & second) / max(1, len(first | second))


def mean(values: list[float | None]) -> str:
    """Return the mean of what was measured, as text."""
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.2f}" if known else "-"


def main() -> int:
    """Print one row per preset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundle"))
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    generator = StemGenerator.load(options.bundle)
    print("| preset | onsets | harmony | listening score | difference between seeds | notes | good |")
    print("|---|---|---|---|---|---|---|")
    examples = load_examples()
    for name in NAMES:
        results: list[list[GenerationResult]] = []
        for example_id, instrument in CASES:
            clip = read_kept(examples[example_id].path)
            half = Waveform(clip.samples[:, : round(0.56 * clip.num_audio_samples)], clip.sample_rate_hz)
            seeds = range(100, 100 + options.seeds)
            results.append(
                [generator.generate(half, GenerationRequest(instrument, seed, PRESETS[name])) for seed in seeds]
            )
            sys.stderr.write(f"{name} {example_id}\n")
        every = [result for case in results for result in case]
        pairs = [difference(*pair) for case in results for pair in itertools.combinations(case, 2)]
        cells = [
            mean([result.fit.onset_agreement for result in every]),
            mean([result.fit.harmony_agreement for result in every]),
            mean([result.listening_score for result in every]),
            mean([float(pair) for pair in pairs]),
            mean([float(len(result.notes or ())) for result in every]),
            f"{sum(result.fit.verdict == 'good' for result in every)} of {len(every)}",
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
