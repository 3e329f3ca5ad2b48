"""Populations: what is generated, as a whole, beside what is true, as a whole.

Conventions: mixes (context + stem) are compared in descriptors with mixes of other held-out windows; stems alone in
embeddings with stems of training pieces, which sound through the soundfonts that the model's sampler also knows.
Intervals are basic bootstraps over waveforms of both populations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from stemgen_core.audio import mix_waveforms
from stemgen_core.evaluation import descriptors
from stemgen_core.evaluation.controls import CONFIDENCE, Interval
from stemgen_core.evaluation.experiments.bench import Bench
from stemgen_core.evaluation.frechet import frechet_distance
from stemgen_core.evaluation.held_out import held_out_windows
from stemgen_core.evaluation.tables import Cell, Table
from stemgen_core.evaluation.timbre import NUM_BANDS, segment_features
from stemgen_core.types import Waveform

_T = TypeVar("_T")
Description = dict[str, np.ndarray]
_NUM_RESAMPLES = 100
_OTHER_WINDOWS_SEED = 1_000_003  # on top of the plan's: windows that nothing is generated for
_SCALE_DB = 20.0  # of `timbre.segment_features`


@dataclass(frozen=True)
class Populations:
    """The true populations that others are compared with.

    Attributes:
        bench: for the classifier, whose last hidden layer is an embedding.
        mixes: descriptors of mixes of held-out windows.
        stems: per stem of training pieces float32 [N, NUM_FEATURES], segment by segment.
        other_stems: the same of other windows: how far two true populations are apart.
        embedded: per stem of `stems` and of `other_stems` the rows of the published network; empty without one.
    """

    bench: Bench
    mixes: list[Description]
    stems: list[np.ndarray]
    other_stems: list[np.ndarray]
    embedded: tuple[list[np.ndarray], ...] = ()

    @classmethod
    def of_bench(cls, bench: Bench, num_items: int) -> "Populations":
        """Draw as many windows of each kind as there are items."""
        plan = bench.plan
        training = bench.training_pieces(2 * num_items)
        sounds = [
            [
                item.true_stem
                for item in held_out_windows(
                    pieces, bench.offered, num_items=num_items, window_s=plan.window_s, seed=plan.seed + number
                )
            ]
            for number, pieces in enumerate((training[::2], training[1::2] or training))
        ]
        stems = [[segment_features(sound) for sound in group] for group in sounds]
        network = bench.embedding
        embedded = () if network is None else tuple([network.embed(sound) for sound in group] for group in sounds)
        windows = held_out_windows(
            bench.held_out,
            bench.offered,
            num_items=num_items,
            window_s=plan.window_s,
            seed=plan.seed + _OTHER_WINDOWS_SEED,
        )
        mixes = [descriptors.describe(mix_waveforms([item.context, item.true_stem])) for item in windows]
        return cls(bench, mixes, stems[0], stems[1], embedded)

    def mirdd(self, mixes: Sequence[Description]) -> Interval:
        """Return how far a population of mixes lies from the true one, nats."""
        return _spread(lambda first, second: descriptors.evaluate(first, second)["mirdd"], self.mixes, mixes)

    def frechet(self, stems: Sequence[np.ndarray], embed: Callable[[np.ndarray], np.ndarray]) -> Interval:
        """Return how far a population of stems lies from the true one in an embedding."""
        first, second = ([embed(one) for one in group if len(one)] for group in (self.stems, stems))
        return _spread(_frechet, first, second)

    def frechet_of_classifier(self, stems: Sequence[np.ndarray]) -> Interval:
        """Return the Frechet distance in the last hidden layer of the instrument classifier."""
        return self.frechet(stems, self.bench.classifier("instrument").embed)

    def table(
        self,
        random: Sequence[Waveform],
        generated: Sequence[Waveform],
        true: Sequence[Waveform],
        generated_stems: Sequence[Waveform],
    ) -> Table:
        """Return the table of all distances.

        Args:
            random: mixes of contexts with stems of other pieces.
            generated: mixes with generated stems.
            true: mixes with the stems that belong there.
            generated_stems: alone.
        """
        described = [[descriptors.describe(one) for one in group] for group in (random, generated, true)]
        rows: list[tuple[Cell, ...]] = [("mirdd (mixes)", *map(self.mirdd, described))]
        by_name = [descriptors.evaluate(self.mixes, group) for group in described]
        rows += [(f"- {name}", *(scores[name] for scores in by_name)) for name in descriptors.NAMES]
        stems = [segment_features(one) for one in generated_stems]
        for label, embed in (("classifier", self.bench.classifier("instrument").embed), ("log-mel", mean_levels)):
            distances = (self.frechet(group, embed) for group in (stems, self.other_stems))
            rows.append((f"Frechet, {label} (stems)", None, *distances))
        network = self.bench.embedding
        if network is not None:
            groups = [network.embed(one) for one in generated_stems], self.embedded[1]
            distances = (_spread(_frechet, self.embedded[0], group) for group in groups)
            rows.append((f"Frechet, {network.name} (stems)", None, *distances))
        return Table(
            "populations",
            "Distances between populations",
            f"{len(generated)} waveforms each; lower is nearer. `mirdd`: mean over {len(descriptors.NAMES)} descriptors"
            " of the divergence (nats) from mixes of other held-out windows, in the design of the paper's MIRDD with"
            " our own extractors, so figures compare within this table only. Frechet distances: stems alone, from stems"
            " of training pieces, in the last hidden layer of the instrument classifier (64 values) and in the mean"
            " levels of 64 mel bands (dB); true: stems of other training pieces.",
            ("distance", "random pairs", "generated", "true pairs"),
            tuple(rows),
        )


def _frechet(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float:
    return frechet_distance(np.concatenate(list(first)), np.concatenate(list(second)))


def mean_levels(features: np.ndarray) -> np.ndarray:
    """Return the mean level of each mel band of each segment, dB, float32 [N, 64]."""
    return _SCALE_DB * features[:, :NUM_BANDS]


def _spread(
    distance: Callable[[Sequence[_T], Sequence[_T]], float], first: Sequence[_T], second: Sequence[_T]
) -> Interval:
    """Return a distance with its basic bootstrap interval: resampling only ever adds distance, so it is mirrored."""
    middle = distance(first, second)
    rng = np.random.default_rng(0)
    resampled = []
    for _ in range(_NUM_RESAMPLES):
        picks = [rng.integers(len(group), size=len(group)).tolist() for group in (first, second)]
        resampled.append(distance([first[pick] for pick in picks[0]], [second[pick] for pick in picks[1]]))
    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    ends = max(0.0, 2 * middle - float(high)), max(0.0, 2 * middle - float(low))
    return Interval(middle, *ends, len(second))
