"""Stems as audio, with FluidSynth and the General MIDI fonts that Debian packages.

FluidSynth works in blocks of 64 audio samples, so onsets are rounded to the nearest block (+-1 ms at 32 kHz), and all
requests are whole blocks: then nothing of one stem can leak into the next.
"""

import ctypes
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from stemgen_core.corpus.piece import Piece, StemScore
from stemgen_core.errors import MissingDependencyError
from stemgen_core.score import Note
from stemgen_core.sound.level import CATEGORY_LEVEL_DB, FloatArray, scale_to_level

SAMPLE_RATE_HZ = 32_000
TRAINING_FONTS = {
    "fluid": Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    "musescore": Path("/usr/share/sounds/sf3/MuseScore_General.sf3"),
}
HELDOUT_FONTS = {"timgm": Path("/usr/share/sounds/sf2/TimGM6mb.sf2")}
_FONT_CHANCES = {"fluid": 0.65, "musescore": 0.35}

LEVEL_JITTER_DB = 4.0
_BLOCK = 64
_DRUM_BANK = 128
_NUM_CHANNELS = 16
_NUM_VOICES = 128
_SCRUB_PROGRAM = 33
_SETTLING_BLOCKS = 4  # the synth carries out what it is told when it renders next
_FADE_S = 0.005
_GAIN = 0.3
_DRIVEN_CATEGORIES = ("guitar", "bass", "synth_lead", "organ", "drums")


def _missing(what: str, error: Exception | None = None) -> MissingDependencyError:
    detail = f" ({error})" if error else ""
    return MissingDependencyError(f"Rendering the corpus needs {what}{detail}. Install it with `make corpus-tools`.")


class OfflineSynth:
    """FluidSynth with fonts loaded once, rendering one stem after another.

    Attributes:
        sample_rate_hz: audio samples per second.
    """

    def __init__(self, fonts: dict[str, Path], sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        """Load fonts.

        Args:
            fonts: name and file of each.
            sample_rate_hz: audio samples per second.

        Raises:
            MissingDependencyError: if the FluidSynth library or a font is not there.
        """
        try:
            import fluidsynth
        except ImportError as error:
            raise _missing("the FluidSynth library and pyfluidsynth", error) from error
        self.sample_rate_hz = sample_rate_hz
        self._synth: Any = fluidsynth.Synth(
            gain=_GAIN,
            samplerate=sample_rate_hz,
            channels=_NUM_CHANNELS,
            **{"synth.reverb.active": 0, "synth.chorus.active": 0, "synth.polyphony": _NUM_VOICES},
        )
        # The float call, because the 16-bit one adds dither that depends on everything rendered before.
        self._write_float: Any = fluidsynth.cfunc(
            "fluid_synth_write_float",
            ctypes.c_int,
            ("synth", ctypes.c_void_p, 1),
            ("len", ctypes.c_int, 1),
            ("lout", ctypes.c_void_p, 1),
            ("loff", ctypes.c_int, 1),
            ("lincr", ctypes.c_int, 1),
            ("rout", ctypes.c_void_p, 1),
            ("roff", ctypes.c_int, 1),
            ("rincr", ctypes.c_int, 1),
        )
        self._font_ids: dict[str, int] = {}
        for name, path in fonts.items():
            font_id = self._synth.sfload(str(path)) if path.exists() else -1
            if font_id < 0:
                raise _missing(f"the soundfont {path}")
            self._font_ids[name] = font_id

    def render(
        self, notes: Sequence[Note], *, font: str, program: int, is_drums: bool, num_audio_samples: int
    ) -> FloatArray:
        """Return notes as audio, raw in level.

        Args:
            notes: in any order.
            font: a name given at construction.
            program: General MIDI program; a drum kit the font lacks becomes its standard kit.
            is_drums: plays bank 128.
            num_audio_samples: L; what still sounds there is faded out.

        Returns:
            float32 [2, L].
        """
        self._forget()
        font_id, bank = self._font_ids[font], _DRUM_BANK if is_drums else 0
        if self._synth.sfpreset_name(font_id, bank, program) is None:
            program = 0
        channel = 9 if is_drums else 0
        self._synth.program_select(channel, font_id, bank, program)
        num_blocks = -(-num_audio_samples // _BLOCK)
        events = sorted(
            (round(time_s * self.sample_rate_hz / _BLOCK), is_on, note.pitch, note.velocity)
            for note in notes
            for time_s, is_on in ((note.start_s, 1), (note.end_s, 0))
        )
        audio = np.zeros((num_blocks * _BLOCK, 2), np.float32)
        position = 0
        for block, is_on, pitch, velocity in events:
            block = min(block, num_blocks)
            self._fill(audio, position, block)
            position = max(position, block)
            if is_on:
                self._synth.noteon(channel, pitch, velocity)
            else:
                self._synth.noteoff(channel, pitch)
        self._fill(audio, position, num_blocks)
        audio = audio[:num_audio_samples]
        num_fade = min(len(audio), round(_FADE_S * self.sample_rate_hz))
        if num_fade:
            audio[-num_fade:] *= np.linspace(1, 0, num_fade, dtype=np.float32)[:, None]
        return np.ascontiguousarray(audio.T)

    def _forget(self) -> None:
        """Bring the synth into the same state whatever it played before, so that a stem depends on nothing else.

        A system reset alone lets releases ring on. And each voice fades in from the loudness at which it was last used,
        so all voices play one block of the same faint notes.
        """
        self._synth.system_reset()
        self._synth.program_select(0, next(iter(self._font_ids.values())), 0, _SCRUB_PROGRAM)
        scrap = np.zeros((_SETTLING_BLOCKS * _BLOCK, 2), np.float32)
        for _ in range(2):  # a voice keeps two sets of state, used in turns
            for pitch in range(_NUM_VOICES):
                self._synth.noteon(0, pitch, 1)
            self._fill(scrap, 0, _SETTLING_BLOCKS)
            for channel in range(_NUM_CHANNELS):
                self._synth.all_sounds_off(channel)
            self._fill(scrap, 0, _SETTLING_BLOCKS)

    def _fill(self, audio: FloatArray, start_block: int, end_block: int) -> None:
        length = (end_block - start_block) * _BLOCK
        if length > 0:
            address = audio[start_block * _BLOCK :].ctypes.data
            self._write_float(self._synth.synth, length, address, 0, 2, address, 1, 2)


@cache
def shared_synth(is_heldout: bool) -> OfflineSynth:
    """Return this process's synth with the training fonts, or with the held-out one.

    Raises:
        MissingDependencyError: if the FluidSynth library or a font is not there.
    """
    return OfflineSynth(HELDOUT_FONTS if is_heldout else TRAINING_FONTS)


def _effects(stem: StemScore, genre: str, rng: random.Random) -> list[Any]:
    """Draw light effects; none in about a third of the cases."""
    try:
        import pedalboard
    except ImportError as error:
        raise _missing("pedalboard", error) from error
    effects: list[Any] = []
    if rng.random() < 0.35:
        effects.append(pedalboard.LowShelfFilter(rng.uniform(90, 300), rng.uniform(-5, 4)))
        effects.append(pedalboard.HighShelfFilter(rng.uniform(2500, 7000), rng.uniform(-6, 4)))
    if stem.instrument in _DRIVEN_CATEGORIES and rng.random() < 0.15:
        effects.append(pedalboard.Distortion(rng.uniform(3, 12)))
    if genre in ("lofi", "hip_hop") and rng.random() < 0.4:
        effects.append(pedalboard.LowpassFilter(rng.uniform(3500, 9000)))
    if rng.random() < 0.2:
        effects.append(pedalboard.Compressor(rng.uniform(-30, -18), rng.uniform(2, 4), rng.uniform(2, 15), 120))
    if rng.random() < 0.35:
        wet = rng.uniform(0.04, 0.22)
        effects.append(pedalboard.Reverb(rng.uniform(0.1, 0.7), rng.uniform(0.3, 0.8), wet, 1 - wet, 1.0))
    return effects


def render_stem(stem: StemScore, *, seed: int, genre: str, num_audio_samples: int, is_heldout: bool) -> FloatArray:
    """Return one stem as it is stored: mono, levelled, perhaps with light effects.

    Args:
        stem: notes and program.
        seed: the piece's; font, effects and level follow from it and the stem's name.
        genre: the piece's.
        num_audio_samples: L.
        is_heldout: take the held-out font.

    Returns:
        float32 [L] at `SAMPLE_RATE_HZ`, peak at most -1 dBFS.

    Raises:
        MissingDependencyError: if FluidSynth, a font or pedalboard is not there.
    """
    rng = random.Random(f"{seed}:{stem.name}:render")
    synth = shared_synth(is_heldout)
    fonts = list(HELDOUT_FONTS) if is_heldout else list(_FONT_CHANCES)
    font = rng.choices(fonts, None if is_heldout else list(_FONT_CHANCES.values()))[0]
    is_drums = stem.instrument == "drums"
    samples = synth.render(
        stem.notes, font=font, program=stem.program, is_drums=is_drums, num_audio_samples=num_audio_samples
    ).mean(axis=0)
    effects = _effects(stem, genre, rng)
    if effects:
        # Effects want a sensible input level, so the stem is levelled before and after them.
        samples = scale_to_level(samples, SAMPLE_RATE_HZ, -20.0)
        for effect in effects:
            samples = effect(samples, SAMPLE_RATE_HZ)
    jitter_db = rng.uniform(-LEVEL_JITTER_DB, LEVEL_JITTER_DB)
    return scale_to_level(samples, SAMPLE_RATE_HZ, CATEGORY_LEVEL_DB[stem.instrument] + jitter_db)


def render_piece(piece: Piece, *, is_heldout: bool = False) -> FloatArray:
    """Return the stems of a piece.

    Args:
        piece: what to render.
        is_heldout: take the held-out font.

    Returns:
        float32 [S, L] at `SAMPLE_RATE_HZ`, in the order of `piece.stems`.

    Raises:
        MissingDependencyError: if FluidSynth, a font or pedalboard is not there.
    """
    num_audio_samples = round(piece.duration_s * SAMPLE_RATE_HZ)
    return np.stack(
        [
            render_stem(
                stem,
                seed=piece.seed,
                genre=piece.genre,
                num_audio_samples=num_audio_samples,
                is_heldout=is_heldout,
            )
            for stem in piece.stems
        ]
    )
