"""Where training audio comes from: windows drawn at random, the same for the same generator."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from stemgen_core.corpus.storage import Corpus, CorpusPiece, Split
from stemgen_core.errors import InvalidRequestError

MIX_SHARE = 0.5
SILENT_BELOW = 0.003  # root mean square, about -50 dB of full scale
MAX_TRIES = 16
MAX_GAIN_DB, MIN_GAIN_DB = 3.0, -12.0
HIGHEST_PEAK = 0.99


class AudioWindows(Protocol):
    """A source of audio excerpts."""

    @property
    def sample_rate_hz(self) -> int:
        """Audio samples per second of what `draw` returns."""
        ...

    @property
    def num_channels(self) -> int:
        """C of what `draw` returns."""
        ...

    def draw(self, num_windows: int, window_length: int, *, generator: torch.Generator) -> torch.Tensor:
        """Draw excerpts at random.

        What is drawn depends on the generator's state alone, so that a resumed run sees what an uninterrupted one
        would have seen.

        Args:
            num_windows: B.
            window_length: L, audio samples.
            generator: source of randomness, on the CPU.

        Returns:
            float32 [B, C, L], full scale is +-1.
        """
        ...


@dataclass(frozen=True, slots=True)
class CorpusWindows:
    """Excerpts of a corpus: single stems and mixes of several, half and half, at varied levels, silence left out.

    Attributes:
        pieces: what is drawn from; more may come while it is drawn from.
        sample_rate_hz: audio samples per second.
        num_channels: C.
    """

    pieces: Sequence[CorpusPiece]
    sample_rate_hz: int
    num_channels: int = 1

    @classmethod
    def open(cls, corpus_folder: Path, split: Split) -> "CorpusWindows":
        """Draw from the finished pieces of a split.

        Raises:
            InvalidRequestError: if the folder is no corpus or has no such pieces.
        """
        corpus = Corpus.open(corpus_folder)
        pieces = tuple(corpus.pieces(split))
        if not pieces:
            raise InvalidRequestError(f"{corpus_folder} has no finished pieces of the {split} split. Make it larger.")
        return cls(pieces, corpus.sample_rate_hz, corpus.sound.num_channels)

    def draw(self, num_windows: int, window_length: int, *, generator: torch.Generator) -> torch.Tensor:
        """See `AudioWindows.draw`."""
        return torch.stack([self._draw_one(window_length, generator) for _ in range(num_windows)])  # B x [C, L]

    def _draw_one(self, window_length: int, generator: torch.Generator) -> torch.Tensor:
        """Return float32 [C, L]; the loudest of the tries where all are silent."""
        loudest, highest_level = torch.zeros(self.num_channels, window_length), -1.0
        for _ in range(MAX_TRIES):
            window = self._cut(window_length, generator)
            level = float(window.square().mean().sqrt())
            if level > highest_level:
                loudest, highest_level = window, level
            if level >= SILENT_BELOW:
                break
        gain_db = MIN_GAIN_DB + (MAX_GAIN_DB - MIN_GAIN_DB) * float(torch.rand((), generator=generator))
        louder = loudest * 10 ** (gain_db / 20)
        return louder * min(1.0, HIGHEST_PEAK / max(float(louder.abs().max()), 1e-9))

    def _cut(self, window_length: int, generator: torch.Generator) -> torch.Tensor:
        """Cut one stem, or the sum of a random half or more of the stems, out of a random place of a piece."""
        stems = self.pieces[_choose(len(self.pieces), generator)].channels  # int16 [S, C, L of the piece]
        num_stems, _, length = stems.shape
        start = _choose(max(1, length - window_length + 1), generator)
        num_chosen = 1
        if float(torch.rand((), generator=generator)) < MIX_SHARE:
            num_chosen = num_stems - _choose(num_stems // 2 + 1, generator)
        chosen = torch.randperm(num_stems, generator=generator)[:num_chosen].tolist()
        cut = np.stack([stems[index, :, start : start + window_length] for index in chosen])  # [num_chosen, C, <= L]
        mix = torch.from_numpy(cut.astype(np.float32).sum(0) / 32767)  # [C, <= L]
        return torch.nn.functional.pad(mix, (0, window_length - mix.shape[1]))  # [C, L]


def _choose(count: int, generator: torch.Generator) -> int:
    """Return a number in 0..count-1."""
    return int(torch.randint(count, (), generator=generator))
