"""Several sources in one corpus, by weight."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from stemgen_core.corpus.sources.composer import Composer
from stemgen_core.corpus.sources.groove_folder import GrooveFolder
from stemgen_core.corpus.sources.midi_folder import MidiFolder
from stemgen_core.corpus.sources.mma import Mma
from stemgen_core.corpus.sources.source import CORPUS_SOUND, PieceSource, SourcedPiece, Split
from stemgen_core.corpus.sources.stem_folder import StemFolder
from stemgen_core.errors import AudioFormatError, InvalidRequestError
from stemgen_core.types import SoundFormat

COMPOSER_ONLY = ("composer",)
_NUM_TRIES = 8
_FOLDERS: dict[str, Callable[[Path], PieceSource]] = {"groove": GrooveFolder, "midi": MidiFolder, "stems": StemFolder}


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One source as it is asked for.

    Attributes:
        kind: "composer", "mma", "groove", "midi" or "stems".
        folder: for the last three.
        weight: > 0, relative.
    """

    kind: str
    folder: Path | None
    weight: float


def parse_source(text: str) -> SourceSpec:
    """Read `composer`, `mma`, `groove:DIR`, `midi:DIR` or `stems:DIR`, each perhaps with `=WEIGHT` at its end.

    Raises:
        InvalidRequestError: if it is none of these.
    """
    name, equals, weight_text = text.rpartition("=")
    if not equals:
        name, weight_text = text, "1"
    try:
        weight = float(weight_text)
    except ValueError:
        name, weight = text, 1.0  # an "=" in a folder's name
    kind, colon, folder = name.partition(":")
    is_whole = kind in _FOLDERS if colon else kind in ("composer", "mma")
    if not is_whole or (colon and not folder) or not 0 < weight < float("inf"):
        raise InvalidRequestError(
            f"{text!r} is no source. Give composer, mma, groove:FOLDER, midi:FOLDER or stems:FOLDER, with =WEIGHT"
            " above 0 if you like."
        )
    return SourceSpec(kind, Path(folder) if colon else None, weight)


@lru_cache(maxsize=16)
def open_source(kind: str, folder: Path | None) -> PieceSource:
    """Return a source; a folder is looked through once per process.

    Raises:
        InvalidRequestError: if the folder is of no use.
        MissingDependencyError: if the source needs a program that isn't there.
    """
    if kind == "composer":
        return Composer()
    if kind == "mma":
        return Mma()
    if folder is None:
        raise InvalidRequestError(f"The source {kind} needs a folder.")
    return _FOLDERS[kind](folder)


class MixedSource:
    """Draws from several sources.

    Args:
        texts: as `parse_source` reads them, one or more.

    Raises:
        InvalidRequestError: if there is none, or one is none, or nothing can be trained on or nothing held out.
        MissingDependencyError: if a source needs a program that isn't there.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        if not texts:
            raise InvalidRequestError("A corpus needs a source, such as composer.")
        self.specs = [parse_source(text) for text in texts]
        self.sources = [open_source(spec.kind, spec.folder) for spec in self.specs]
        for split in ("train", "heldout"):
            if not any(source.has(split) for source in self.sources):
                raise InvalidRequestError(
                    f"The sources have nothing for the {split} split: a folder needs two different songs at least."
                )

    def describe(self) -> list[dict[str, Any]]:
        """Return what the manifest records: each source and its weight."""
        return [
            {**source.describe(), "weight": spec.weight} for spec, source in zip(self.specs, self.sources, strict=True)
        ]

    def draw(self, seed: int, split: Split, duration_s: float, sound: SoundFormat = CORPUS_SOUND) -> SourcedPiece:
        """Return a piece of one of the sources; one that fails is drawn again with another seed.

        Raises:
            InvalidRequestError: if eight draws in a row fail; the message is the last one's.
        """
        offered = [
            (spec.weight, source) for spec, source in zip(self.specs, self.sources, strict=True) if source.has(split)
        ]
        rng = random.Random(f"{seed}:source")
        reason: Exception | None = None
        for attempt in range(_NUM_TRIES):
            source = rng.choices([source for _, source in offered], [weight for weight, _ in offered])[0]
            try:
                return source.draw(seed if attempt == 0 else seed + attempt * 1_000_000_007, split, duration_s, sound)
            except (InvalidRequestError, AudioFormatError) as error:
                reason = error
        raise InvalidRequestError(f"{_NUM_TRIES} draws in a row gave no piece; the last: {reason}") from reason
