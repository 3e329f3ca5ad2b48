"""The audio family trained from a token corpus: nothing is read but codes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from stemgen_core.codec.waveform_codec import WaveformCodec
from stemgen_core.corpus.storage import CorpusPiece
from stemgen_core.errors import InvalidRequestError
from stemgen_core.training.examples import NUM_TRIES, TARGETS_PER_CONTEXT, BatchesOfRun, ExampleBatch, WindowPlace
from stemgen_core.training.families import MIN_ACTIVE_RMS, AudioFamily


class TokenFamily(AudioFamily):
    """The audio family, reading codes that `stemgen train tokens` wrote.

    Args:
        codec: the one that the codes are of.
        tokens: what the manifest of the token corpus says of them.

    Raises:
        InvalidRequestError: if the codes are of another layout.
    """

    def __init__(self, codec: WaveformCodec, tokens: dict[str, Any]) -> None:
        super().__init__(codec, tokens.get("hearing", "codes"))
        spec = codec.spec
        known = {
            "num_codebooks": spec.num_codebooks,
            "codebook_size": spec.codebook_size,
            "hop_length": spec.hop_length,
        }
        if any(tokens["spec"][name] != value for name, value in known.items()):
            raise InvalidRequestError(f"The corpus holds codes of {tokens['spec']}, the codec is {spec}.")
        self.num_renders = int(tokens["num_renders"])

    def batches(
        self, pieces: Sequence[CorpusPiece], *, batch_size: int, window_frames: int, seed: int, is_rough: bool
    ) -> Dataset[ExampleBatch]:
        """Return the examples of a run."""
        return TokenBatches(
            pieces,
            num_levels=self.codec.spec.num_codebooks,
            num_renders=self.num_renders,
            batch_size=batch_size,
            window_frames=window_frames,
            seed=seed,
            is_rough=is_rough,
        )


class TokenBatches(BatchesOfRun):
    """Batches cut from codes: a mix of a random render of a random piece, and targets that it doesn't hold.

    Args:
        pieces: of a token corpus.
        num_levels: K.
        num_renders: of each piece; only the first is cut from where nothing is rough.
        run: batch_size, window_frames, seed and is_rough of `BatchesOfRun`.
    """

    def __init__(self, pieces: Sequence[CorpusPiece], *, num_levels: int, num_renders: int, **run: Any) -> None:
        super().__init__(pieces, **run)
        self.num_levels = num_levels
        self.num_renders = num_renders

    def _cut_batch(self, rng: np.random.Generator, num_frames: int) -> ExampleBatch:
        contexts, targets, places = [], [], []
        for _ in range(self.batch_size // TARGETS_PER_CONTEXT):
            context, codes, cut_from = self._cut(rng, num_frames)
            contexts += [context] * TARGETS_PER_CONTEXT
            targets += codes
            places += cut_from
        return ExampleBatch(
            context=torch.from_numpy(np.stack(contexts)),
            codes=torch.from_numpy(np.stack(targets).astype(np.int64)),
            conditions=self._conditions(places),
            levels=(tuple(range(self.num_levels)),) * len(places),
            places=tuple(places),
        )

    def _cut(self, rng: np.random.Generator, num_frames: int) -> tuple[np.ndarray, list[np.ndarray], list[WindowPlace]]:
        """Choose a window in which the mix and a stem outside it play."""
        for _ in range(NUM_TRIES):
            index = int(rng.integers(len(self.pieces)))
            entry = self.pieces[index]
            number = int(rng.integers(self.num_renders)) if self.is_rough else 0
            with np.load(entry.folder / "pieces" / f"{entry.index:06d}-r{number}.npz") as render:
                level = render["level"].astype(np.float32)  # [S, T of the piece]
                last_start = level.shape[1] - num_frames
                if last_start < 0:
                    continue
                start = int(rng.integers(last_start + 1))
                window = slice(start, start + num_frames)
                is_playing = np.sqrt(np.square(level[:, window]).mean(1)) >= MIN_ACTIVE_RMS  # [S]
                mix = int(rng.integers(len(render["heard"])))
                heard = render["heard"][mix]  # [S]
                unheard = rng.permutation((is_playing & ~heard).nonzero()[0])
                if not (is_playing & heard).any() or not len(unheard):
                    continue
                chosen = [int(unheard[number % len(unheard)]) for number in range(TARGETS_PER_CONTEXT)]
                stems = render["stems"]
                mixes = render["mixes"]  # int16 codes or float16 features
                context = mixes[mix, :, window].astype(np.int64 if mixes.dtype == np.int16 else np.float32)
                codes = [stems[stem, :, window] for stem in chosen]
                return context, codes, [WindowPlace(index, stem, start) for stem in chosen]
        raise ValueError(f"found no window of {num_frames} frames with two stems playing in {NUM_TRIES} tries")
