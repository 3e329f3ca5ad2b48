"""Training examples: a context heard and the stem that belongs to it, cut from pieces of the corpus."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from stemgen_core.corpus.roughening import roughen_channels
from stemgen_core.corpus.storage import CorpusPiece
from stemgen_core.instruments import Instrument, find_instrument
from stemgen_core.training.conditions import conditions_of

MAX_GAIN_DB = 6.0
NUM_TRIES = 50
# Hearing costs a third of a training step on a CPU, so each context serves two targets.
TARGETS_PER_CONTEXT = 2


@dataclass(frozen=True, slots=True)
class WindowPlace:
    """Where an example is cut from: the piece (index in the list), the target stem and the first frame."""

    piece: int
    stem: int
    start_frame: int


@dataclass(frozen=True, slots=True)
class ExampleBatch:
    """Examples ready for the model.

    Attributes:
        context: float32 [B, F, T] features or int64 [B, K, T] codes of the mix that is heard.
        codes: int64 [B, K, T], the target.
        conditions: per field int64 [B], what the targets are asked for by.
        levels: per item the levels that its instrument uses, coarse to fine.
        places: per item what it was cut from.
    """

    context: torch.Tensor
    codes: torch.Tensor
    conditions: Mapping[str, torch.Tensor]
    levels: tuple[tuple[int, ...], ...]
    places: tuple[WindowPlace, ...]


class BatchesOfRun(Dataset[ExampleBatch], ABC):
    """Batch number n of a run, made from the seed and n alone, so that a run can be taken up at any step.

    What is heard is a mix of some stems of a window; what is asked for are stems that are not in it.

    Args:
        pieces: what to cut from.
        batch_size: B, even.
        window_frames: T; a third of the batches have shorter windows, down to half.
        seed: of the run.
        is_rough: False leaves out everything random but the choice of the window and the stems.

    Source: StemGen (arXiv:2312.08723), training: random subset, random crop, silent ones dropped.
    """

    def __init__(
        self, pieces: Sequence[CorpusPiece], *, batch_size: int, window_frames: int, seed: int, is_rough: bool
    ) -> None:
        if batch_size % TARGETS_PER_CONTEXT:
            raise ValueError(f"batch_size must be a multiple of {TARGETS_PER_CONTEXT}, got {batch_size}")
        self.pieces = pieces
        self.batch_size = batch_size
        self.window_frames = window_frames
        self.seed = seed
        self.is_rough = is_rough

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, index: int) -> ExampleBatch:
        rng = np.random.default_rng([self.seed, index])
        num_frames = self.window_frames
        if self.is_rough and rng.random() < 1 / 3:
            num_frames = int(rng.integers(self.window_frames // 2, self.window_frames + 1))
        return self._cut_batch(rng, num_frames)

    @abstractmethod
    def _cut_batch(self, rng: np.random.Generator, num_frames: int) -> ExampleBatch:
        """Cut B examples of one length."""

    def _conditions(self, places: Sequence[WindowPlace]) -> dict[str, torch.Tensor]:
        """Return what the targets are asked for by, per field int64 [B]."""
        pieces = [self.pieces[place.piece].piece for place in places]
        values = [conditions_of(piece, piece.stems[place.stem]) for piece, place in zip(pieces, places, strict=True)]
        return {name: torch.tensor([value[name] for value in values]) for name in values[0]}


def target_weights(instruments: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """Return how much each stem is wanted as a target: the rarer its instrument, the more (decision 0102).

    Args:
        instruments: per piece the instrument of each stem.

    Returns:
        Per piece float64 [S], > 0: one over the square root of how many stems of the corpus have the instrument.
    """
    counts = Counter(name for names in instruments for name in names)
    return [np.array([counts[name] ** -0.5 for name in names]) for names in instruments]


class ExampleBatches(BatchesOfRun):
    """Batches cut from sound.

    The context is a random subset of the other stems with random gains, roughened as people's recordings are; the
    target is never touched. What a family reads of both is its own.

    Args:
        pieces: what to cut from.
        frame_length: audio samples per frame.
        sample_rate_hz: audio samples per second.
        run: batch_size, window_frames, seed and is_rough of `BatchesOfRun`.
    """

    def __init__(self, pieces: Sequence[CorpusPiece], *, frame_length: int, sample_rate_hz: int, **run: Any) -> None:
        super().__init__(pieces, **run)
        self.frame_length = frame_length
        self.sample_rate_hz = sample_rate_hz
        self._stem_weights = target_weights([[stem.instrument for stem in entry.piece.stems] for entry in self.pieces])
        per_piece = np.array([weights.sum() for weights in self._stem_weights])
        self._piece_chances = per_piece / per_piece.sum()

    def _cut_batch(self, rng: np.random.Generator, num_frames: int) -> ExampleBatch:
        contexts, places = [], []
        for _ in range(self.batch_size // TARGETS_PER_CONTEXT):
            context, targets = self._draw(rng, num_frames)
            contexts.append(context)
            places += targets
        heard = self._hear(torch.from_numpy(np.stack(contexts)), num_frames, rng)
        return ExampleBatch(
            context=heard.repeat_interleave(TARGETS_PER_CONTEXT, 0),
            codes=torch.stack([self._write(place, num_frames) for place in places]),
            conditions=self._conditions(places),
            levels=tuple(self._levels(self.instrument_at(place)) for place in places),
            places=tuple(places),
        )

    def instrument_at(self, place: WindowPlace) -> Instrument:
        """Return the category of an example's target."""
        return find_instrument(self.pieces[place.piece].piece.stems[place.stem].instrument)

    @abstractmethod
    def _is_playing(self, index: int, start: int, num_frames: int) -> np.ndarray:
        """Return which stems of a piece play enough in a window to be heard or asked for, bool [S]."""

    @abstractmethod
    def _hear(self, contexts: torch.Tensor, num_frames: int, rng: np.random.Generator) -> torch.Tensor:
        """Turn mixes, float32 [B, C, L], into what the model reads, [B, F or K, T]."""

    @abstractmethod
    def _write(self, place: WindowPlace, num_frames: int) -> torch.Tensor:
        """Return the codes of a target, int64 [K, T]."""

    @abstractmethod
    def _levels(self, instrument: Instrument) -> tuple[int, ...]:
        """Return the levels that an instrument uses, coarse to fine."""

    def _draw(self, rng: np.random.Generator, num_frames: int) -> tuple[np.ndarray, list[WindowPlace]]:
        """Choose a window, the targets in it, and what is heard: stems that are not asked for, nor could have been."""
        for _ in range(NUM_TRIES):
            index = int(rng.choice(len(self.pieces), p=self._piece_chances))
            last_start = self.pieces[index].channels.shape[2] // self.frame_length - num_frames
            if last_start < 0:
                continue
            start = int(rng.integers(last_start + 1))
            playing = self._is_playing(index, start, num_frames).nonzero()[0]  # [stems]
            if len(playing) < 2:
                continue
            wanted = self._stem_weights[index][playing]
            ordered = rng.choice(playing, len(playing), replace=False, p=wanted / wanted.sum())
            num_unheard = int(rng.integers(1, len(playing)))
            unheard, heard = ordered[:num_unheard].tolist(), ordered[num_unheard:].tolist()
            targets = [unheard[number % len(unheard)] for number in range(TARGETS_PER_CONTEXT)]
            return self._mix(index, heard, start, num_frames, rng), [WindowPlace(index, t, start) for t in targets]
        raise ValueError(f"found no window of {num_frames} frames with two stems playing in {NUM_TRIES} tries")

    def _mix(self, index: int, stems: list[int], start: int, num_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Sum stems over a window, float32 [C, L]."""
        audio = self.pieces[index].channels
        part = slice(start * self.frame_length, (start + num_frames) * self.frame_length)
        gains_db = rng.uniform(-MAX_GAIN_DB, MAX_GAIN_DB, len(stems)) if self.is_rough else np.zeros(len(stems))
        mix = np.zeros((audio.shape[1], num_frames * self.frame_length), np.float32)
        for stem, gain_db in zip(stems, gains_db, strict=True):
            mix += audio[stem, :, part].astype(np.float32) * np.float32(10 ** (gain_db / 20) / 32_768)
        return roughen_channels(mix, self.sample_rate_hz, rng) if self.is_rough else mix
