"""Notes through oscillators: subtractive with a filter that moves, and frequency modulation.

A filter that moves with each note would have to be computed sample by sample. Ours stand still: each note is faded
from one fixed filter's input to the next one's as its cutoff travels, all notes share the filters, and the outputs are
summed. Filters are linear, so that is a moving filter for the price of a few standing ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.signal

from stemgen_core.score import Note
from stemgen_core.sound.electronic.envelope import Envelope, FloatArray

_TABLE_SIZE = 2048
_VIBRATO_HZ = 5.3
_LOWEST_CUTOFF_HZ = 90.0
_FILTERS_PER_OCTAVE = 1.5
_NUM_FILTERS = 11


@dataclass(frozen=True, slots=True)
class SubtractivePreset:
    """An analogue-style voice.

    Attributes:
        name: unique.
        wave: "saw", "square", "pulse" or "triangle".
        loudness: the note's envelope.
        cutoff_octaves: filter's rest, octaves above the note's pitch.
        envelope_octaves: how far the filter opens at the start of a note.
        filter_decay_s: time constant in which it closes.
        resonance: Q of the filter, 0.7 (none) .. 6.
        num_layers: oscillators per note.
        detune_cents: between the outermost of them.
        sub_level: a sine an octave below, 0..1.
        noise_level: 0..0.3.
        vibrato_cents: of held notes.
    """

    name: str
    wave: str
    loudness: Envelope
    cutoff_octaves: float = 3.0
    envelope_octaves: float = 2.0
    filter_decay_s: float = 0.3
    resonance: float = 1.0
    num_layers: int = 1
    detune_cents: float = 0.0
    sub_level: float = 0.0
    noise_level: float = 0.0
    vibrato_cents: float = 0.0


@dataclass(frozen=True, slots=True)
class FmPreset:
    """A sine whose phase another sine moves.

    Attributes:
        name: unique.
        loudness: the note's envelope.
        ratio: frequency of the modulator over the carrier's.
        index: how far it moves the phase at the start of a loud note, radians.
        index_decay_s: time constant in which that fades.
        index_rest: share of it that remains.
        second_ratio: of a second, quieter carrier; 0 leaves it out.
        second_level: its level.
    """

    name: str
    loudness: Envelope
    ratio: float
    index: float
    index_decay_s: float
    index_rest: float = 0.1
    second_ratio: float = 0.0
    second_level: float = 0.0


Preset = SubtractivePreset | FmPreset


@cache
def _wavetables(wave: str) -> FloatArray:
    """Return one period with fewer harmonics for each octave of the keyboard, float32 [11, 2048]."""
    tables = []
    for octave in range(11):
        num_harmonics = max(1, min(_TABLE_SIZE // 4, int(14_000 / (16.35 * 2 ** (octave + 0.99)))))
        number = np.arange(1, num_harmonics + 1)
        if wave == "saw":
            weights = 1 / number
        elif wave == "square":
            weights = (number % 2) / number
        elif wave == "pulse":
            weights = np.sin(np.pi * 0.22 * number) / number
        elif wave == "triangle":
            weights = (number % 2) / number**2
        else:
            raise ValueError(f"wave must be saw, square, pulse or triangle, got {wave!r}")
        spectrum = np.zeros(_TABLE_SIZE // 2 + 1, complex)
        spectrum[1 : num_harmonics + 1] = -1j * weights
        table = np.fft.irfft(spectrum, _TABLE_SIZE)
        tables.append(table / np.sqrt(np.mean(np.square(table))))
    return np.array(tables, np.float32)


@cache
def _filters(resonance: float, sample_rate_hz: int) -> list[np.ndarray]:
    """Return two resonant second-order low-pass sections for each cutoff of the ladder."""
    ladder = []
    for number in range(_NUM_FILTERS):
        cutoff_hz = min(_LOWEST_CUTOFF_HZ * 2 ** (number / _FILTERS_PER_OCTAVE), 0.45 * sample_rate_hz)
        angle = 2 * np.pi * cutoff_hz / sample_rate_hz
        sections = []
        for quality in (resonance, 0.6):
            alpha, cosine = np.sin(angle) / (2 * quality), np.cos(angle)
            above = np.array([(1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2])
            below = np.array([1 + alpha, -2 * cosine, 1 - alpha])
            sections.append(np.concatenate([above / below[0], below / below[0]]))
        ladder.append(np.array(sections))
    return ladder


def play_voices(
    notes: Sequence[Note],
    preset: Preset,
    *,
    num_audio_samples: int,
    sample_rate_hz: int,
    rng: np.random.Generator,
    tuning_cents: float = 0.0,
) -> FloatArray:
    """Return notes played by a preset, raw in level.

    Args:
        notes: in any order.
        preset: the sound.
        num_audio_samples: L; what still sounds there is faded out.
        sample_rate_hz: audio samples per second.
        rng: phases and noise come from it.
        tuning_cents: above A 440.

    Returns:
        float32 [L].
    """
    tuning_hz = 440.0 * 2 ** (tuning_cents / 1200)
    if isinstance(preset, FmPreset):
        return _play_fm(notes, preset, num_audio_samples, sample_rate_hz, tuning_hz)
    return _Subtractive(preset, sample_rate_hz, tuning_hz, rng).play(notes, num_audio_samples)


def _span(note: Note, envelope: Envelope, num_audio_samples: int, sample_rate_hz: int) -> tuple[int, int]:
    start = min(round(note.start_s * sample_rate_hz), num_audio_samples)
    end = round((note.end_s + envelope.tail_s) * sample_rate_hz)
    return start, min(end, num_audio_samples)


def _hz(pitch: float, tuning_hz: float) -> float:
    return tuning_hz * 2 ** ((pitch - 69) / 12)


@dataclass(frozen=True)
class _Subtractive:
    """A subtractive preset at a sample rate and a tuning."""

    preset: SubtractivePreset
    rate_hz: int
    tuning_hz: float
    rng: np.random.Generator

    def play(self, notes: Sequence[Note], length: int) -> FloatArray:
        """Return notes, float32 [L]."""
        preset, rate_hz = self.preset, self.rate_hz
        buses = np.zeros((_NUM_FILTERS, length), np.float32)
        used = np.zeros(_NUM_FILTERS, bool)
        for note in sorted(notes):
            start, end = _span(note, preset.loudness, length, rate_hz)
            if end - start < 2:
                continue
            raw = self._oscillate(note.pitch, end - start)
            loudness = np.float32((note.velocity / 127) ** 1.5)
            raw *= preset.loudness.shape(note.duration_s, end - start, rate_hz) * loudness
            place = self._filter_place(note, end - start)
            for number in range(int(place.min()), min(int(np.ceil(place.max())), _NUM_FILTERS - 1) + 1):
                buses[number, start:end] += raw * np.maximum(0, 1 - np.abs(place - number))
                used[number] = True
        total = np.zeros(length)
        for number in np.flatnonzero(used):
            total += np.asarray(scipy.signal.sosfilt(_filters(preset.resonance, rate_hz)[number], buses[number]))
        return total.astype(np.float32)

    def _filter_place(self, note: Note, length: int) -> FloatArray:
        """Return where on the ladder of filters a note is over time, float32 [L]."""
        preset = self.preset
        seconds = np.arange(length, dtype=np.float32) / np.float32(self.rate_hz)
        # Louder notes open the filter further, as on most instruments.
        opening = preset.envelope_octaves * (0.4 + 0.6 * note.velocity / 127) * np.exp(-seconds / preset.filter_decay_s)
        rest = np.log2(_hz(note.pitch, self.tuning_hz) / _LOWEST_CUTOFF_HZ) + preset.cutoff_octaves
        return np.clip((rest + opening) * _FILTERS_PER_OCTAVE, 0, _NUM_FILTERS - 1).astype(np.float32)

    def _oscillate(self, pitch: int, length: int) -> FloatArray:
        """Return the raw oscillators of a note, float32 [L]."""
        preset, rng = self.preset, self.rng
        table = _wavetables(preset.wave)[min(10, max(0, (pitch - 12) // 12))]
        steps = np.arange(length)
        wobble = np.zeros(1)
        if preset.vibrato_cents:
            seconds = steps / self.rate_hz
            cycles = _VIBRATO_HZ * seconds + rng.random()
            depth = preset.vibrato_cents / 1200 * np.log(2) * _hz(pitch, self.tuning_hz) / (2 * np.pi * _VIBRATO_HZ)
            wobble = depth * np.minimum(1, seconds / 0.5) * np.cos(2 * np.pi * cycles)
        total = np.zeros(length, np.float32)
        for layer in range(preset.num_layers):
            spread = 0.0 if preset.num_layers == 1 else layer / (preset.num_layers - 1) - 0.5
            hz = _hz(pitch + spread * preset.detune_cents / 100, self.tuning_hz)
            cycles = steps * (hz / self.rate_hz) + wobble + rng.random()
            total += table.take((cycles * _TABLE_SIZE).astype(np.int64) & (_TABLE_SIZE - 1))
        total *= np.float32(1 / np.sqrt(preset.num_layers))
        if preset.sub_level:
            phase = (steps * (_hz(pitch - 12, self.tuning_hz) / self.rate_hz)) % 1
            total += np.float32(preset.sub_level * 1.4) * np.sin(np.float32(2 * np.pi) * phase.astype(np.float32))
        if preset.noise_level:
            total += np.float32(preset.noise_level) * rng.standard_normal(length, np.float32)
        return total


def _play_fm(notes: Sequence[Note], preset: FmPreset, length: int, rate_hz: int, tuning_hz: float) -> FloatArray:
    total = np.zeros(length, np.float32)
    turn = np.float32(2 * np.pi)
    for note in sorted(notes):
        start, end = _span(note, preset.loudness, length, rate_hz)
        if end - start < 2:
            continue
        steps = np.arange(end - start)
        hz = _hz(note.pitch, tuning_hz)
        phase = ((steps * (hz / rate_hz)) % 1).astype(np.float32)
        moving = ((steps * (hz * preset.ratio / rate_hz)) % 1).astype(np.float32)
        fade = np.exp(-steps.astype(np.float32) / np.float32(preset.index_decay_s * rate_hz))
        # High notes need less, or their side bands fold over.
        index = preset.index * (note.velocity / 100) * min(1.0, (700 / hz) ** 0.5)
        depth = np.float32(index) * (preset.index_rest + (1 - preset.index_rest) * fade)
        bend = depth * np.sin(turn * moving)
        sound = np.sin(turn * phase + bend)
        if preset.second_ratio:
            second = ((steps * (hz * preset.second_ratio / rate_hz)) % 1).astype(np.float32)
            sound += np.float32(preset.second_level) * np.sin(turn * second) * fade
        loudness = np.float32((note.velocity / 127) ** 1.5)
        total[start:end] += sound * preset.loudness.shape(note.duration_s, end - start, rate_hz) * loudness
    return total
