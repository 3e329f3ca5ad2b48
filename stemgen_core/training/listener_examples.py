"""What a contrastive listener learns from: mixes heard once, and stems that belong to them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stemgen_core.codec import context_features
from stemgen_core.codec.context_features import FRAME_LENGTH, SAMPLE_RATE_HZ, extract_features
from stemgen_core.codec.score_roll import score_roll, shift_rows, transpose_roll
from stemgen_core.codec.score_tokens import FRAME_RATE_HZ, REST, encode_notes
from stemgen_core.corpus.roughening import roughen
from stemgen_core.corpus.storage import CorpusPiece
from stemgen_core.instruments import find_instrument

MAX_GAIN_DB = 6.0
MIN_ACTIVE_SHARE = 0.1  # of the frames, as in the training of the model
MIN_DISTANCE_S = 2.0  # between two windows of a piece
MAX_TRANSPOSITION = 6
DEFAULT_BEAT_S = 0.5
# Shifts in beats, either way: between the lines of a grid of sixteenths and triplets, where a stem belongs nowhere.
SHIFT_RANGES_BEATS = ((0.1, 0.21), (0.28, 0.31), (0.36, 0.46))
ROUGH_SHARE = 0.5  # of the mixes


@dataclass(frozen=True, slots=True)
class HeardPiece:
    """A piece as the listener learns from it.

    Attributes:
        mixes: float16 [M, F, T], features of each mix.
        is_heard: bool [M, S], which stems are in each mix.
        codes: uint8 [S, K, T].
        beat_s: length of a beat, seconds.
        num_frames: T of the whole piece.
    """

    mixes: torch.Tensor
    is_heard: np.ndarray
    codes: torch.Tensor
    beat_s: float
    num_frames: int


@dataclass(frozen=True, slots=True)
class ListenerBatch:
    """Pairs that belong together, and near misses of each; two windows of every piece stand next to each other.

    Attributes:
        contexts: float32 [B, F, T].
        stems: float32 [B, R, T], item i belongs to context i.
        transposed: float32 [B, R, T], the same stems in another key.
        has_key: bool [B], False where a stem has no pitch to be transposed (drums).
        lags: int64 [B, N], frames by which a shifted stem would be off the beat, never 0.
    """

    contexts: torch.Tensor
    stems: torch.Tensor
    transposed: torch.Tensor
    has_key: torch.Tensor
    lags: torch.Tensor


def hear_pieces(
    pieces: Sequence[CorpusPiece],
    *,
    num_mixes: int,
    seed: int,
    report_progress: Callable[[int, int], None] | None = None,
) -> list[HeardPiece]:
    """Hear mixes of every piece, about half of them roughened and detuned, and write its stems as codes.

    The gains and the choice of stems are drawn; at least one stem stays out of each mix.

    Args:
        pieces: of the training split; those with fewer than two stems with notes are left out.
        num_mixes: M, of each piece.
        seed: of what is drawn.
        report_progress: called with the pieces heard and wanted.
    """
    heard = []
    for number, entry in enumerate(pieces):
        found = _hear_piece(entry, num_mixes, np.random.default_rng([seed, entry.index]))
        heard += [] if found is None else [found]
        if report_progress is not None:
            report_progress(number + 1, len(pieces))
    return heard


def _hear_piece(entry: CorpusPiece, num_mixes: int, rng: np.random.Generator) -> HeardPiece | None:
    stems, audio = entry.piece.stems, entry.audio
    num_frames = audio.shape[1] // FRAME_LENGTH
    codes = torch.stack([encode_notes(stem.notes, find_instrument(stem.instrument), num_frames) for stem in stems])
    playing = (codes != REST).flatten(1).any(1).nonzero()[:, 0].tolist()
    if len(playing) < 2:
        return None
    features, is_heard = [], np.zeros((num_mixes, len(stems)), bool)
    for number in range(num_mixes):
        chosen = rng.choice(playing, int(rng.integers(1, len(playing))), replace=False)
        is_heard[number, chosen] = True
        mix = np.zeros(num_frames * FRAME_LENGTH, np.float32)
        for stem in chosen:
            gain = np.float32(10 ** (rng.uniform(-MAX_GAIN_DB, MAX_GAIN_DB) / 20) / 32_768)
            mix += audio[stem, : len(mix)].astype(np.float32) * gain
        is_rough = rng.random() < ROUGH_SHARE
        mix = roughen(mix, SAMPLE_RATE_HZ, rng) if is_rough else mix
        tuning_cents = float(rng.choice(context_features.TUNINGS_CENTS)) if is_rough else 0.0
        samples = torch.from_numpy(mix)[None]
        features.append(extract_features(samples, num_frames, tuning_cents=tuning_cents)[0].half())
    beats_s = entry.piece.beat_times_s
    beat_s = float(np.median(np.diff(beats_s))) if len(beats_s) > 1 else DEFAULT_BEAT_S
    return HeardPiece(torch.stack(features), is_heard, codes.to(torch.uint8), beat_s, num_frames)


class ListenerBatches:
    """Batch number n of a run, made from the seed and n alone.

    Args:
        pieces: as `hear_pieces` returns them.
        num_pieces: of a batch; B is twice that.
        window_frames: T.
        num_lags: N.
        seed: of the run.

    Raises:
        ValueError: if there are too few pieces of the length for a batch.
    """

    def __init__(
        self, pieces: Sequence[HeardPiece], *, num_pieces: int, window_frames: int, num_lags: int, seed: int
    ) -> None:
        needed = window_frames + round(MIN_DISTANCE_S * FRAME_RATE_HZ)
        self._pieces = [piece for piece in pieces if piece.num_frames >= needed]
        if len(self._pieces) < max(2, num_pieces):
            raise ValueError(f"a batch needs {num_pieces} pieces of {needed} frames, got {len(self._pieces)}")
        self._num_pieces, self._num_frames, self._num_lags, self._seed = num_pieces, window_frames, num_lags, seed

    def __getitem__(self, index: int) -> ListenerBatch:
        rng = np.random.default_rng([self._seed, index])
        contexts, codes, lags, drawn = [], [], [], 0
        for number in self._order(rng):
            pair = self._draw(self._pieces[number], rng)
            if pair is None:
                continue
            for context, stem in pair:
                contexts.append(context.float())
                codes.append(stem.long())
                lags.append(_draw_lags(self._pieces[number].beat_s, self._num_lags, rng))
            drawn += 1
            if drawn == self._num_pieces:
                return _make_batch(contexts, codes, lags, rng)
        raise ValueError(f"found stems that play in two windows in {drawn} of {self._num_pieces} pieces")

    def _order(self, rng: np.random.Generator) -> Iterator[int]:
        yield from rng.permutation(len(self._pieces)).tolist()

    def _draw(self, piece: HeardPiece, rng: np.random.Generator) -> list[tuple[torch.Tensor, torch.Tensor]] | None:
        """Return two windows of one mix of a piece with one stem that is not in it; None if none plays in both."""
        num_frames = self._num_frames
        distance = round(MIN_DISTANCE_S * FRAME_RATE_HZ)
        last = piece.num_frames - num_frames
        first_start = int(rng.integers(last - distance + 1))
        second_start = int(rng.integers(first_start + distance, last + 1))
        mix = int(rng.integers(len(piece.mixes)))
        windows = [slice(start, start + num_frames) for start in (first_start, second_start)]
        is_playing = [
            (piece.codes[..., window] != REST).any(1).float().mean(1) >= MIN_ACTIVE_SHARE for window in windows
        ]
        wanted = (is_playing[0] & is_playing[1]).numpy() & ~piece.is_heard[mix]
        if not wanted.any():
            return None
        stem = int(rng.choice(wanted.nonzero()[0]))
        return [(piece.mixes[mix, :, window], piece.codes[stem, :, window]) for window in windows]


def _draw_lags(beat_s: float, count: int, rng: np.random.Generator) -> list[int]:
    lags = []
    for _ in range(count):
        low, high = SHIFT_RANGES_BEATS[int(rng.integers(len(SHIFT_RANGES_BEATS)))]
        frames = max(1, round(rng.uniform(low, high) * beat_s * FRAME_RATE_HZ))
        lags.append(frames * int(rng.choice((-1, 1))))
    return lags


def _make_batch(
    contexts: list[torch.Tensor], codes: list[torch.Tensor], lags: list[list[int]], rng: np.random.Generator
) -> ListenerBatch:
    """Put a batch together, each piece in a key drawn anew: mix and stem move alike."""
    heard, stems = torch.stack(contexts), score_roll(torch.stack(codes))
    transposed = stems.clone()
    semitones = context_features.NUM_SEMITONES
    for item in range(0, len(stems), 2):
        pair = slice(item, item + 2)
        key = int(rng.integers(-MAX_TRANSPOSITION, MAX_TRANSPOSITION))
        heard[pair, :semitones] = shift_rows(heard[pair, :semitones], key)
        stems[pair] = transpose_roll(stems[pair], key)
        for each in (item, item + 1):
            away = int(rng.integers(1, MAX_TRANSPOSITION + 1)) * int(rng.choice((-1, 1)))
            transposed[each : each + 1] = transpose_roll(stems[each : each + 1], away)
    has_key = (transposed != stems).flatten(1).any(1)
    return ListenerBatch(heard, stems, transposed, has_key, torch.tensor(lags))
