"""What differs between the two families in training: what is heard, what is written, and how it is scored."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from stemgen_core.checkpoint import SHIPPED_BUNDLE_PATH
from stemgen_core.codec import bands_for_sound, context_features
from stemgen_core.codec.band_codec import BandCodec
from stemgen_core.codec.bands_for_sound import extract_for_sound
from stemgen_core.codec.context_features import FRAME_LENGTH, SAMPLE_RATE_HZ, TUNINGS_CENTS, extract_features
from stemgen_core.codec.score_tokens import (
    FIRST_HOLD,
    FIRST_ONSET,
    LOWEST_PITCH,
    NUM_PITCHES,
    NUM_VOICES,
    REST,
    SCORE_SPEC,
    encode_notes,
    levels_used,
)
from stemgen_core.codec.token_level import at_token_level
from stemgen_core.codec.waveform_codec import WaveformCodec
from stemgen_core.corpus.storage import CorpusPiece
from stemgen_core.errors import InvalidRequestError
from stemgen_core.instruments import Instrument
from stemgen_core.model.config import SIZES, ModelConfig, build_config
from stemgen_core.model.harmony import HarmonyConfig
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.sampling.judge import LISTENER_NAME
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.training.conditions import AUDIO_FIELDS, FIELDS
from stemgen_core.training.examples import ExampleBatch, ExampleBatches, WindowPlace
from stemgen_core.training.listening import score_listening
from stemgen_core.training.token_space import place_profiles, place_tokens
from stemgen_core.types import CodecSpec, Hearing, SoundFormat

MIN_ACTIVE_SHARE = 0.1  # of the frames: less is a stem that hardly plays
MIN_ACTIVE_RMS = 0.003  # -50 dBFS over the window
LISTENING_SETTINGS = SamplingSettings(num_steps=(16, 8, 4))


SCORE_HARMONY = HarmonyConfig(
    num_semitones=context_features.NUM_SEMITONES,
    lowest_semitone=context_features.LOWEST_SEMITONE,
    registers=(0, 24, 48),  # basses, chords, what lies above
    smoothing_frames=(1, 15, 61),  # now, half a second, two and a half seconds
    first_codes=(FIRST_ONSET, FIRST_HOLD),
    lowest_pitch=LOWEST_PITCH,
    num_pitches=NUM_PITCHES,
    num_levels=NUM_VOICES,
)


# The same for codes of sound, 50 frames a second.
SOUND_HARMONY = HarmonyConfig(
    num_semitones=context_features.NUM_SEMITONES,
    lowest_semitone=context_features.LOWEST_SEMITONE,
    registers=SCORE_HARMONY.registers,
    smoothing_frames=(1, 31, 121),
    first_codes=(),
    lowest_pitch=0,
    num_pitches=0,
    num_levels=1,
)


class TrainingFamily(Protocol):
    """A family, as the trainer sees it."""

    name: str
    first_level_share: float | None

    @property
    def sound(self) -> SoundFormat:
        """The format that its pieces have to have."""
        ...

    def model_config(self, size: str) -> ModelConfig:
        """Return the model in a named size."""
        ...

    def prepare(self, model: StemTransformer) -> None:
        """Change the random weights that a new model starts with, where something better is known."""
        ...

    def batches(
        self, pieces: Sequence[CorpusPiece], *, batch_size: int, window_frames: int, seed: int, is_rough: bool
    ) -> Dataset[ExampleBatch]:
        """Return the examples of a run."""
        ...

    def score(
        self, model: StemTransformer, pieces: Sequence[CorpusPiece], batches: Sequence[ExampleBatch]
    ) -> dict[str, float]:
        """Return listening scores of the model, with their sum as "listening"; nothing where there are none yet."""
        ...

    def write_codec(self, folder: Path) -> None:
        """Write what the bundle needs beside the weights, where training made it."""
        ...


class ScoreFamily:
    """Notes as codes, bands of the mix as context."""

    name = "score"
    first_level_share: float | None = 0.4  # the leading voice is what the others follow (decision 0012)
    sound = SoundFormat(SAMPLE_RATE_HZ)

    def model_config(self, size: str) -> ModelConfig:
        """Return the model in a named size."""
        return build_config(
            SIZES[size],
            SCORE_SPEC,
            fields=FIELDS,
            context_codec=context_features.NAME,
            num_context_features=context_features.NUM_FEATURES,
            harmony=SCORE_HARMONY,
        )

    def prepare(self, model: StemTransformer) -> None:
        """Nothing is known of notes."""

    def batches(
        self, pieces: Sequence[CorpusPiece], *, batch_size: int, window_frames: int, seed: int, is_rough: bool
    ) -> ExampleBatches:
        """Return the examples of a run."""
        return ScoreBatches(
            pieces,
            batch_size=batch_size,
            window_frames=window_frames,
            frame_length=FRAME_LENGTH,
            sample_rate_hz=SAMPLE_RATE_HZ,
            seed=seed,
            is_rough=is_rough,
        )

    def score(
        self, model: StemTransformer, pieces: Sequence[CorpusPiece], batches: Sequence[ExampleBatch]
    ) -> dict[str, float]:
        """Compare what the model writes with the pieces it heard."""
        score = score_listening(model, pieces, batches, LISTENING_SETTINGS)
        return {"listening": score.total} | asdict(score)

    def write_codec(self, folder: Path) -> None:
        """Take along the shipped sounds and listener, where the bundle has none yet: neither depends on the weights."""
        folder.mkdir(parents=True, exist_ok=True)
        for shipped in [*SHIPPED_BUNDLE_PATH.glob("sounds*"), *SHIPPED_BUNDLE_PATH.glob(LISTENER_NAME)]:
            if not (folder / shipped.name).exists():
                shutil.copyfile(shipped, folder / shipped.name)


class AudioFamily:
    """Codes of sound for the target, and for the context, the paper's way, or bands where compute is short.

    Args:
        codec: trained by `stemgen train codec`, or a published one.
        hearing: "codes" or "bands" (decision 0108).

    Raises:
        InvalidRequestError: if the codec's frames are not those of the bands.
    """

    name = "audio"

    def __init__(self, codec: WaveformCodec, hearing: Hearing = "codes") -> None:
        if hearing == "bands" and not bands_for_sound.fits(codec.spec, codec.num_channels):
            raise InvalidRequestError(
                f"Bands are heard in mono at {bands_for_sound.SAMPLE_RATE_HZ} Hz, {bands_for_sound.HOP_LENGTH} audio"
                f" samples a frame; this codec is {codec.spec} with {codec.num_channels} channels. Let it hear codes."
            )
        self.codec = codec
        self.hearing: Hearing = hearing
        # With codes all levels are trained alike, as in the paper; with bands the first, which says when and what
        # sounds, as often as the others together.
        self.first_level_share: float | None = None if hearing == "codes" else 0.5

    @property
    def sound(self) -> SoundFormat:
        """The codec's."""
        return SoundFormat(self.codec.spec.sample_rate_hz, self.codec.num_channels)

    def model_config(self, size: str) -> ModelConfig:
        """Return the model in a named size."""
        return audio_config(size, self.codec.spec, self.hearing)

    def prepare(self, model: StemTransformer) -> None:
        """Start tokens where the codec's entries lie, and what they hold of harmony with what those hold."""
        place_tokens(model, self.codec.codebooks)
        if self.hearing == "bands" and isinstance(self.codec, BandCodec):
            place_profiles(model, self.codec.codebooks, self.codec.analysis.first_pitches)

    def batches(
        self, pieces: Sequence[CorpusPiece], *, batch_size: int, window_frames: int, seed: int, is_rough: bool
    ) -> Dataset[ExampleBatch]:
        """Return the examples of a run."""
        return AudioBatches(
            self.codec,
            pieces,
            batch_size=batch_size,
            window_frames=window_frames,
            seed=seed,
            is_rough=is_rough,
            hearing=self.hearing,
        )

    def score(
        self, model: StemTransformer, pieces: Sequence[CorpusPiece], batches: Sequence[ExampleBatch]
    ) -> dict[str, float]:
        """Nothing yet: codes of sound have to be judged by ear, which `stemgen evaluate` does."""
        return {}

    def write_codec(self, folder: Path) -> None:
        """Write the codec into the bundle."""
        self.codec.save(folder)


def audio_config(size: str, spec: CodecSpec, hearing: Hearing) -> ModelConfig:
    """Return a model of the audio family in a named size.

    Args:
        size: a name of `SIZES`.
        spec: of its codec.
        hearing: what it reads of mixes.
    """
    context_codec, num_features, harmony = spec.name, None, None
    if hearing == "bands":
        context_codec, num_features = bands_for_sound.NAME, context_features.NUM_FEATURES
        harmony = SOUND_HARMONY
    return build_config(
        SIZES[size],
        spec,
        fields=AUDIO_FIELDS,
        context_codec=context_codec,
        num_context_features=num_features,
        harmony=harmony,
    )


class ScoreBatches(ExampleBatches):
    """Examples of the score family; contexts are detuned by up to 30 cents, as recordings are."""

    def __init__(self, pieces: Sequence[CorpusPiece], **options: Any) -> None:
        super().__init__(pieces, **options)
        self._codes: dict[int, torch.Tensor] = {}

    def piece_codes(self, index: int) -> torch.Tensor:
        """Return the codes of all stems of a piece, uint8 [S, K, T of the piece]; written once, then kept."""
        if index not in self._codes:
            entry = self.pieces[index]
            num_frames = entry.audio.shape[1] // self.frame_length
            stems = [(stem, self.instrument_at(WindowPlace(index, s, 0))) for s, stem in enumerate(entry.piece.stems)]
            rows = [encode_notes(stem.notes, instrument, num_frames) for stem, instrument in stems]
            self._codes[index] = torch.stack(rows).to(torch.uint8)
        return self._codes[index]

    def _is_playing(self, index: int, start: int, num_frames: int) -> np.ndarray:
        window = self.piece_codes(index)[:, :, start : start + num_frames]
        return ((window != REST).any(1).float().mean(1) >= MIN_ACTIVE_SHARE).numpy()

    def _hear(self, contexts: torch.Tensor, num_frames: int, rng: np.random.Generator) -> torch.Tensor:
        tuning_cents = float(rng.choice(TUNINGS_CENTS)) if self.is_rough else 0.0
        return extract_features(contexts[:, 0], num_frames, tuning_cents=tuning_cents)  # mono, see `sound`

    def _write(self, place: WindowPlace, num_frames: int) -> torch.Tensor:
        window = slice(place.start_frame, place.start_frame + num_frames)
        return self.piece_codes(place.piece)[place.stem, :, window].long()

    def _levels(self, instrument: Instrument) -> tuple[int, ...]:
        return levels_used(instrument)


class AudioBatches(ExampleBatches):
    """Examples of the audio family."""

    def __init__(
        self, codec: WaveformCodec, pieces: Sequence[CorpusPiece], *, hearing: Hearing = "codes", **options: Any
    ) -> None:
        super().__init__(
            pieces, frame_length=codec.spec.hop_length, sample_rate_hz=codec.spec.sample_rate_hz, **options
        )
        self.codec = codec
        self.hearing = hearing

    def _is_playing(self, index: int, start: int, num_frames: int) -> np.ndarray:
        part = slice(start * self.frame_length, (start + num_frames) * self.frame_length)
        samples = self.pieces[index].channels[:, :, part].astype(np.float32) / 32_768  # [S, C, L]
        return np.sqrt(np.square(samples).mean((1, 2))) >= MIN_ACTIVE_RMS

    def _hear(self, contexts: torch.Tensor, num_frames: int, rng: np.random.Generator) -> torch.Tensor:
        if self.hearing == "bands":
            tuning_cents = float(rng.choice(TUNINGS_CENTS)) if self.is_rough else 0.0
            return extract_for_sound(contexts[:, 0], num_frames, tuning_cents=tuning_cents)  # mono, see `fits`
        return self.codec.encode(
            torch.stack([at_token_level(mix, self.codec.spec.sample_rate_hz) for mix in contexts])
        )  # [B, C, L] -> [B, K, T]

    def _write(self, place: WindowPlace, num_frames: int) -> torch.Tensor:
        part = slice(place.start_frame * self.frame_length, (place.start_frame + num_frames) * self.frame_length)
        samples = self.pieces[place.piece].channels[place.stem, :, part].astype(np.float32) / 32_768
        levelled = at_token_level(torch.from_numpy(samples), self.codec.spec.sample_rate_hz)
        return self.codec.encode(levelled[None])[0]  # [1, C, L] -> [K, T]

    def _levels(self, instrument: Instrument) -> tuple[int, ...]:
        return tuple(range(self.codec.spec.num_codebooks))
