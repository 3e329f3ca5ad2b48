"""A corpus that is trained on while it is still being rendered."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, overload

from stemgen_core.corpus.storage import Corpus, CorpusPiece, Split, split_of
from stemgen_core.errors import InvalidRequestError

REFRESH_S = 5.0
WAIT_S = 0.5


class GrowingPieces(Sequence[CorpusPiece]):
    """The finished pieces of a split, those to come included: the list grows at its end, seconds after a piece is done.

    What is drawn from a growing list depends on when it is drawn, so such a run can't be repeated to the bit.

    Args:
        folder: of the corpus.
        split: which pieces.
        refresh_s: least time between two looks into the folder.
    """

    def __init__(self, folder: Path, split: Split, refresh_s: float = REFRESH_S) -> None:
        self._folder = folder
        self._split = split
        self._refresh_s = refresh_s
        self._pieces: list[CorpusPiece] = []
        self._known: set[int] = set()
        self._looked_at = -float("inf")
        self._look()

    def __len__(self) -> int:
        self._look()
        return len(self._pieces)

    @overload
    def __getitem__(self, index: int) -> CorpusPiece: ...
    @overload
    def __getitem__(self, index: slice) -> list[CorpusPiece]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._pieces[index]

    def _look(self) -> None:
        if time.monotonic() - self._looked_at < self._refresh_s:
            return
        fresh = [index for index in _finished(self._folder) if index not in self._known and self._is_mine(index)]
        self._pieces += [CorpusPiece(index, self._folder) for index in sorted(fresh)]
        self._known |= set(fresh)
        self._looked_at = time.monotonic()

    def _is_mine(self, index: int) -> bool:
        return split_of(index) == self._split


class GrowingCorpus(Corpus):
    """A corpus whose training pieces grow in number while they are used; the held-out ones are those of the moment."""

    def pieces(self, split: Split | None = None) -> Any:
        """Return the finished pieces of a split; of "train" a sequence that grows."""
        return GrowingPieces(self.folder, split) if split == "train" else super().pieces(split)


def wait_for_pieces(
    folder: Path,
    *,
    num_training: int,
    num_heldout: int,
    deadline_s: float,
    is_growing: Callable[[], bool] = lambda: True,
) -> GrowingCorpus:
    """Wait until a corpus that is being made has some pieces of both splits.

    Args:
        folder: of the corpus.
        num_training: pieces to wait for.
        num_heldout: pieces to wait for.
        deadline_s: on the clock of `time.monotonic`.
        is_growing: whether the corpus is still being made; if not, what is there has to be enough.

    Raises:
        InvalidRequestError: if the pieces aren't there in time.
    """
    while True:
        is_last_look = not is_growing() or time.monotonic() > deadline_s
        splits = [split_of(index) for index in _finished(folder)]
        if splits.count("train") >= num_training and splits.count("heldout") >= num_heldout:
            corpus = Corpus.open(folder)
            return GrowingCorpus(corpus.folder, corpus.manifest)
        if is_last_look:
            raise InvalidRequestError(
                f"{folder} has {splits.count('train')} pieces to train on and {splits.count('heldout')} held out;"
                f" {num_training} and {num_heldout} are needed to begin. Give the leg more time, or ask for fewer."
            )
        time.sleep(WAIT_S)


def _finished(folder: Path) -> list[int]:
    """Return the numbers of the pieces that are whole; the score of a piece is written last."""
    try:
        names = os.listdir(folder / "pieces")
    except FileNotFoundError:
        return []
    return [int(name[:6]) for name in names if len(name) == 11 and name.endswith(".json")]
