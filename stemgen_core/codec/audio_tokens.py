"""The audio family: codes of sound for both the context and the target, as in the paper."""

import torch

from stemgen_core.audio import resample, with_channels
from stemgen_core.codec.protocol import DecodedStem, LevelRule, LoopSpan, NoteEdit
from stemgen_core.codec.token_level import at_token_level
from stemgen_core.codec.waveform_codec import WaveformCodec
from stemgen_core.instruments import Instrument
from stemgen_core.sound.level import fit_stem_level
from stemgen_core.types import CodecSpec, Waveform

SEAM_S = 0.03  # over which the end of a loop turns into what leads to its beginning


class AudioTokens:
    """Target codec and context codec in one: context and stem are codes of the same codec.

    Both are brought to one level before they are encoded, and a decoded stem is fitted to its context: codes need not
    say how loud something is (decision 0056).

    Args:
        codec: an EnCodec, trained or published, or a band codec.
    """

    def __init__(self, codec: WaveformCodec) -> None:
        self.codec = codec

    @property
    def spec(self) -> CodecSpec:
        """The token layout."""
        return self.codec.spec

    @property
    def name(self) -> str:
        """The context's layout: the same as the target's."""
        return self.codec.spec.name

    @property
    def num_features(self) -> None:
        """None: the context is tokens."""
        return None

    @property
    def num_channels(self) -> int:
        """C that the codec hears and plays."""
        return self.codec.num_channels

    def encode(self, context: Waveform, num_frames: int) -> torch.Tensor:
        """Encode `num_frames` frames from the start of `context`, silence beyond its end.

        Args:
            context: of the codec's channels and rate; the caller sees to both.
            num_frames: T.

        Returns:
            int64 [K, T].

        Raises:
            ValueError: if the context has another rate or other channels.
        """
        spec = self.spec
        if context.sample_rate_hz != spec.sample_rate_hz or context.num_channels != self.num_channels:
            raise ValueError(
                f"expected {self.num_channels} channels at {spec.sample_rate_hz} Hz, "
                f"got {context.num_channels} channels at {context.sample_rate_hz} Hz"
            )
        length = num_frames * spec.hop_length
        samples = at_token_level(context.samples[:, :length], spec.sample_rate_hz)
        padded = torch.nn.functional.pad(samples, (0, length - samples.shape[1]))  # [C, T * hop]
        return self.codec.encode(padded[None])[0]  # [1, K, T] -> [K, T]

    def rules(self, instrument: Instrument) -> tuple[LevelRule, ...]:
        """Return all levels, coarse to fine: every instrument uses every code."""
        return tuple(LevelRule(level) for level in range(self.spec.num_codebooks))

    def encode_stem(self, stem: DecodedStem, instrument: Instrument, num_frames: int) -> torch.Tensor:
        """Write a stem's sound as codes, int64 [K, T]; `instrument` is not used."""
        heard = with_channels(stem.waveform, self.num_channels)
        return self.encode(resample(heard, self.spec.sample_rate_hz), num_frames)

    def decode(
        self, codes: torch.Tensor, *, instrument: Instrument, seed: int, context: Waveform, genre: str | None = None
    ) -> DecodedStem:
        """Turn codes into sound.

        The stem gets the level that its category has beside such a context.

        Args:
            codes: int64 [K, T], values in [0, V).
            instrument: decides the level.
            seed: not used, decoding has no choices.
            context: the stem gets its rate and its number of audio samples.
            genre: not used.

        Returns:
            the codec's channels, no notes.

        Raises:
            ValueError: if the codes are of another layout.
        """
        decoded = self.codec.decode(codes[None])[0]  # [K, T] -> [C, T * hop]
        stem = Waveform(decoded, self.spec.sample_rate_hz)
        stem = resample(stem, context.sample_rate_hz, num_audio_samples=context.num_audio_samples)
        fitted = fit_stem_level(stem.samples.numpy(), context.samples.numpy(), context.sample_rate_hz, instrument.name)
        return DecodedStem(Waveform(torch.from_numpy(fitted), context.sample_rate_hz), notes=None)

    def decode_loop(
        self,
        codes: torch.Tensor,
        *,
        instrument: Instrument,
        seed: int,
        context: Waveform,
        span: LoopSpan,
        genre: str | None = None,
        join: NoteEdit | None = None,
    ) -> DecodedStem:
        """Turn codes into sound whose end fades over into what was played before its beginning.

        Args, returns: see `TargetCodec.decode_loop`; `join` is not used.
        """
        samples = self.decode(codes, instrument=instrument, seed=seed, context=context).waveform.samples
        start, end = span.start, span.start + span.num_audio_samples
        loop = samples[:, start:end].clone()
        num_faded = min(start, round(SEAM_S * context.sample_rate_hz), span.num_audio_samples)
        if num_faded:
            weight = torch.linspace(0, 1, num_faded + 1)[1:]
            loop[:, -num_faded:] += weight * (samples[:, start - num_faded : start] - loop[:, -num_faded:])
        return DecodedStem(Waveform(loop, context.sample_rate_hz), notes=None)
