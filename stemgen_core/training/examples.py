"""Training examples of the score family: a context heard, a stem written down, cut from pieces of the corpus."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from stemgen_core.codec.context_features import FRAME_LENGTH, TUNINGS_CENTS, extract_features
from stemgen_core.codec.score_tokens import REST, encode_notes, levels_used
from stemgen_core.corpus.storage import CorpusPiece
from stemgen_core.instruments import find_instrument

MIN_ACTIVE_SHARE = 0.1  # of the frames: less is a stem that hardly plays
MAX_GAIN_DB = 6.0
MAX_TILT_DB = 6.0
MAX_NOISE_DB = -40.0
NUM_TRIES = 50
# Hearing costs a third of a training step on a CPU, so each context serves two targets.
TARGETS_PER_CONTEXT = 2


@dataclass(frozen=True, slots=True)
class ScoreBatch:
    """Examples ready for the model.

    Attributes:
        context: float32 [B, F, T], features of the mix that is heard.
        codes: int64 [B, K, T], the target.
        instrument: int64 [B], index of the target's category.
        levels: per item the levels that its instrument uses.
        places: per item what it was cut from.
    """

    context: torch.Tensor
    codes: torch.Tensor
    instrument: torch.Tensor
    levels: tuple[tuple[int, ...], ...]
    places: tuple["WindowPlace", ...]


@dataclass(frozen=True, slots=True)
class WindowPlace:
    """Where an example comes from: the piece (index in the list), the target stem and the first frame."""

    piece: int
    stem: int
    start_frame: int


class ScoreBatches(Dataset[ScoreBatch]):
    """Batch number n of a run, made from the seed and n alone, so that a run can be taken up at any step.

    The context is a random subset of the other stems with random gains, a spectral tilt, some noise and a tuning a
    little off, as recordings are; the target is never touched.

    Args:
        pieces: what to cut from.
        batch_size: B, even.
        window_frames: T; a third of the batches have shorter windows, down to half.
        seed: of the run.
        is_rough: False leaves out everything random but the choice of the window and the stems.

    Source: StemGen (arXiv:2312.08723), training: random subset, random crop, silent ones dropped.
    """

    def __init__(
        self, pieces: Sequence[CorpusPiece], *, batch_size: int, window_frames: int, seed: int, is_rough: bool = True
    ) -> None:
        self.pieces = pieces
        self.batch_size = batch_size
        self.window_frames = window_frames
        self.seed = seed
        self.is_rough = is_rough
        self._codes: dict[int, torch.Tensor] = {}

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, index: int) -> ScoreBatch:
        rng = np.random.default_rng([self.seed, index])
        num_frames = self.window_frames
        if self.is_rough and rng.random() < 1 / 3:
            num_frames = int(rng.integers(self.window_frames // 2, self.window_frames + 1))
        contexts, places = [], []
        for _ in range(self.batch_size // TARGETS_PER_CONTEXT):
            context, targets = self._draw(rng, num_frames)
            contexts.append(context)
            places += targets
        tuning_cents = float(rng.choice(TUNINGS_CENTS)) if self.is_rough else 0.0
        instruments = [find_instrument(self.pieces[p.piece].piece.stems[p.stem].instrument) for p in places]
        context = extract_features(torch.from_numpy(np.stack(contexts)), num_frames, tuning_cents=tuning_cents)
        codes = [self.piece_codes(p.piece)[p.stem, :, p.start_frame : p.start_frame + num_frames] for p in places]
        return ScoreBatch(
            context=context.repeat_interleave(TARGETS_PER_CONTEXT, 0),
            codes=torch.stack(codes).long(),
            instrument=torch.tensor([instrument.index for instrument in instruments]),
            levels=tuple(levels_used(instrument) for instrument in instruments),
            places=tuple(places),
        )

    def piece_codes(self, index: int) -> torch.Tensor:
        """Return the codes of all stems of a piece, uint8 [S, K, T of the piece]; written once, then kept."""
        if index not in self._codes:
            entry = self.pieces[index]
            num_frames = entry.audio.shape[1] // FRAME_LENGTH
            rows = [
                encode_notes(stem.notes, find_instrument(stem.instrument), num_frames) for stem in entry.piece.stems
            ]
            self._codes[index] = torch.stack(rows).to(torch.uint8)
        return self._codes[index]

    def _draw(self, rng: np.random.Generator, num_frames: int) -> tuple[np.ndarray, list[WindowPlace]]:
        """Choose a window, what is heard in it, and the targets: stems that are not heard."""
        for _ in range(NUM_TRIES):
            index = int(rng.integers(len(self.pieces)))
            codes = self.piece_codes(index)
            if codes.shape[2] < num_frames:
                continue
            start = int(rng.integers(codes.shape[2] - num_frames + 1))
            is_playing = (codes[:, :, start : start + num_frames] != REST).any(1).float().mean(1) >= MIN_ACTIVE_SHARE
            playing = rng.permutation(is_playing.nonzero()[:, 0].numpy())  # [stems]
            if len(playing) < 2:
                continue
            num_heard = int(rng.integers(1, len(playing)))
            heard, unheard = playing[:num_heard].tolist(), playing[num_heard:].tolist()
            targets = [unheard[number % len(unheard)] for number in range(TARGETS_PER_CONTEXT)]
            return self._mix(index, heard, start, num_frames, rng), [WindowPlace(index, t, start) for t in targets]
        raise ValueError(f"found no window of {num_frames} frames with two stems playing in {NUM_TRIES} tries")

    def _mix(self, index: int, stems: list[int], start: int, num_frames: int, rng: np.random.Generator) -> np.ndarray:
        """Sum stems over a window, float32 [L]."""
        audio = self.pieces[index].audio
        part = slice(start * FRAME_LENGTH, (start + num_frames) * FRAME_LENGTH)
        gains_db = rng.uniform(-MAX_GAIN_DB, MAX_GAIN_DB, len(stems)) if self.is_rough else np.zeros(len(stems))
        mix = np.zeros(num_frames * FRAME_LENGTH, np.float32)
        for stem, gain_db in zip(stems, gains_db, strict=True):
            mix += audio[stem, part].astype(np.float32) * np.float32(10 ** (gain_db / 20) / 32_768)
        return _roughen(mix, rng) if self.is_rough else mix


def _roughen(mix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tilt the spectrum and add noise, as another room, microphone or master would."""
    tilt_db = rng.uniform(-MAX_TILT_DB, MAX_TILT_DB)
    if abs(tilt_db) > 2:
        # A first-order difference or sum is a gentle tilt up or down that costs one pass over the samples.
        amount = np.float32(abs(tilt_db) / MAX_TILT_DB * 0.7)
        mix[1:] += (-amount if tilt_db > 0 else amount) * mix[:-1]
    rms = float(np.sqrt(np.mean(np.square(mix))))
    noise_db = rng.uniform(MAX_NOISE_DB - 40, MAX_NOISE_DB)
    noise = rng.standard_normal(len(mix), np.float32)
    return mix + noise * np.float32(rms * 10 ** (noise_db / 20))
