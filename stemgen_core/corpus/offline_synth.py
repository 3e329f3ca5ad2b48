"""Notes as audio, with FluidSynth and the General MIDI fonts that Debian packages.

FluidSynth works in blocks of 64 audio samples, so onsets are rounded to the nearest block (+-1 ms at 32 kHz), and all
requests are whole blocks: then nothing of one stem can leak into the next.
"""

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from stemgen_core.errors import MissingDependencyError
from stemgen_core.score import Note
from stemgen_core.sound.carried import find_font, fonts_at_hand, import_fluidsynth
from stemgen_core.sound.level import FloatArray

SAMPLE_RATE_HZ = 32_000
TRAINING_FONTS = {
    "fluid": Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    "musescore": Path("/usr/share/sounds/sf3/MuseScore_General.sf3"),
}
HELDOUT_FONTS = {"timgm": Path("/usr/share/sounds/sf2/TimGM6mb.sf2")}
_BLOCK = 64
_DRUM_BANK = 128
_NUM_CHANNELS = 16
_NUM_VOICES = 128
_SCRUB_PROGRAM = 33
_SETTLING_BLOCKS = 4  # the synth carries out what it is told when it renders next
_FADE_S = 0.005
_GAIN = 0.3
_FINE_TUNING_RPN, _TUNING_CENTRE = 1, 8192


def missing_for_rendering(what: str, error: Exception | None = None) -> MissingDependencyError:
    """Return the error that says what rendering lacks and how to get it."""
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
            fluidsynth = import_fluidsynth()
        except ImportError as error:
            raise missing_for_rendering("the FluidSynth library and pyfluidsynth", error) from error
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
        loaded: dict[Path, int] = {}
        for path in map(find_font, fonts.values()):
            if path in loaded:
                continue
            loaded[path] = self._synth.sfload(str(path)) if path.exists() else -1
            if loaded[path] < 0:
                raise missing_for_rendering(f"the soundfont {path}")
        self._font_ids = {name: loaded[find_font(path)] for name, path in fonts.items()}

    def render(
        self,
        notes: Sequence[Note],
        *,
        font: str,
        program: int,
        is_drums: bool,
        num_audio_samples: int,
        tuning_cents: float = 0.0,
    ) -> FloatArray:
        """Return notes as audio, raw in level.

        Args:
            notes: in any order.
            font: a name given at construction.
            program: General MIDI program; a drum kit the font lacks becomes its standard kit.
            is_drums: plays bank 128.
            num_audio_samples: L; what still sounds there is faded out.
            tuning_cents: above A 440, -100..100; drums are never tuned.

        Returns:
            float32 [2, L].
        """
        self._forget()
        font_id, bank = self._font_ids[font], _DRUM_BANK if is_drums else 0
        if self._synth.sfpreset_name(font_id, bank, program) is None:
            program = 0
        channel = 9 if is_drums else 0
        self._synth.program_select(channel, font_id, bank, program)
        if tuning_cents and not is_drums:
            self._tune(channel, tuning_cents)
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

    def _tune(self, channel: int, cents: float) -> None:
        value = max(0, min(2 * _TUNING_CENTRE - 1, round(_TUNING_CENTRE * (1 + cents / 100))))
        for control, data in ((101, 0), (100, _FINE_TUNING_RPN), (6, value >> 7), (38, value & 127)):
            self._synth.cc(channel, control, data)

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
def shared_synth(is_heldout: bool, sample_rate_hz: int = SAMPLE_RATE_HZ) -> OfflineSynth:
    """Return this process's synth of a rate with the training fonts, or with the held-out one.

    Raises:
        MissingDependencyError: if the FluidSynth library or a font is not there.
    """
    return OfflineSynth(fonts_at_hand(HELDOUT_FONTS if is_heldout else TRAINING_FONTS), sample_rate_hz)
