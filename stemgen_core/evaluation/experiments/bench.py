"""What every experiment works with: the model, the corpus, the classifiers, and how much of everything."""

import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stemgen_core.codec.protocol import DecodedStem
from stemgen_core.corpus.categories import stem_category
from stemgen_core.corpus.storage import Corpus, CorpusPiece
from stemgen_core.errors import InvalidRequestError
from stemgen_core.evaluation.classifier import FORMAT, StemClassifier
from stemgen_core.evaluation.embeddings import SoundEmbedding, load_embedding
from stemgen_core.evaluation.near_misses import Candidate
from stemgen_core.evaluation.obedience import (
    HeardStem,
    LabelOf,
    genre_of,
    hear_stems,
    instrument_of,
    label_stems,
    train_on_corpus,
)
from stemgen_core.generator import StemGenerator
from stemgen_core.sampling.judge import ListenerJudge, ModelJudge, StemJudge, read_listener
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.types import Waveform

LABELS: dict[str, LabelOf] = {
    "instrument": instrument_of,
    "genre": genre_of,
    "stem_category": lambda _piece, stem: stem_category(stem),
}
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How many of everything; more is surer and slower.

    Attributes:
        items: held-out windows to generate for.
        swaps: of these, how many are made again with another context.
        varied: of these, how many are made twice more with other seeds.
        layerings: pieces that are built up over four turns.
        per_setting: windows per line of the table of settings.
        judged: true pairs that a listening score must tell from near misses.
        requests: windows that are asked for a drawn genre or category.
        classifier_pieces: pieces that a classifier learns from.
        clip_seeds: variations per clip and instrument.
    """

    items: int
    swaps: int
    varied: int
    layerings: int
    per_setting: int
    judged: int
    requests: int
    classifier_pieces: int
    clip_seeds: int


SIZES = {
    "quick": Size(24, 12, 4, 4, 6, 10, 12, 400, 1),
    "usual": Size(60, 36, 8, 10, 12, 24, 24, 700, 2),
    "full": Size(200, 120, 24, 40, 40, 150, 120, 1000, 4),
}


@dataclass(frozen=True)
class BenchPlan:
    """Where everything is; a process can be told it in a few bytes.

    Attributes:
        bundle: folder of the model.
        corpus: folder of the corpus.
        out: folder for results and classifiers.
        contexts: folder of clips to start from; None without.
        settings: how to decode.
        size: how many of everything.
        window_s: length of windows, seconds.
        seed: of windows and variations.
        embedding: weights of a published network for one more Frechet distance; None without.
        beside: folder of another model, for one more line in the tables of settings; None without.
        listener: file of a contrastive listener, to be judged beside the model's own score; None takes the bundle's.
    """

    bundle: Path
    corpus: Path
    out: Path
    contexts: Path | None
    settings: SamplingSettings
    size: Size
    window_s: float
    seed: int
    embedding: Path | None = None
    beside: Path | None = None
    listener: Path | None = None


@dataclass(frozen=True)
class Bench:
    """An opened plan.

    Attributes:
        plan: what was asked for.
        generator: the model.
        corpus: the corpus.
    """

    plan: BenchPlan
    generator: StemGenerator
    corpus: Corpus
    _heard: list[list[HeardStem]] = field(default_factory=list, repr=False)

    @classmethod
    def open(cls, plan: BenchPlan) -> "Bench":
        """Load model and corpus.

        Raises:
            CheckpointError: if the model can't be loaded.
            InvalidRequestError: if the folder is no corpus.
        """
        corpus = Corpus.open(plan.corpus)
        return cls(plan, StemGenerator.load(plan.bundle), corpus)

    @property
    def offered(self) -> tuple[str, ...]:
        """Names of the instruments that the model plays."""
        return tuple(instrument.name for instrument in self.generator.instruments)

    @property
    def wishes(self) -> dict[str, tuple[str, ...]]:
        """What stems can be asked for by beside the instrument: label to values, those that the model knows."""
        known = {"genre": self.generator.genres, "stem_category": self.generator.stem_categories}
        return {label: values for label, values in known.items() if values}

    @functools.cached_property
    def embedding(self) -> SoundEmbedding | None:
        """The published network that was asked for.

        Raises:
            CheckpointError: if its weights can't be used.
        """
        return None if self.plan.embedding is None else load_embedding(self.plan.embedding)

    @functools.cached_property
    def judges(self) -> dict[str, StemJudge]:
        """Who could score variations: the model, and a listener where one was asked for or the bundle has one.

        Raises:
            CheckpointError: if the listener's file can't be used.
        """
        manifest, own = self.generator.bundle.manifest, self.generator.judge
        judges: dict[str, StemJudge] = {
            "listening score (the model's)": ModelJudge(self.generator.bundle.model, manifest.window_frames)
        }
        if self.plan.listener is not None:
            judges["contrastive listener"] = read_listener(self.plan.listener, manifest)
        elif isinstance(own, ListenerJudge):
            judges["contrastive listener"] = own
        return judges

    @functools.cached_property
    def held_out(self) -> list[CorpusPiece]:
        """Pieces that no training saw."""
        return self.corpus.pieces("heldout")

    def training_pieces(self, count: int) -> list[CorpusPiece]:
        """Return about `count` pieces of the training split, spread over it."""
        pieces = self.corpus.pieces("train")
        return pieces[:: max(1, len(pieces) // count)][:count]

    def score_pair(self, judge: StemJudge, context: Waveform, stem: Candidate) -> float | None:
        """Return what a judge makes of a pair."""
        decoded = DecodedStem(stem.audio, stem.notes)
        return self.generator.score_stem(context, decoded, stem.instrument, judge=judge)

    def _lessons(self, report: Report | None) -> tuple[list[HeardStem], list[HeardStem]]:
        """Return windows of stems to learn from and of held-out ones, heard once for all labels."""
        if not self._heard:
            pieces = self.training_pieces(self.plan.size.classifier_pieces)
            self._heard.append(hear_stems(pieces, has_rough=True, report_progress=report))
            self._heard.append(hear_stems(self.held_out[:60]))
        known, unheard = self._heard
        return known, unheard

    def classifier_path(self, label: str) -> Path:
        """Return where the classifier of a label is kept; another corpus or amount of it makes another one."""
        lessons = [FORMAT, self.corpus.manifest, self.plan.size.classifier_pieces, self.plan.seed]
        digest = hashlib.sha256(json.dumps(lessons, sort_keys=True).encode()).hexdigest()
        return self.plan.out / f"classifier-{label}-{digest[:8]}.safetensors"

    def classifier(self, label: str, label_of: LabelOf | None = None, report: Report | None = None) -> StemClassifier:
        """Return the classifier of a label, made if it isn't there yet (a minute of one core per 300 pieces).

        Args:
            label: a key of `LABELS`, or a name of the caller's with `label_of`.
            label_of: what a stem of the corpus is; None where no label is known.
            report: called with the pieces heard and wanted.

        Raises:
            InvalidRequestError: if there is no such label, or the corpus is too small.
        """
        path = self.classifier_path(label)
        if path.is_file():
            return StemClassifier.load(path)
        if label_of is None and label not in LABELS:
            raise InvalidRequestError(f"There is no label called {label!r}. Choose one of: {', '.join(LABELS)}.")
        chosen = label_of or LABELS[label]
        known, unheard = self._lessons(report)
        made = train_on_corpus(label_stems(known, chosen), label_stems(unheard, chosen), seed=self.plan.seed)
        part = path.with_suffix(".part")
        made.save(part)
        part.rename(path)
        return made
