"""A drum machine: every stroke made from sines, noise and square waves, with a few variants so that none repeats."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.signal

from stemgen_core.score import Note
from stemgen_core.sound.electronic.envelope import FloatArray

_NUM_VARIANTS = 3
_HAT_KEYS = (42, 44, 46)
# Of six square waves with unrelated frequencies, as cymbals of old drum machines.
_METAL_RATIOS = (1.0, 1.342, 1.2312, 1.6532, 1.9523, 2.1523)


@dataclass(frozen=True, slots=True)
class Kit:
    """What a kit's sounds are made from.

    Attributes:
        kick_hz: where its pitch comes to rest.
        kick_sweep_octaves: how far above that it starts.
        kick_decay_s: time constant.
        snare_hz: of its skin.
        snare_decay_s: time constant of its rattle.
        hat_hz: low edge of hats and cymbals.
        hat_decay_s: time constant of a closed hat.
        open_decay_s: of an open one.
        drive: 0..1, how far the sum is bent.
        lowpass_hz: what is above is lost; 0 = nothing.
    """

    kick_hz: float
    kick_sweep_octaves: float
    kick_decay_s: float
    snare_hz: float
    snare_decay_s: float
    hat_hz: float
    hat_decay_s: float
    open_decay_s: float
    drive: float
    lowpass_hz: float = 0.0


class _Stroke:
    """Makes single strokes of a kit; `vary` moves every quantity a little."""

    def __init__(self, kit: Kit, rate_hz: int, rng: np.random.Generator) -> None:
        self.kit, self.rate_hz, self.rng = kit, rate_hz, rng

    def vary(self, value: float, spread: float = 0.04) -> float:
        return value * (1 + spread * float(self.rng.uniform(-1, 1)))

    def seconds(self, length_s: float) -> FloatArray:
        return np.arange(round(length_s * self.rate_hz), dtype=np.float32) / np.float32(self.rate_hz)

    def tone(self, hz: float, decay_s: float, sweep_octaves: float = 0.0, sweep_s: float = 0.02) -> FloatArray:
        t = self.seconds(6 * decay_s)
        # The integral of a frequency that falls from hz * 2^sweep to hz.
        cycles = hz * (t + (2**sweep_octaves - 1) * sweep_s * (1 - np.exp(-t / sweep_s)))
        return (np.sin(2 * np.pi * cycles) * np.exp(-t / decay_s)).astype(np.float32)

    def noise(self, decay_s: float, low_hz: float, high_hz: float) -> FloatArray:
        t = self.seconds(6 * decay_s)
        high_hz = min(high_hz, 0.47 * self.rate_hz)
        band = scipy.signal.butter(1, (low_hz, high_hz), "band", fs=self.rate_hz, output="sos")
        hiss = np.asarray(scipy.signal.sosfilt(band, self.rng.standard_normal(t.size)))
        return (hiss / max(float(np.sqrt(np.mean(np.square(hiss)))), 1e-9) * np.exp(-t / decay_s)).astype(np.float32)

    def metal(self, decay_s: float, low_hz: float, hz: float = 320.0) -> FloatArray:
        t = self.seconds(6 * decay_s)
        squares = np.zeros(t.size, np.float32)
        for ratio in _METAL_RATIOS:
            squares += np.sign(np.sin(2 * np.pi * (hz * ratio * t + self.rng.random()))).astype(np.float32)
        highpass = scipy.signal.butter(3, min(low_hz, 0.4 * self.rate_hz), "high", fs=self.rate_hz, output="sos")
        ring = np.asarray(scipy.signal.sosfilt(highpass, squares + 1.5 * self.rng.standard_normal(t.size)))
        return (ring / max(float(np.abs(ring).max()), 1e-9) * np.exp(-t / decay_s)).astype(np.float32)

    def make(self, key: int) -> FloatArray:
        """Return a stroke at full velocity; keys of General MIDI, unknown ones sound as a click."""
        kit = self.kit
        hat_hz, vary = self.vary(kit.hat_hz), self.vary
        if key in (35, 36):
            return add(
                self.tone(vary(kit.kick_hz, 0.01), vary(kit.kick_decay_s), kit.kick_sweep_octaves, 0.025),
                0.25 * self.noise(0.004, 1_000, 9_000),
            )
        if key in (38, 40):
            body = add(self.tone(vary(kit.snare_hz), 0.07, 0.6, 0.01), 0.5 * self.tone(vary(kit.snare_hz * 1.78), 0.04))
            return add(0.7 * body, 0.35 * self.noise(vary(kit.snare_decay_s), 1_200, 11_000))
        if key == 39:
            return self._clap()
        if key in (37, 75, 76, 77):
            hz = {37: 480.0, 75: 2_450.0, 76: 1_150.0, 77: 860.0}[key]
            return add(0.8 * self.tone(vary(hz), 0.018), 0.25 * self.noise(0.006, 2_000, 9_000))
        if key in (42, 44):
            return 0.6 * self.metal(vary(kit.hat_decay_s * (1.0 if key == 42 else 0.7), 0.15), hat_hz)
        if key == 46:
            return 0.6 * self.metal(vary(kit.open_decay_s, 0.1), hat_hz)
        if key in (49, 52, 55, 57):
            return 0.7 * self.metal(vary(0.9), 0.6 * hat_hz, 290)
        if key in (51, 53, 59):
            ping = self.tone(vary(2_900 if key == 53 else 5_200), 0.3 if key == 53 else 0.12)
            return add(0.35 * self.metal(0.45, 0.8 * hat_hz, 410), 0.25 * ping)
        if key in (41, 43, 45, 47, 48, 50):
            hz = kit.kick_hz * 2 ** ((key - 36) / 12)
            return add(0.9 * self.tone(vary(hz), 0.18, 0.7, 0.04), 0.1 * self.noise(0.02, 500, 6_000))
        if key == 56:
            return 0.35 * add(self.metal(0.06, 500, 545), self.tone(vary(545), 0.12) + self.tone(845, 0.12))
        if key in (54, 69, 70, 82):
            return 0.4 * self.noise(vary({54: 0.09, 70: 0.03}.get(key, 0.045), 0.2), 5_000, 13_000)
        if key in range(60, 69):
            hz = (390, 300, 330, 280, 200, 420, 330, 760, 540)[key - 60]
            return 0.8 * self.tone(vary(hz), 0.02 if key == 62 else 0.1, 0.25, 0.015)
        return 0.5 * self.noise(0.01, 1_000, 8_000)

    def _clap(self) -> FloatArray:
        """Several hands at slightly different times."""
        hands = np.zeros(0, np.float32)
        for number in range(4):
            hand = self.noise(0.09 if number == 3 else 0.006, 900, 4_500)
            delay = np.zeros(round(number * 0.011 * self.vary(1.0, 0.1) * self.rate_hz), np.float32)
            hands = add(hands, np.concatenate([delay, 0.4 * hand]))
        return hands


def add(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return the sum of two sounds that begin together, as long as the longer."""
    total = np.zeros(max(first.size, second.size), np.float32)
    total[: first.size] += first
    total[: second.size] += second
    return total


def play_drums(
    notes: Sequence[Note], kit: Kit, *, num_audio_samples: int, sample_rate_hz: int, rng: np.random.Generator
) -> FloatArray:
    """Return strokes on General MIDI drum keys, raw in level.

    Args:
        notes: in any order; a closed hat ends an open one.
        kit: the sounds.
        num_audio_samples: L; what still sounds there is faded out.
        sample_rate_hz: audio samples per second.
        rng: variants come from it.

    Returns:
        float32 [L].
    """
    stroke = _Stroke(kit, sample_rate_hz, rng)
    variants = {key: [stroke.make(key) for _ in range(_NUM_VARIANTS)] for key in sorted({note.pitch for note in notes})}
    total = np.zeros(num_audio_samples, np.float32)
    ordered = sorted(notes)
    hats = [round(note.start_s * sample_rate_hz) for note in ordered if note.pitch in _HAT_KEYS]
    for note in ordered:
        start = round(note.start_s * sample_rate_hz)
        sound = variants[note.pitch][int(rng.integers(_NUM_VARIANTS))]
        if note.pitch == 46:
            following = next((hat for hat in hats if hat > start), num_audio_samples)
            sound = _choked(sound, following - start, sample_rate_hz)
        end = min(num_audio_samples, start + sound.size)
        if end > start:
            total[start:end] += sound[: end - start] * np.float32((note.velocity / 127) ** 1.6)
    if kit.lowpass_hz:
        lowpass = scipy.signal.butter(2, kit.lowpass_hz, fs=sample_rate_hz, output="sos")
        total = np.asarray(scipy.signal.sosfilt(lowpass, total)).astype(np.float32)
    if kit.drive:
        gain = np.float32(1 + 4 * kit.drive)
        total = (np.tanh(gain * total) / gain).astype(np.float32)
    num_fade = min(num_audio_samples, sample_rate_hz // 200)
    total[num_audio_samples - num_fade :] *= np.linspace(1, 0, num_fade, dtype=np.float32)
    return total


def _choked(sound: FloatArray, length: int, rate_hz: int) -> FloatArray:
    """Return the sound cut at a length, with a short fade."""
    if length >= sound.size:
        return sound
    cut = sound[:length].copy()
    num_fade = min(length, rate_hz // 200)
    cut[length - num_fade :] *= np.linspace(1, 0, num_fade, dtype=np.float32)
    return cut
