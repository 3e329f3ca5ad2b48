"""Stems as audio: by soundfonts, or by our own synthesiser where the sound is electronic; effects, tuning, level."""

import random

import numpy as np

from stemgen_core.corpus.effects import draw_ducking_db, draw_effects, duck
from stemgen_core.corpus.offline_synth import HELDOUT_FONTS, shared_synth
from stemgen_core.corpus.piece import Piece, StemScore
from stemgen_core.corpus.sources.source import CORPUS_SOUND
from stemgen_core.sound.electronic.drum_machine import play_drums
from stemgen_core.sound.electronic.presets import TRAINING_PRESETS, draw_kit, draw_preset
from stemgen_core.sound.electronic.voices import play_voices
from stemgen_core.sound.level import CATEGORY_LEVEL_DB, FloatArray, scale_to_level
from stemgen_core.types import SoundFormat

LEVEL_JITTER_DB = 4.0
MAX_TUNING_CENTS = 30.0
_FONT_CHANCES = {"fluid": 0.65, "musescore": 0.35}
_TUNED_SHARE = 0.35
_KICKS = (35, 36)

# Programs and kits that stand for electronic instruments anyway; an upright bass stays one.
_ELECTRONIC_PROGRAMS = {
    *(4, 5, 8, 9, 10, 11, 16, 17, 18, 38, 39, 50, 51, 62, 63),
    *range(80, 96),
}
_ELECTRONIC_KITS = {24, 25}
_ELECTRONIC_CHANCE = {
    "techno": 0.9,
    "synthwave": 0.85,
    "house": 0.8,
    "trap": 0.8,
    "drum_and_bass": 0.75,
    "lofi": 0.5,
    "hip_hop": 0.5,
    "ambient": 0.6,
    "disco": 0.4,
}
_OTHER_CHANCE = 0.25


def is_electronic(stem: StemScore, genre: str, rng: random.Random) -> bool:
    """Draw whether our synthesiser plays a stem."""
    if stem.instrument == "drums":
        could = stem.program in _ELECTRONIC_KITS
    else:
        could = stem.program in _ELECTRONIC_PROGRAMS and stem.instrument in TRAINING_PRESETS
    return rng.random() < _ELECTRONIC_CHANCE.get(genre, _OTHER_CHANCE) and could


def draw_tuning_cents(seed: int) -> float:
    """Return how far above A 440 a piece is tuned: mostly 0, at most `MAX_TUNING_CENTS` either way."""
    rng = random.Random(f"{seed}:tuning")
    return rng.uniform(-MAX_TUNING_CENTS, MAX_TUNING_CENTS) if rng.random() < _TUNED_SHARE else 0.0


def render_stem(
    stem: StemScore,
    *,
    seed: int,
    genre: str,
    num_audio_samples: int,
    is_heldout: bool,
    tempo_bpm: float | None = None,
    tuning_cents: float = 0.0,
    sound: SoundFormat = CORPUS_SOUND,
) -> FloatArray:
    """Return one stem as it is stored: levelled, perhaps with light effects.

    Args:
        stem: notes and program.
        seed: the piece's; sound, effects and level follow from it and the stem's name.
        genre: the piece's.
        num_audio_samples: L.
        is_heldout: take the held-out font, presets and kits.
        tempo_bpm: echoes keep to it; None leaves them out.
        tuning_cents: above A 440; drums are never tuned.
        sound: the corpus's format. Fonts place their notes between the sides; our synthesiser plays in the middle.

    Returns:
        float32 [L], with more channels than one [C, L]; peak at most -1 dBFS.

    Raises:
        MissingDependencyError: if FluidSynth, a font or pedalboard is not there.
    """
    rng = random.Random(f"{seed}:{stem.name}:render")
    if is_electronic(stem, genre, rng):
        played = _play_electronically(stem, num_audio_samples, tuning_cents, is_heldout, rng, sound.sample_rate_hz)
        samples = np.repeat(played[None], sound.num_channels, axis=0)
    else:
        fonts = list(HELDOUT_FONTS) if is_heldout else list(_FONT_CHANCES)
        samples = shared_synth(is_heldout, sound.sample_rate_hz).render(
            stem.notes,
            font=rng.choices(fonts, None if is_heldout else list(_FONT_CHANCES.values()))[0],
            program=stem.program,
            is_drums=stem.instrument == "drums",
            num_audio_samples=num_audio_samples,
            tuning_cents=tuning_cents,
        )
        if sound.num_channels == 1:
            samples = samples.mean(axis=0, keepdims=True)
    effects = draw_effects(stem.instrument, genre, tempo_bpm, rng)
    if effects:
        # Effects want a sensible input level, so the stem is levelled before and after them.
        samples = scale_to_level(samples, sound.sample_rate_hz, -20.0)
        for effect in effects:
            samples = effect(samples, sound.sample_rate_hz)
    jitter_db = rng.uniform(-LEVEL_JITTER_DB, LEVEL_JITTER_DB)
    levelled = scale_to_level(samples, sound.sample_rate_hz, CATEGORY_LEVEL_DB[stem.instrument] + jitter_db)
    return levelled[0] if sound.num_channels == 1 else levelled


def _play_electronically(
    stem: StemScore,
    num_audio_samples: int,
    tuning_cents: float,
    is_heldout: bool,
    rng: random.Random,
    sample_rate_hz: int,
) -> FloatArray:
    """Return float32 [L]."""
    chance = np.random.default_rng(rng.getrandbits(64))
    if stem.instrument == "drums":
        kit = draw_kit(chance, is_heldout=is_heldout)
        return play_drums(
            stem.notes, kit, num_audio_samples=num_audio_samples, sample_rate_hz=sample_rate_hz, rng=chance
        )
    preset = draw_preset(stem.instrument, chance, is_heldout=is_heldout)
    return play_voices(
        stem.notes,
        preset,
        num_audio_samples=num_audio_samples,
        sample_rate_hz=sample_rate_hz,
        rng=chance,
        tuning_cents=tuning_cents,
    )


def render_piece(piece: Piece, *, is_heldout: bool = False, sound: SoundFormat = CORPUS_SOUND) -> FloatArray:
    """Return the stems of a piece.

    Args:
        piece: what to render.
        is_heldout: take the held-out font, presets and kits.
        sound: the corpus's format.

    Returns:
        float32 [S, L], with more channels than one [S, C, L], in the order of `piece.stems`.

    Raises:
        MissingDependencyError: if FluidSynth, a font or pedalboard is not there.
    """
    num_audio_samples = round(piece.duration_s * sound.sample_rate_hz)
    tuning_cents = draw_tuning_cents(piece.seed)
    ducking_db = draw_ducking_db(piece.genre, random.Random(f"{piece.seed}:ducking"))
    kicks_s = sorted({n.start_s for s in piece.stems if s.instrument == "drums" for n in s.notes if n.pitch in _KICKS})
    audio = np.empty((len(piece.stems), sound.num_channels, num_audio_samples), np.float32)
    for number, stem in enumerate(piece.stems):
        samples = render_stem(
            stem,
            seed=piece.seed,
            genre=piece.genre,
            num_audio_samples=num_audio_samples,
            is_heldout=is_heldout,
            tempo_bpm=piece.tempo_bpm,
            tuning_cents=tuning_cents,
            sound=sound,
        )
        if stem.instrument != "drums":
            samples = duck(samples, sound.sample_rate_hz, kicks_s, ducking_db)
        audio[number] = samples
    return audio[:, 0] if sound.num_channels == 1 else audio
