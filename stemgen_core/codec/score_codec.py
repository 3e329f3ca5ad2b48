"""The score family's target codec: codes to notes to sound."""

from functools import cache

import torch

from stemgen_core.codec.protocol import BEGINS, HOLDS, RESTS, DecodedStem, LevelRule, LoopSpan, NoteEdit
from stemgen_core.codec.score_tokens import (
    DRUM_SOUNDS,
    EXPRESSION_LEVEL,
    FIRST_HOLD,
    FIRST_ONSET,
    FIRST_STROKE,
    NUM_STRENGTHS,
    NUM_TIMINGS,
    NUM_VELOCITIES,
    REST,
    SCORE_SPEC,
    decode_notes,
    encode_notes,
    levels_used,
)
from stemgen_core.errors import InvalidRequestError
from stemgen_core.instruments import Instrument
from stemgen_core.score import crop_notes, notes_of_loop, rounds
from stemgen_core.sound.playing import play_stem
from stemgen_core.sound.soundfont import SoundfontPlayer
from stemgen_core.types import CodecSpec, Waveform

SEAM_S = 0.02  # over which the beginning of a loop is faded over from what its end leads to


@cache
def allowed_codes(instrument: Instrument, level: int) -> torch.Tensor:
    """Return which codes make sense for an instrument at a level, bool [V]."""
    allowed = torch.zeros(SCORE_SPEC.codebook_size, dtype=torch.bool)
    allowed[REST] = True
    if level == EXPRESSION_LEVEL:
        allowed[1 : 1 + NUM_VELOCITIES * NUM_TIMINGS] = True
    elif instrument.is_drums:
        allowed[FIRST_STROKE : FIRST_STROKE + NUM_STRENGTHS * len(DRUM_SOUNDS[level])] = True
    else:
        allowed[FIRST_ONSET:FIRST_STROKE] = True
    return allowed


def settle_expression(codes: torch.Tensor, mask_token_id: int = SCORE_SPEC.mask_token_id) -> torch.Tensor:
    """Write a rest on the expression level wherever no voice has an onset: there is nothing to express.

    Args:
        codes: int64 [B, K, T], voices without mask tokens.
        mask_token_id: only frames with this code on the expression level are written.

    Returns:
        int64 [B, K, T], a copy.
    """
    voices = codes[:, :EXPRESSION_LEVEL]
    is_onset = (voices >= FIRST_ONSET) & (voices < FIRST_HOLD) | (voices >= FIRST_STROKE)
    settled = codes.clone()
    row = settled[:, EXPRESSION_LEVEL]
    row[(row == mask_token_id) & ~is_onset.any(1)] = REST
    return settled


@cache
def _kinds() -> torch.Tensor:
    """Return what each code of a voice does with notes, int64 [V]; a stroke begins and is over."""
    kinds = torch.full((SCORE_SPEC.codebook_size,), RESTS)
    kinds[FIRST_ONSET:FIRST_HOLD] = BEGINS
    kinds[FIRST_HOLD:FIRST_STROKE] = HOLDS
    kinds[FIRST_STROKE:] = BEGINS
    return kinds


@cache
def score_rules(instrument: Instrument) -> tuple[LevelRule, ...]:
    """Return the levels that stems of `instrument` use, with the codes that make sense there."""
    return tuple(
        LevelRule(
            level,
            allowed_codes(instrument, level),
            settle_expression if level == EXPRESSION_LEVEL else None,
            None if level == EXPRESSION_LEVEL else _kinds(),
        )
        for level in levels_used(instrument)
    )


class ScoreCodec:
    """Plays score tokens on a soundfont.

    Args:
        player: has the sounds of `stemgen_core.sound.programs`.
    """

    spec: CodecSpec = SCORE_SPEC

    def __init__(self, player: SoundfontPlayer) -> None:
        self._player = player

    def rules(self, instrument: Instrument) -> tuple[LevelRule, ...]:
        """Return the levels that stems of `instrument` use, coarse to fine; all others are rest."""
        return score_rules(instrument)

    def encode_stem(self, stem: DecodedStem, instrument: Instrument, num_frames: int) -> torch.Tensor:
        """Write a stem's notes as codes, int64 [K, T].

        Raises:
            InvalidRequestError: if the stem has no notes.
        """
        if stem.notes is None:
            raise InvalidRequestError("This stem's notes are not known, so this model can't make part of it again.")
        return encode_notes(stem.notes, instrument, num_frames)

    def decode(
        self, codes: torch.Tensor, *, instrument: Instrument, seed: int, context: Waveform, genre: str | None = None
    ) -> DecodedStem:
        """Play codes.

        Args:
            codes: int64 [K, T], values in [0, V).
            instrument: what plays.
            seed: chooses among its sounds.
            context: the stem gets its rate, its number of audio samples and a level that suits it.
            genre: leaves the sounds that suit it; None: any.

        Returns:
            Stereo audio and the notes that end up within it.
        """
        notes = crop_notes(decode_notes(codes, instrument), 0.0, context.duration_s)
        samples = play_stem(
            self._player,
            notes,
            instrument=instrument.name,
            seed=seed,
            genre=genre,
            context=context.samples.numpy(),
            sample_rate_hz=context.sample_rate_hz,
        )
        return DecodedStem(Waveform(torch.from_numpy(samples), context.sample_rate_hz), tuple(notes))

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
        """Play the notes that begin in the loop twice round, and keep the second time: it holds the first one's tails.

        Sounds that swing or shimmer are at another phase each time, so the beginning is faded over from the third time.

        Args, returns: see `TargetCodec.decode_loop`.
        """
        rate_hz, length = context.sample_rate_hz, span.num_audio_samples
        period_s = length / rate_hz
        notes = notes_of_loop(decode_notes(codes, instrument), span.start / rate_hz, period_s)
        notes = notes if join is None else join(notes)
        loop = context.samples[:, span.start : span.start + length]
        num_faded = min(length, round(SEAM_S * rate_hz))
        samples = play_stem(
            self._player,
            rounds(notes, period_s, 3),
            instrument=instrument.name,
            seed=seed,
            context=torch.cat([loop, loop, loop[:, :num_faded]], dim=1).numpy(),
            sample_rate_hz=rate_hz,
            genre=genre,
        )
        played = torch.from_numpy(samples)
        kept, third = played[:, length : 2 * length].clone(), played[:, 2 * length :]
        kept[:, :num_faded] += torch.linspace(1, 0, num_faded) * (third - kept[:, :num_faded])
        return DecodedStem(Waveform(kept, rate_hz), notes)
