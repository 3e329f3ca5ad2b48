"""Hear the clips' stems with other ears: `python -m benchmarks.other_ears CLIPS`, which needs `pip install librosa`.

The evaluation's own beat tracker also tells the model where the pulse is, so it might flatter. Here librosa tracks the
beats of clip and stem (F-measure within 70 ms, by mir_eval) and takes their chroma (correlation as it is, minus the
mean over the eleven transpositions). The paper's authors' published outputs, measured with librosa in the same manner
on their own examples, gave 0.64 against 0.23 for random pairs and +0.28 against -0.02 (Slakh), 0.44 against 0.26 and
+0.41 against +0.01 (internal). A random pair is the stem of the same instrument made for another clip.
"""

import argparse
import importlib
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np

from stemgen_core.audio import resample, to_mono
from stemgen_core.checkpoint import SHIPPED_BUNDLE_PATH
from stemgen_core.evaluation.controls import mean_interval
from stemgen_core.evaluation.experiments.clips import FOR_DRUMS, FOR_PITCHED, Clip, read_clips
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.types import Waveform

RATE_HZ, HOP_LENGTH = 22_050, 512
SEEDS = (1, 2)
BEATS_ONLY = ("drums",)


def main() -> None:
    """Print one line per stem and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--bundle", type=Path, default=SHIPPED_BUNDLE_PATH)
    parsed = parser.parse_args()
    ears = importlib.import_module("librosa")
    generator = StemGenerator.load(parsed.bundle)
    clips = read_clips(parsed.clips)
    stems = [
        (clip, name, seed, generator.generate(clip.audio, GenerationRequest(name, seed)).stem)
        for clip in clips
        for name in (FOR_PITCHED if clip.is_pitched else FOR_DRUMS)
        for seed in SEEDS
    ]
    scores: dict[str, list[float]] = {"beat_f1": [], "beat_f1 random": [], "chroma": [], "chroma random": []}
    for clip, name, seed, stem in stems:
        own = _scores(ears, clip, stem, name)
        others = [
            _scores(ears, clip, other_stem, name)
            for other, other_name, other_seed, other_stem in stems
            if other is not clip and (other_name, other_seed) == (name, seed)
        ]
        print(f"{clip.name:<10}{name:<8}{seed}  beats {own[0]:.2f}  chroma {_text(own[1])}")
        for what, at in (("beat_f1", 0), ("chroma", 1)):
            scores[what] += _measured([own], at)
            scores[f"{what} random"] += _measured(others, at)
    for what, values in scores.items():
        interval = mean_interval(np.array(values))
        print(f"{what:<16} {interval.mean:.2f} ({interval.low:.2f} to {interval.high:.2f}), {len(values)} pairs")


def _scores(ears: Any, clip: Clip, stem: Waveform, instrument: str) -> tuple[float, float | None]:
    context, added = (_mono(audio) for audio in (clip.audio, stem))
    added = np.resize(added, len(context))
    beats = [
        ears.beat.beat_track(y=each, sr=RATE_HZ, hop_length=HOP_LENGTH, units="time")[1] for each in (context, added)
    ]
    beat_f1 = mir_eval.beat.f_measure(np.asarray(beats[0], np.float64), np.asarray(beats[1], np.float64))
    if not clip.is_pitched or instrument in BEATS_ONLY:
        return float(beat_f1), None
    chroma = [ears.feature.chroma_cqt(y=each, sr=RATE_HZ, hop_length=HOP_LENGTH) for each in (context, added)]
    alike = [float(np.corrcoef(chroma[0].ravel(), np.roll(chroma[1], by, axis=0).ravel())[0, 1]) for by in range(12)]
    return float(beat_f1), alike[0] - float(np.mean(alike[1:]))


def _measured(pairs: list[tuple[float, float | None]], at: int) -> list[float]:
    return [value for value in (pair[at] for pair in pairs) if value is not None]


def _mono(audio: Waveform) -> np.ndarray:
    return resample(to_mono(audio), RATE_HZ).samples[0].numpy()


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


if __name__ == "__main__":
    main()
