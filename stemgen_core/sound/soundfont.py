"""Notes to audio with a soundfont, needing nothing but a wheel (`tinysoundfont`).

The library renders blocks between calls, so rendering from event to event places every note on its audio sample. It
makes loudness proportional to MIDI velocity where the SoundFont specification (and FluidSynth, which our corpus is
rendered with) makes it proportional to velocity squared; each velocity therefore plays on a channel of its own whose
volume supplies the missing factor.
"""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stemgen_core.errors import CheckpointError, InvalidRequestError, MissingDependencyError
from stemgen_core.score import Note
from stemgen_core.sound.hydra import parse_font, write_font
from stemgen_core.sound.level import FloatArray
from stemgen_core.sound.programs import DRUM_BANK, Sound
from stemgen_core.sound.releases import soften_releases

_FADE_S = 0.01
_MAX_VOICES = 256
_RESET_S = 0.1
_LOWEST_RATE_HZ, _HIGHEST_RATE_HZ = 8_000, 192_000
_GAIN_DB = -12.0  # headroom for chords of loud notes
_SHORTEST_RELEASE_S = 0.2
_CUT_IN_S = 0.002  # over which a sound that is cut into fades in


class SoundfontPlayer:
    """A loaded soundfont; safe to share between threads, which take turns."""

    def __init__(self, path: Path) -> None:
        """Load a soundfont.

        Args:
            path: an `.sf2` or `.sf3` file.

        Raises:
            CheckpointError: if the file is missing or no soundfont.
            MissingDependencyError: if `tinysoundfont` is not installed.
        """
        try:
            # The package's own __init__ imports pyaudio-backed playback lazily; the extension has all we need.
            from tinysoundfont._tinysoundfont import OutputMode, SoundFont
        except ImportError as error:
            raise MissingDependencyError(
                f"Playing notes needs tinysoundfont ({error}). Install it with `make install`."
            ) from error
        if not path.exists():
            raise CheckpointError(
                f"The soundfont {path} is missing. It comes with the repository; restore it from git."
            )
        try:
            font = soften_releases(parse_font(path.read_bytes()), _SHORTEST_RELEASE_S)
            self._font = SoundFont(write_font(font))
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(f"{path} is no soundfont that can be read ({error}).") from error
        self._stereo = OutputMode.StereoInterleaved
        self._font.set_max_voices(_MAX_VOICES)
        self._lock = threading.Lock()

    def has_sound(self, sound: Sound) -> bool:
        """Whether the font holds a preset."""
        return self._font.get_preset_index(sound.bank, sound.program) >= 0

    def render(self, notes: Sequence[Note], sound: Sound, *, sample_rate_hz: int, num_audio_samples: int) -> FloatArray:
        """Return notes as audio, each heard at its time: a sound that speaks late is begun earlier.

        Args:
            notes: in any order; what is heard at or after the end is left out.
            sound: a preset of the font.
            sample_rate_hz: 8,000 to 192,000.
            num_audio_samples: L; what still sounds there is faded out within 10 ms.

        Returns:
            float32 [2, L], raw in level.

        Raises:
            InvalidRequestError: if the font lacks the sound or the rate is out of range.
        """
        if not _LOWEST_RATE_HZ <= sample_rate_hz <= _HIGHEST_RATE_HZ:
            raise InvalidRequestError(
                f"The sample rate must be {_LOWEST_RATE_HZ} to {_HIGHEST_RATE_HZ} Hz, got {sample_rate_hz}."
            )
        preset = self._font.get_preset_index(sound.bank, sound.program)
        if preset < 0:
            raise InvalidRequestError(f"The soundfont has no preset {sound.program} in bank {sound.bank}.")
        is_drums = sound.bank == DRUM_BANK
        # Drum strokes ring out: many kit samples would be choked by a release at the stroke's nominal end.
        events = sorted(
            (round(time_s * sample_rate_hz), is_on, note.pitch, note.velocity)
            for note in notes
            for time_s, is_on in (((note.start_s, 1),) if is_drums else ((note.start_s, 1), (note.end_s, 0)))
        )
        lead = round(sound.late_s * sample_rate_hz)  # what is rendered before the beginning
        audio = np.zeros((lead + num_audio_samples, 2), np.float32)
        with self._lock:
            self._font.set_output(self._stereo, sample_rate_hz, _GAIN_DB)
            self._silence(sample_rate_hz)
            ready: set[int] = set()
            sounding: dict[int, int] = {}
            position = 0
            for frame, is_on, pitch, velocity in events:
                if frame >= len(audio):
                    break
                if frame > position:
                    self._font.render(audio[position:frame].data.cast("B"))
                    position = frame
                if is_on:
                    self._prepare(velocity, preset, ready)
                    if pitch in sounding and not is_drums:
                        self._font.channel_note_off(sounding[pitch], pitch)
                    self._font.channel_note_on(velocity, pitch, velocity / 127)
                    sounding[pitch] = velocity
                elif sounding.get(pitch) == velocity:
                    self._font.channel_note_off(velocity, pitch)
            if position < len(audio):
                self._font.render(audio[position:].data.cast("B"))
        return _between(audio[lead:], sample_rate_hz, is_cut_into=lead > 0)

    def _silence(self, sample_rate_hz: int) -> None:
        """Forget what was played before; a reset lets it fade for some milliseconds, which nobody is to hear."""
        self._font.reset()
        scrap = np.zeros((round(_RESET_S * sample_rate_hz), 2), np.float32)
        self._font.render(scrap.data.cast("B"))

    def _prepare(self, velocity: int, preset: int, ready: set[int]) -> None:
        """Set up the channel that plays one velocity."""
        if velocity not in ready:
            self._font.channel_set_preset_index(velocity, preset)
            self._font.channel_set_volume(velocity, velocity / 127)
            ready.add(velocity)


def _between(audio: FloatArray, sample_rate_hz: int, *, is_cut_into: bool) -> FloatArray:
    """Return a part of a rendering [L, 2] as [2, L], faded where it was cut out."""
    num_fade = min(len(audio), round(_FADE_S * sample_rate_hz))
    if num_fade:
        audio[-num_fade:] *= np.linspace(1, 0, num_fade, dtype=np.float32)[:, None]
    num_cut_in = min(len(audio), round(_CUT_IN_S * sample_rate_hz))
    if is_cut_into and num_cut_in:
        audio[:num_cut_in] *= np.linspace(0, 1, num_cut_in, dtype=np.float32)[:, None]
    return np.ascontiguousarray(audio.T)
