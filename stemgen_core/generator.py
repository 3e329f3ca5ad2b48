"""Audio in, audio out: the one door that the app, the command line and the live mode use."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stemgen_core.analysis.fit import FitReport, measure_fit
from stemgen_core.audio import resample, with_channels
from stemgen_core.checkpoint import Bundle, load_bundle
from stemgen_core.codec.families import open_codecs
from stemgen_core.codec.protocol import ContextCodec, DecodedStem, TargetCodec
from stemgen_core.errors import AudioFormatError, CheckpointError, InvalidRequestError
from stemgen_core.instruments import STEM_CATEGORIES, Instrument, find_instrument
from stemgen_core.model.precision import gains_by_bfloat16, halve_blocks
from stemgen_core.revision import Revision
from stemgen_core.sampling.decode import DecodingProgress
from stemgen_core.sampling.judge import ModelJudge, StemJudge, open_judge
from stemgen_core.sampling.settings import PRESETS, SamplingSettings
from stemgen_core.sampling.whole_stem import StemWriter, WholeStem
from stemgen_core.score import Note
from stemgen_core.sound.programs import choose_sound
from stemgen_core.stretch import Stretch
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
        genre: one of the generator's `genres`; None leaves it open.
        stem_category: one of the generator's `stem_categories`; None leaves it open.
        revision: a stem to make part of again; None makes a new one.
        genre_to: a second genre, to be between the two; None stays with the first.
        genre_morph: how far towards it, 0..1.
        is_loop: whether the context goes round, and the stem is to go round with it: what rings at its end is heard
            at its beginning. Its last notes may end after the end.
    """

    instrument: str
    seed: int
    settings: SamplingSettings = PRESETS["balanced"]
    genre: str | None = None
    stem_category: str | None = None
    revision: Revision | None = None
    genre_to: str | None = None
    genre_morph: float = 0.0
    is_loop: bool = False


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """One variation.

    Attributes:
        stem: the context's exact number of audio samples and rate.
        notes: what is played, where the family has notes.
        model_id: which model made it.
        seconds_spent: by the wall clock.
        fit: how it was measured to fit the context.
        listening_score: how well the bundle's judge finds that the stem belongs to its context, on the judge's own
            scale; higher is better. For ordering variations of one instrument in one context.
        judge: name of who gave that score; None where there is none.
        chosen_candidates: per window of the context, in order, which of its candidates was kept, counted from 0.
        hurried_after: after how many steps it had to hurry; as `max_steps` of the settings this makes it again. None
            if it took its time.
    """

    stem: Waveform
    notes: tuple[Note, ...] | None
    model_id: str
    seconds_spent: float
    fit: FitReport
    listening_score: float | None = None
    judge: str | None = None
    chosen_candidates: tuple[int, ...] = ()
    hurried_after: int | None = None

    def fit_to_keep(self) -> dict[str, Any]:
        """Return what is kept of the stem's fit, JSON values: as measured, as judged, and what was chosen."""
        return self.fit.to_json() | {
            "listening_score": self.listening_score,
            "judge": self.judge,
            "chosen_candidates": list(self.chosen_candidates),
        }


class StemGenerator:
    """A loaded model with its codecs.

    Args:
        bundle: the model.
        target_codec: turns its codes into sound.
        context_codec: turns audio into what it hears.
        judge: scores its stems; None leaves that to the model itself.
    """

    def __init__(
        self,
        bundle: Bundle,
        target_codec: TargetCodec,
        context_codec: ContextCodec,
        judge: StemJudge | None = None,
    ) -> None:
        self._bundle = bundle
        window_frames = bundle.manifest.window_frames
        self.judge = judge or ModelJudge(bundle.model, window_frames)
        self._writer = StemWriter(bundle.model, self.judge, window_frames)
        self.target_codec = target_codec
        self._context_codec = context_codec
        self.model_id = bundle.manifest.model_id
        self.instruments: tuple[Instrument, ...] = tuple(map(find_instrument, bundle.manifest.instruments))
        fields = {field.name for field in bundle.manifest.config.fields}
        self.genres: tuple[str, ...] = bundle.manifest.genres if "genre" in fields else ()
        self.stem_categories: tuple[str, ...] = STEM_CATEGORIES if "stem_category" in fields else ()
        self._is_told_sound = "sound" in fields  # else the target codec chooses it

    @classmethod
    def load(cls, bundle_path: Path) -> "StemGenerator":
        """Load a bundle with the codecs that it was trained on.

        Processors that multiply in bfloat16 do so (docs/decisions/0070-bfloat16-at-load.md).

        Raises:
            CheckpointError: if a file is missing, changed, or of a family, codec or instrument that this version
                doesn't have.
        """
        bundle = load_bundle(bundle_path)
        config = bundle.manifest.config
        target_codec, context_codec = open_codecs(
            bundle.manifest.family, bundle.file, context_codec=config.context_codec
        )
        for trained_on, opened in ((config.spec, target_codec.spec), (config.context_codec, context_codec.name)):
            if trained_on != opened:
                raise CheckpointError(f"The model at {bundle_path} was trained on {trained_on}, not on {opened}.")
        if gains_by_bfloat16():
            halve_blocks(bundle.model)
        try:
            return cls(bundle, target_codec, context_codec, open_judge(bundle))
        except InvalidRequestError as error:
            raise CheckpointError(
                f"The model at {bundle_path} was trained on what this version doesn't know. {error}"
            ) from error

    @property
    def family(self) -> str:
        """`score` or `audio`."""
        return self._bundle.manifest.family

    @property
    def device(self) -> str:
        """What the model computes on: `cpu`, `cuda` or `mps`."""
        return next(self._bundle.model.parameters()).device.type

    def move_to(self, device: str) -> None:
        """Compute on another device from now on."""
        self._bundle.model.to(device)

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
        must_hurry: Callable[[], bool] | None = None,
        is_scored: bool = True,
    ) -> GenerationResult:
        """Make one stem that fits `context`.

        Args:
            context: what to listen to.
            request: what to make.
            report_progress: called with the share done, 0..1, after every decoding step.
            should_stop: asked before every decoding step; True ends the generation.
            must_hurry: asked before every decoding step; True finishes each level in one more step.
            is_scored: False leaves the listening score out where the judge is not quick: the model takes two passes.

        Raises:
            AudioFormatError: if the context is empty, too short, too long, silent or not finite.
            InvalidRequestError: if the instrument, genre or category is none of the model's, the seed is out of range,
                or what is to be revised doesn't fit the context.
            GenerationCancelledError: if `should_stop` said so.
        """
        started = time.monotonic()
        instrument = self._check_request(request)
        check_context(context)
        if request.revision is not None:
            request.revision.check(context)
        spec, window_frames = self.target_codec.spec, self._bundle.manifest.window_frames
        stretch = Stretch.plan(context, window_frames, spec.frame_rate_hz, is_loop=request.is_loop)
        progress = DecodingProgress(0, report_progress, should_stop, must_hurry, request.settings.max_steps)
        heard = self._hear(stretch.audio)
        conditions = self._conditions(request, instrument)
        known = self._known_codes(stretch, heard.shape[-1], instrument, request)
        rules = self.target_codec.rules(instrument)
        wanted = WholeStem(heard, known, conditions, rules)
        # A revised part may well rest, and a loop has no time to be written anew.
        is_whole = request.revision is None and not request.is_loop
        write = self._writer.write_sounding if is_whole else self._writer.write
        codes, chosen = write(wanted, request.settings, request.seed, progress)
        decoded = self._play(stretch, codes, instrument, request)
        judge = self.judge
        is_scored = is_scored or judge.is_quick
        return GenerationResult(
            stem=decoded.waveform,
            notes=decoded.notes,
            model_id=self.model_id,
            seconds_spent=time.monotonic() - started,
            fit=measure_fit(context, decoded.waveform),
            chosen_candidates=chosen,
            listening_score=judge.score(heard, codes, conditions, rules=rules) if is_scored else None,
            judge=judge.name if is_scored else None,
            hurried_after=progress.hurried_after,
        )

    def score_stem(
        self, context: Waveform, stem: DecodedStem, instrument_name: str, *, judge: StemJudge | None = None
    ) -> float:
        """Return the listening score of any stem, also of one that this model did not make.

        Args:
            context: what the stem is supposed to follow.
            stem: of the context's length; with notes where the family needs them.
            instrument_name: what plays.
            judge: whom to ask; None asks the bundle's own.

        Raises:
            AudioFormatError: if the context is empty, too short, too long, silent or not finite.
            InvalidRequestError: if the instrument is none of the model's, or the family needs notes and there are none.
        """
        instrument = self._check_request(GenerationRequest(instrument_name, seed=0))
        check_context(context)
        heard = self._hear(context)
        codes = self.target_codec.encode_stem(stem, instrument, heard.shape[-1])[None]
        conditions = {"instrument": torch.tensor([instrument.index])}
        return (judge or self.judge).score(heard, codes, conditions, rules=self.target_codec.rules(instrument))

    def _check_request(self, request: GenerationRequest) -> Instrument:
        instrument = find_instrument(request.instrument)
        if instrument not in self.instruments:
            known = ", ".join(each.name for each in self.instruments)
            raise InvalidRequestError(
                f"This model was not trained to play {instrument.label.lower()}. Choose one of: {known}."
            )
        if not 0 <= request.seed <= MAX_SEED:
            raise InvalidRequestError(f"The seed must be 0 to {MAX_SEED}, got {request.seed}.")
        for what, name, known in (
            ("genre", request.genre, self.genres),
            ("genre", request.genre_to, self.genres),
            ("stem category", request.stem_category, self.stem_categories),
        ):
            if name is not None and name not in known:
                choice = f"Choose one of: {', '.join(known)}." if known else "Leave it open."
                raise InvalidRequestError(f"This model was not trained on the {what} {name!r}. {choice}")
        if request.genre_to is not None and (request.genre is None or not 0 <= request.genre_morph <= 1):
            raise InvalidRequestError("Between two genres: name both, and say how far towards the second, 0 to 1.")
        return instrument

    def _conditions(self, request: GenerationRequest, instrument: Instrument) -> dict[str, torch.Tensor]:
        """Return the fields that are given: int64 [1] each, or float [1, values + 1] between two values."""
        conditions = {"instrument": torch.tensor([instrument.index])}
        if request.genre is not None:
            conditions["genre"] = self._genre(request.genre, request.genre_to, request.genre_morph)
        if request.stem_category is not None:
            conditions["stem_category"] = torch.tensor([self.stem_categories.index(request.stem_category)])
        if self._is_told_sound:
            seed = request.seed if request.revision is None else request.revision.sound_seed
            conditions["sound"] = torch.tensor([choose_sound(instrument.name, seed, request.genre).index])
        return conditions

    def _genre(self, name: str, other: str | None, morph: float) -> torch.Tensor:
        if other is None:
            return torch.tensor([self.genres.index(name)])
        field = next(each for each in self._bundle.manifest.config.fields if each.name == "genre")
        weights = torch.zeros(1, field.num_values + 1)
        weights[0, self.genres.index(name)] += 1 - morph
        weights[0, self.genres.index(other)] += morph
        return weights

    def _hear(self, context: Waveform) -> torch.Tensor:
        """Return what the model reads of the context, [1, F or K, T]."""
        spec = self.target_codec.spec
        heard = resample(with_channels(context, self._context_codec.num_channels), spec.sample_rate_hz)
        num_frames = -(-heard.num_audio_samples // spec.hop_length)
        return self._context_codec.encode(heard, num_frames)[None]

    def _known_codes(
        self, stretch: Stretch, num_frames: int, instrument: Instrument, request: GenerationRequest
    ) -> torch.Tensor:
        """Return int64 [1, K, T]: the mask token where to generate, elsewhere what is kept."""
        spec = self.target_codec.spec
        levels = [rule.level for rule in self.target_codec.rules(instrument)]
        revision = request.revision
        if revision is None:
            codes = torch.zeros(1, spec.num_codebooks, num_frames, dtype=torch.int64)
            codes[:, levels] = spec.mask_token_id
            return codes
        stem = stretch.repeat(DecodedStem(revision.stem, revision.notes))
        codes = self.target_codec.encode_stem(stem, instrument, num_frames)[None]
        is_hidden = revision.hidden_frames(spec, num_frames, stretch.starts_s)
        for level in levels:
            codes[:, level, is_hidden] = spec.mask_token_id
        return codes

    def _play(
        self, stretch: Stretch, codes: torch.Tensor, instrument: Instrument, request: GenerationRequest
    ) -> DecodedStem:
        """Return the stem that belongs to the context; of a revised one only the new part is new."""
        revision = request.revision
        seed = request.seed if revision is None else revision.sound_seed
        if stretch.is_loop:
            decoded = self.target_codec.decode_loop(
                codes[0],
                instrument=instrument,
                seed=seed,
                context=stretch.audio,
                span=stretch.span,
                genre=request.genre,
                join=None if revision is None else revision.join_notes,
            )
            if revision is None or decoded.notes is not None:  # joined notes were played as one
                return decoded
            return DecodedStem(revision.join_audio(decoded.waveform, is_loop=True), None)
        decoded = self.target_codec.decode(
            codes[0], instrument=instrument, seed=seed, context=stretch.audio, genre=request.genre
        )
        decoded = stretch.cut(decoded)
        if revision is None:
            return decoded
        notes = None if decoded.notes is None else revision.join_notes(decoded.notes)
        return DecodedStem(revision.join_audio(decoded.waveform), notes)


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
