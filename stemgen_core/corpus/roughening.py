"""Contexts as people's recordings are: through rooms, equalisers, compressors, codecs and clocks that are not ours.

Only what is heard is roughened, never what is to be written: nothing here moves an onset by more than a few
milliseconds or a pitch by more than a few cents. (Another tuning of a whole piece is a matter of rendering.)
All filters of a call are one multiplication in the frequency domain, so that it costs little beside hearing.
"""

import copy
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal

FloatArray = npt.NDArray[np.float32]

_NUM_ROOMS, _LONGEST_ROOM_S = 32, 0.45
_NOISE_LENGTH = 1 << 20
_COMPRESSOR_BLOCK = 160
_CODEC_FRAME = 1024
_CODEC_BANDS = 28
_CODEC_STEP = (0.5, 1.6)  # of a band's level
_CODEC_KEPT = (0.45, 1.0)  # share of the spectrum from below
_SILENCE_RMS = 1e-5


@dataclass(frozen=True, slots=True)
class Roughness:
    """How often and how strongly; the defaults leave one context in ten as it is.

    Attributes:
        chance: 0..1, that anything is done at all.
        room, equaliser, compressor, saturation, codec, clock, noise, level: 0..1, chance of each.
        max_equaliser_db: the most that a band is raised or lowered.
        max_clock_ppm: the most that the recorder's clock is off; 300 ppm are 3 ms in 10 s.
        max_shift_ms: the most that the whole context comes early or late.
    """

    chance: float = 0.9
    room: float = 0.4
    equaliser: float = 0.7
    compressor: float = 0.4
    saturation: float = 0.2
    codec: float = 0.25
    clock: float = 0.3
    noise: float = 0.6
    level: float = 0.7
    max_equaliser_db: float = 8.0
    max_clock_ppm: float = 300.0
    max_shift_ms: float = 4.0


def roughen(
    mix: FloatArray, sample_rate_hz: int, rng: np.random.Generator, roughness: Roughness | None = None
) -> FloatArray:
    """Return a context as it may sound in someone's file.

    Args:
        mix: float32 [L]; not changed.
        sample_rate_hz: audio samples per second.
        rng: all chance comes from it; the same state gives the same result.
        roughness: how often and how strongly; the default if None.

    Returns:
        float32 [L], finite, within +-1; silence stays silence.
    """
    wanted = roughness or Roughness()
    rough = mix.astype(np.float32)
    if rough.size == 0 or rng.random() >= wanted.chance:
        return rough
    rms = float(np.sqrt(np.mean(np.square(rough))))
    if rms < _SILENCE_RMS:
        return rough
    if rng.random() < wanted.clock:
        rough = _off_clock(rough, sample_rate_hz, wanted, rng)
    rough = _filtered(rough, sample_rate_hz, wanted, rng)
    if rng.random() < wanted.compressor:
        rough = _compressed(rough, sample_rate_hz, rng)
    if rng.random() < wanted.saturation:
        rough = _saturated(rough, rng)
    if rng.random() < wanted.codec:
        rough = _coded(rough, rng)
    if rng.random() < wanted.noise:
        rough = _noisy(rough, rng)
    return _levelled(rough, rms, wanted, rng)


def roughen_channels(mix: FloatArray, sample_rate_hz: int, rng: np.random.Generator) -> FloatArray:
    """Return a context of one or two channels as `roughen` does, all channels treated alike.

    Args:
        mix: float32 [C, L]; not changed.
        sample_rate_hz: audio samples per second.
        rng: all chance comes from it.

    Returns:
        float32 [C, L].
    """
    first, *others = mix
    twins = [copy.deepcopy(rng) for _ in others]  # the same chance: one room, one codec for both sides
    return np.stack(
        [roughen(first, sample_rate_hz, rng)]
        + [roughen(other, sample_rate_hz, twin) for other, twin in zip(others, twins, strict=True)]
    )


def _off_clock(mix: FloatArray, sample_rate_hz: int, wanted: Roughness, rng: np.random.Generator) -> FloatArray:
    """Play a little faster or slower and a little early or late; linear interpolation is enough for such ratios."""
    ratio = 1 + rng.uniform(-1, 1) * wanted.max_clock_ppm * 1e-6
    shift = rng.uniform(-1, 1) * wanted.max_shift_ms * sample_rate_hz / 1000
    positions = np.arange(mix.size) * ratio + shift
    whole = np.floor(positions)
    part = (positions - whole).astype(np.float32)
    indices = whole.astype(np.int32)
    last = mix.size - 1
    result = mix[np.clip(indices, 0, last)] * (1 - part) + mix[np.clip(indices + 1, 0, last)] * part
    result[(indices < 0) | (indices > last)] = 0
    return result.astype(np.float32)


def _filtered(mix: FloatArray, sample_rate_hz: int, wanted: Roughness, rng: np.random.Generator) -> FloatArray:
    """Apply equaliser, band limits and room."""
    has_equaliser, has_room = rng.random() < wanted.equaliser, rng.random() < wanted.room
    if not (has_equaliser or has_room):
        return mix
    room = _rooms(sample_rate_hz)[int(rng.integers(_NUM_ROOMS))] if has_room else np.ones(1, np.float32)
    size = scipy.fft.next_fast_len(mix.size + room.size, real=True)
    spectrum = np.fft.rfft(mix, size)
    if has_equaliser:
        spectrum *= _equaliser_curve(spectrum.size, sample_rate_hz, wanted.max_equaliser_db, rng)
    if has_room:
        spectrum *= np.fft.rfft(room, size)
    return np.fft.irfft(spectrum, size)[: mix.size].astype(np.float32)


def _equaliser_curve(num_bins: int, sample_rate_hz: int, max_db: float, rng: np.random.Generator) -> FloatArray:
    """Return gains [bins]: a smooth curve over pitch, perhaps without the lowest or highest octaves."""
    nyquist_hz = sample_rate_hz / 2
    points_hz = np.geomspace(50, nyquist_hz, 7)
    gains_db = np.clip(rng.normal(0, max_db / 2.5, 7), -max_db, max_db)
    coarse_hz = np.geomspace(20, nyquist_hz, 256)
    curve_db = np.interp(np.log(coarse_hz), np.log(points_hz), gains_db)
    if rng.random() < 0.3:  # small speakers and phones
        curve_db -= 12 * np.maximum(0, np.log2(rng.uniform(50, 180) / coarse_hz))
    if rng.random() < 0.4:  # low bit rates, old tapes
        curve_db -= 36 * np.maximum(0, np.log2(coarse_hz / rng.uniform(5_000, 15_000)))
    gains = 10 ** (np.maximum(curve_db, -80) / 20)
    return np.interp(np.linspace(0, nyquist_hz, num_bins), coarse_hz, gains).astype(np.float32)


@lru_cache(maxsize=4)
def _rooms(sample_rate_hz: int) -> tuple[FloatArray, ...]:
    """Return impulse responses with the direct sound first: early reflections, then a tail that darkens."""
    rng = np.random.default_rng(20_260)
    rooms = []
    for _ in range(_NUM_ROOMS):
        decay_s = rng.uniform(0.12, _LONGEST_ROOM_S)
        seconds = np.arange(round(decay_s * sample_rate_hz)) / sample_rate_hz
        delay_s = rng.uniform(0.002, 0.02)
        tail = rng.standard_normal(seconds.size) * 10 ** (-3 * seconds / decay_s) * (seconds > delay_s)
        darkening = scipy.signal.butter(1, rng.uniform(1500, 7000), fs=sample_rate_hz, output="sos")
        tail = np.asarray(scipy.signal.sosfilt(darkening, tail))
        for _ in range(6):
            place = int(rng.uniform(0.001, 0.03) * sample_rate_hz)
            tail[place] += rng.choice((-1, 1)) * rng.uniform(0.5, 3) * np.abs(tail).max()
        wet = 10 ** (rng.uniform(-16, -1) / 20)
        room = tail * wet / np.linalg.norm(tail)
        room[0] += 1
        rooms.append(room.astype(np.float32))
    return tuple(rooms)


def _compressed(mix: FloatArray, sample_rate_hz: int, rng: np.random.Generator) -> FloatArray:
    """Turn down what is loud: instant attack, release of a tenth of a second or more."""
    block = _COMPRESSOR_BLOCK
    num_blocks = -(-mix.size // block)
    padded = np.zeros(num_blocks * block, np.float32)
    padded[: mix.size] = mix
    blocks = padded.reshape(num_blocks, block)
    power_db = 10 * np.log10(np.square(blocks).mean(axis=1) + 1e-10)
    release = np.exp(-block / (rng.uniform(0.08, 0.4) * sample_rate_hz))
    released_db = np.asarray(scipy.signal.lfilter([1 - release], [1, -release], power_db + 100)) - 100
    smooth_db = np.maximum(power_db, released_db)
    threshold_db = power_db.max() - rng.uniform(8, 22)
    ratio = rng.uniform(1.5, 6)
    gain_db = -np.maximum(0, smooth_db - threshold_db) * (1 - 1 / ratio)
    gains = (10 ** (gain_db / 20)).astype(np.float32)
    gains = np.append(gains, gains[-1])
    ramp = np.linspace(0, 1, block, endpoint=False, dtype=np.float32)
    shaped = blocks * (gains[:-1, None] + np.diff(gains)[:, None] * ramp)  # [blocks, block]
    return shaped.reshape(-1)[: mix.size].astype(np.float32)


def _saturated(mix: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Bend the peaks, as tape and small amplifiers do."""
    drive = np.float32(rng.uniform(1, 4) / max(float(np.abs(mix).max()), 1e-6))
    driven = mix * drive
    return (driven / (1 + np.abs(driven)) / drive).astype(np.float32)


def _coded(mix: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Quantise the lapped cosine transform band by band, as codecs of low bit rates do: noise, holes and dull highs."""
    frame = _CODEC_FRAME
    num_frames = -(-mix.size // frame) + 1
    padded = np.zeros((num_frames + 1) * frame, np.float32)
    padded[frame : frame + mix.size] = mix
    window = np.sin(np.pi * (np.arange(2 * frame, dtype=np.float32) + 0.5) / (2 * frame))
    halves = padded.reshape(-1, frame)
    a, b = np.split(halves[:-1] * window[:frame], 2, axis=1)
    c, d = np.split(halves[1:] * window[frame:], 2, axis=1)
    folded = np.concatenate([-c[:, ::-1] - d, a - b[:, ::-1]], axis=1)  # [frames, frame]
    lines = np.asarray(scipy.fft.dct(folded, type=4, norm="ortho", axis=1))
    edges = np.unique(np.concatenate([[0], np.geomspace(4, frame, _CODEC_BANDS)]).astype(int))
    energy = np.add.reduceat(np.square(lines), edges[:-1], axis=1) / np.diff(edges)
    step = np.sqrt(energy) * rng.uniform(*_CODEC_STEP) * np.linspace(0.6, 1.6, edges.size - 1)
    steps = np.repeat(step, np.diff(edges), axis=1).astype(np.float32) + np.float32(1e-7)
    lines = np.rint(lines / steps) * steps
    lines[:, int(rng.uniform(*_CODEC_KEPT) * frame) :] = 0
    unfolded = np.asarray(scipy.fft.dct(lines, type=4, norm="ortho", axis=1))
    c, d = np.split(unfolded, 2, axis=1)
    first = np.concatenate([d, -d[:, ::-1]], axis=1) * window[:frame]
    second = np.concatenate([-c[:, ::-1], -c], axis=1) * window[frame:]
    halves = np.zeros_like(halves)
    halves[:-1] += first
    halves[1:] += second
    return halves.reshape(-1)[frame : frame + mix.size]


@lru_cache(maxsize=1)
def _noises() -> FloatArray:
    """Return hiss and rumble, float32 [2, N], of RMS 1."""
    rng = np.random.default_rng(7)
    white = rng.standard_normal((2, _NOISE_LENGTH)).astype(np.float32)
    white[1] = scipy.signal.lfilter([1], [1, -0.97], white[1])
    return white / np.sqrt(np.mean(np.square(white), axis=1, keepdims=True))


def _noisy(mix: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Add hiss or rumble, 40 to 80 dB below the music."""
    noise = _noises()[int(rng.integers(2))]
    start = int(rng.integers(noise.size))
    added = np.take(noise, np.arange(start, start + mix.size), mode="wrap")
    rms = float(np.sqrt(np.mean(np.square(mix))))
    return mix + added * np.float32(rms * 10 ** (rng.uniform(-80, -40) / 20))


def _levelled(mix: FloatArray, rms: float, wanted: Roughness, rng: np.random.Generator) -> FloatArray:
    """Bring the level back to what it was, or to another, below full scale."""
    level = rms
    if rng.random() < wanted.level:
        level *= 10 ** (rng.uniform(-12, 6) / 20)
    gain = level / max(float(np.sqrt(np.mean(np.square(mix)))), 1e-9)
    peak = float(np.abs(mix).max()) * gain
    return mix * np.float32(gain * min(1.0, 0.999 / max(peak, 1e-9)))
