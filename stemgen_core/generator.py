"""Audio in, audio out: the one door that the app, the command line and the live mode use."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from stemgen_core.analysis.fit import FitReport, measure_fit
from stemgen_core.audio import resample, to_mono
from stemgen_core.checkpoint import Bundle, load_bundle
from stemgen_core.codec.families import open_codecs
from stemgen_core.codec.protocol import ContextCodec, DecodedStem, TargetCodec
from stemgen_core.errors import AudioFormatError, CheckpointError, InvalidRequestError
from stemgen_core.instruments import Instrument, find_instrument
from stemgen_core.sampling.decode import DecodingProgress, decode_codes
from stemgen_core.sampling.settings import PRESETS, SamplingSettings
from stemgen_core.sampling.windows import plan_windows
from stemgen_core.score import Note, crop_notes
from stemgen_core.types import Waveform

MIN_CONTEXT_S = 0.25
MAX_CONTEXT_S = 600.0
MAX_SEED = 2**31 - 1
SILENCE_PEAK = 1e-4  # -80 dBFS


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One variation to make; stored with the take, so that it can be made again.

    Attributes:
        instrument: a name of `stemgen_core.instruments` that the model was trained on.
        seed: 0 .. 2^31 - 1; another seed is another variation.
        settings: how to decode.
    """

    instrument: str
    seed: int
    settings: SamplingSettings = PRESETS["balanced"]


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """One variation.

    Attributes:
        stem: the context's exact number of audio samples and rate.
        notes: what is played, where the family has notes.
        model_id: which model made it.
        seconds_spent: by the wall clock.
        fit: how it was measured to fit the context.
    """

    stem: Waveform
    notes: tuple[Note, ...] | None
    model_id: str
    seconds_spent: float
    fit: FitReport


class StemGenerator:
    """A loaded model with its codecs.

    Args:
        bundle: the model.
        target_codec: turns its codes into sound.
        context_codec: turns audio into what it hears.
    """

    def __init__(self, bundle: Bundle, target_codec: TargetCodec, context_codec: ContextCodec) -> None:
        self._bundle = bundle
        self._target_codec = target_codec
        self._context_codec = context_codec
        self.model_id = bundle.manifest.model_id
        self.instruments: tuple[Instrument, ...] = tuple(map(find_instrument, bundle.manifest.instruments))

    @classmethod
    def load(cls, bundle_path: Path) -> "StemGenerator":
        """Load a bundle with the codecs that it was trained on.

        Raises:
            CheckpointError: if a file is missing, changed, or of a family, codec or instrument that this version
                doesn't have.
        """
        bundle = load_bundle(bundle_path)
        target_codec, context_codec = open_codecs(bundle.manifest.family, bundle.file)
        config = bundle.manifest.config
        for trained_on, opened in ((config.spec, target_codec.spec), (config.context_codec, context_codec.name)):
            if trained_on != opened:
                raise CheckpointError(f"The model at {bundle_path} was trained on {trained_on}, not on {opened}.")
        try:
            return cls(bundle, target_codec, context_codec)
        except InvalidRequestError as error:
            raise CheckpointError(
                f"The model at {bundle_path} was trained on what this version doesn't know. {error}"
            ) from error

    @property
    def family(self) -> str:
        """`score` or `audio`."""
        return self._bundle.manifest.family

    @property
    def bundle(self) -> Bundle:
        """The model behind the door, for those who measure it."""
        return self._bundle

    def generate(
        self,
        context: Waveform,
        request: GenerationRequest,
        *,
        report_progress: Callable[[float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> GenerationResult:
        """Make one stem that fits `context`.

        Args:
            context: what to listen to.
            request: what to make.
            report_progress: called with the share done, 0..1, after every decoding step.
            should_stop: asked before every decoding step; True ends the generation.

        Raises:
            AudioFormatError: if the context is empty, too short, too long, silent or not finite.
            InvalidRequestError: if the instrument is none of the model's or the seed is out of range.
            GenerationCancelledError: if `should_stop` said so.
        """
        started = time.monotonic()
        instrument = self._check_request(request)
        check_context(context)
        stretch = _Stretch.plan(context, self._window_s)
        codes = self._generate_codes(stretch.audio, instrument, request, report_progress, should_stop)
        decoded = stretch.cut(
            self._target_codec.decode(codes, instrument=instrument, seed=request.seed, context=stretch.audio)
        )
        return GenerationResult(
            stem=decoded.waveform,
            notes=decoded.notes,
            model_id=self.model_id,
            seconds_spent=time.monotonic() - started,
            fit=measure_fit(context, decoded.waveform),
        )

    @property
    def _window_s(self) -> float:
        return self._bundle.manifest.window_frames / self._target_codec.spec.frame_rate_hz

    def _check_request(self, request: GenerationRequest) -> Instrument:
        instrument = find_instrument(request.instrument)
        if instrument not in self.instruments:
            known = ", ".join(each.name for each in self.instruments)
            raise InvalidRequestError(
                f"This model was not trained to play {instrument.label.lower()}. Choose one of: {known}."
            )
        if not 0 <= request.seed <= MAX_SEED:
            raise InvalidRequestError(f"The seed must be 0 to {MAX_SEED}, got {request.seed}.")
        return instrument

    def _generate_codes(
        self,
        context: Waveform,
        instrument: Instrument,
        request: GenerationRequest,
        report_progress: Callable[[float], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> torch.Tensor:
        """Return int64 [K, T] for the whole context, window by window, each continuing the last."""
        spec = self._target_codec.spec
        rules = self._target_codec.rules(instrument)
        heard = resample(to_mono(context), spec.sample_rate_hz)
        num_frames = -(-heard.num_audio_samples // spec.hop_length)
        features = self._context_codec.encode(heard, num_frames)[None]
        codes = torch.zeros(1, spec.num_codebooks, num_frames, dtype=torch.int64)
        codes[:, [rule.level for rule in rules]] = spec.mask_token_id
        windows = plan_windows(num_frames, self._bundle.manifest.window_frames)
        num_steps = len(windows) * sum(request.settings.steps_at(index) for index in range(len(rules)))
        progress = DecodingProgress(num_steps, report_progress, should_stop)
        rng = torch.Generator().manual_seed(request.seed)
        conditions = {"instrument": torch.tensor([instrument.index])}
        for start, end in windows:
            codes[..., start:end] = decode_codes(
                self._bundle.model,
                features[..., start:end],
                codes[..., start:end],
                conditions,
                rules=rules,
                settings=request.settings,
                rngs=[rng],
                progress=progress,
            )
        return codes[0]


def check_context(context: Waveform) -> None:
    """Refuse what can't be listened to.

    Raises:
        AudioFormatError: if the context is empty, too short, too long, silent or not finite; the message says which.
    """
    if not torch.isfinite(context.samples).all():
        raise AudioFormatError("The audio holds values that are not numbers (NaN or infinity). Export it again.")
    if context.duration_s < MIN_CONTEXT_S:
        raise AudioFormatError(
            f"The audio is {context.duration_s:.2f} s long; at least {MIN_CONTEXT_S:g} s are needed to listen to."
        )
    if context.duration_s > MAX_CONTEXT_S:
        raise AudioFormatError(
            f"The audio is {context.duration_s:.0f} s long; at most {MAX_CONTEXT_S:.0f} s can be used. Cut it first."
        )
    if context.samples.abs().max() < SILENCE_PEAK:
        raise AudioFormatError("The audio is silent, so there is nothing to play along with.")


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A context as the model hears it: a short loop several times over, anything longer as it is.

    The second time round is what is kept of a loop: it has heard the first, and its beginning carries the tails of
    notes that the first one's end let ring, so the stem loops as the context does.

    Attributes:
        audio: the context, repeated `num_repeats` times.
        num_audio_samples: of the context itself.
        num_repeats: 1 = not a short loop.
    """

    audio: Waveform
    num_audio_samples: int
    num_repeats: int

    @classmethod
    def plan(cls, context: Waveform, window_s: float) -> "_Stretch":
        """Repeat a context that fits at least twice into the model's window."""
        num_repeats = max(1, int(window_s / context.duration_s))
        repeated = Waveform(context.samples.repeat(1, num_repeats), context.sample_rate_hz)
        return cls(repeated, context.num_audio_samples, num_repeats)

    def cut(self, decoded: DecodedStem) -> DecodedStem:
        """Return the part of a stem, made for `audio`, that belongs to the context."""
        if self.num_repeats == 1:
            return decoded
        rate_hz = self.audio.sample_rate_hz
        start, end = self.num_audio_samples, 2 * self.num_audio_samples
        notes = None if decoded.notes is None else tuple(crop_notes(decoded.notes, start / rate_hz, end / rate_hz))
        return DecodedStem(Waveform(decoded.waveform.samples[:, start:end].clone(), rate_hz), notes)
