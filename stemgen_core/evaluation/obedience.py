"""Was what was asked for made? A classifier, taught on the corpus, says what it hears.

Conventions: the classifier learns from windows of stems of the training split, once as they are and once roughened as
other rooms, equalisers and codecs would. A tenth of its pieces is kept back, so that its accuracy is known both on
sounds it knows (these) and on sounds it never heard (the held-out split, which is rendered with another soundfont).
Whether a stem is what was asked for can't be told better than that: figures stand between chance (labels shuffled) and
the classifier's accuracy on true stems.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stemgen_core.corpus.piece import Piece, StemScore
from stemgen_core.corpus.roughening import Roughness, roughen
from stemgen_core.corpus.storage import CorpusPiece
from stemgen_core.errors import InvalidRequestError
from stemgen_core.evaluation.classifier import StemClassifier, train_classifier
from stemgen_core.evaluation.controls import Interval, mean_interval
from stemgen_core.evaluation.timbre import segment_features
from stemgen_core.types import Waveform

LabelOf = Callable[[Piece, StemScore], str | None]

WINDOW_S = 5.0
MIN_STEMS_PER_LABEL = 12
_KEPT_BACK = 10  # every tenth piece
# Clocks move nothing that is heard of a timbre, and loudness is not looked at.
_ROUGHNESS = Roughness(chance=1.0, room=0.5, equaliser=0.9, codec=0.2, clock=0.0, level=0.0, max_equaliser_db=12.0)


@dataclass(frozen=True, slots=True)
class HeardStem:
    """A window of a stem as a classifier hears it, whatever it is to be taught.

    Attributes:
        index: of the piece in the corpus.
        piece: what it was cut from.
        stem: what plays.
        features: float32 [N, NUM_FEATURES].
        is_rough: whether it was roughened; such are only learnt from, never tested with.
    """

    index: int
    piece: Piece
    stem: StemScore
    features: np.ndarray
    is_rough: bool


@dataclass(frozen=True, slots=True)
class LabelledStem:
    """A window of a stem as the classifier hears it.

    Attributes:
        piece: index in the corpus.
        label: what it is.
        features: float32 [N, NUM_FEATURES].
        is_rough: whether it was roughened; such are only learnt from, never tested with.
    """

    piece: int
    label: str
    features: np.ndarray
    is_rough: bool = False


def instrument_of(_piece: Piece, stem: StemScore) -> str:
    """Return a stem's instrument category: the label of instrument obedience."""
    return stem.instrument


def genre_of(piece: Piece, _stem: StemScore) -> str:
    """Return a piece's genre: the label of genre obedience."""
    return piece.genre


def validate(asked: Sequence[str], heard: Sequence[str | None]) -> None:
    """Check labels.

    Raises:
        ValueError: if lengths differ.
    """
    if len(asked) != len(heard):
        raise ValueError(f"got {len(asked)} labels asked for and {len(heard)} heard")


def obeyed(asked: Sequence[str], heard: Sequence[str | None]) -> np.ndarray:
    """Return 1 for each stem that is heard as what was asked for, else 0 (also for silence), float64 [N].

    Raises:
        ValueError: if lengths differ.
    """
    validate(asked, heard)
    return np.array([float(wanted == found) for wanted, found in zip(asked, heard, strict=True)])


def by_chance(asked: Sequence[str], heard: Sequence[str | None]) -> np.ndarray:
    """Return for each stem the share of all requests that what is heard would have answered, float64 [N].

    Raises:
        ValueError: if lengths differ.
    """
    validate(asked, heard)
    return np.array([sum(wanted == found for wanted in asked) / len(asked) for found in heard])


def evaluate(classifier: StemClassifier, stems: Sequence[Waveform], asked: Sequence[str]) -> dict[str, np.ndarray]:
    """Return every score of this module over a set of stems.

    Returns:
        `obeyed` (0 or 1) and `by_chance` (0..1), float64 [N]; nan where the label is none that the classifier knows.

    Raises:
        ValueError: if lengths differ.
        AudioFormatError: if audio is empty or not finite.
    """
    heard = [classifier.hear(stem) for stem in stems]
    is_known = np.array([label in classifier.labels for label in asked], bool)
    return {
        "obeyed": np.where(is_known, obeyed(asked, heard), np.nan),
        "by_chance": np.where(is_known, by_chance(asked, heard), np.nan),
    }


def hear_stems(
    pieces: Sequence[CorpusPiece],
    *,
    seed: int = 0,
    has_rough: bool = False,
    report_progress: Callable[[int, int], None] | None = None,
) -> list[HeardStem]:
    """Cut a window of 5 s out of every stem that sounds there.

    Args:
        pieces: what to cut from.
        seed: of the windows.
        has_rough: also cut another window of each and roughen it.
        report_progress: called with the pieces done and wanted.
    """
    found: list[HeardStem] = []
    for number, entry in enumerate(pieces):
        rng = np.random.default_rng([seed, entry.index])
        rate_hz = round(entry.audio.shape[1] / entry.piece.duration_s)
        length = min(entry.audio.shape[1], round(WINDOW_S * rate_hz))
        for index, stem in enumerate(entry.piece.stems):
            for is_rough in (False, True) if has_rough else (False,):
                start = int(rng.integers(entry.audio.shape[1] - length + 1))
                samples = entry.audio[index, start : start + length].astype(np.float32) / np.float32(32_768)
                if is_rough:
                    samples = roughen(samples, rate_hz, rng, _ROUGHNESS)
                features = segment_features(Waveform(torch.from_numpy(samples[None]), rate_hz))
                if len(features):
                    found.append(HeardStem(entry.index, entry.piece, stem, features, is_rough))
        if report_progress is not None:
            report_progress(number + 1, len(pieces))
    return found


def label_stems(heard: Sequence[HeardStem], label_of: LabelOf) -> list[LabelledStem]:
    """Return those that have a label, with it."""
    labels = [label_of(one.piece, one.stem) for one in heard]
    return [
        LabelledStem(one.index, label, one.features, one.is_rough)
        for one, label in zip(heard, labels, strict=True)
        if label is not None
    ]


def train_on_corpus(known: Sequence[LabelledStem], unheard: Sequence[LabelledStem], *, seed: int = 0) -> StemClassifier:
    """Teach a classifier and say how good it is.

    Args:
        known: stems of the training split.
        unheard: stems of the held-out split.
        seed: of the training.

    Returns:
        A classifier whose `facts` hold `accuracy_known` and `accuracy_unheard` (mean, low, high, num_items) and
        `num_stems`. Labels with fewer than 12 stems are left out.

    Raises:
        InvalidRequestError: if fewer than two labels have stems enough.
    """
    pieces = sorted({stem.piece for stem in known})
    kept_back = set(pieces[_KEPT_BACK - 1 :: _KEPT_BACK])
    taught = [stem for stem in known if stem.piece not in kept_back]
    counts = {label: sum(stem.label == label for stem in taught) for label in {stem.label for stem in taught}}
    labels = {label for label, count in counts.items() if count >= MIN_STEMS_PER_LABEL}
    if len(labels) < 2:
        raise InvalidRequestError(
            f"A classifier needs two labels with {MIN_STEMS_PER_LABEL} stems or more, the corpus has"
            f" {counts or 'none'}. Make it larger with `stemgen synthesize`."
        )
    taught = [stem for stem in taught if stem.label in labels]
    classifier = train_classifier([stem.features for stem in taught], [stem.label for stem in taught], seed=seed)
    tests = {
        "known": [stem for stem in known if stem.piece in kept_back and not stem.is_rough],
        "unheard": list(unheard),
    }
    for name, stems in tests.items():
        asked = [stem for stem in stems if stem.label in labels]
        heard = [classifier.probabilities(stem.features) or {} for stem in asked]
        right = [float(max(each, key=lambda label, each=each: each[label]) == stem.label)
                 for each, stem in zip(heard, asked, strict=True)]  # fmt: skip
        classifier.facts[f"accuracy_{name}"] = _interval_facts(mean_interval(np.array(right)))
    return classifier


def accuracy(classifier: StemClassifier, name: str) -> Interval:
    """Return how often a classifier is right: `known` or `unheard` sounds.

    Raises:
        KeyError: if it was not measured.
    """
    return Interval(**classifier.facts[f"accuracy_{name}"])


def _interval_facts(interval: Interval) -> dict[str, float | int]:
    return {name: getattr(interval, name) for name in ("mean", "low", "high", "num_items")}
