"""Our own composer as a source."""

from typing import Any

from stemgen_core.corpus.arrangement import compose_piece
from stemgen_core.corpus.sources.source import CORPUS_SOUND, SourcedPiece, Split
from stemgen_core.types import SoundFormat


class Composer:
    """Endless: each seed is a piece of its own, so that no split shares any."""

    def has(self, split: Split) -> bool:
        """Always."""
        return split in ("train", "heldout")

    def describe(self) -> dict[str, Any]:
        """Return what the manifest records."""
        return {"kind": "composer", "licences": {"music": "composed by this project, MIT"}}

    def draw(self, seed: int, split: Split, duration_s: float, sound: SoundFormat = CORPUS_SOUND) -> SourcedPiece:
        """Return a composed piece; see `PieceSource`."""
        return SourcedPiece(compose_piece(seed, duration_s))
