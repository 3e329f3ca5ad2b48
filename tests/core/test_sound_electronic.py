"""Our own synthesiser: pitches, times, filters, drums; and what is kept for held-out pieces."""

import numpy as np
import pytest

from stemgen_core.corpus.effects import duck
from stemgen_core.score import Note
from stemgen_core.sound.electronic.drum_machine import play_drums
from stemgen_core.sound.electronic.envelope import Envelope
from stemgen_core.sound.electronic.presets import (
    HELDOUT_KITS,
    HELDOUT_PRESETS,
    TRAINING_KITS,
    TRAINING_PRESETS,
    draw_kit,
    draw_preset,
)
from stemgen_core.sound.electronic.voices import FmPreset, Preset, SubtractivePreset, play_voices

RATE_HZ = 32_000
PRESETS = [preset for presets in (TRAINING_PRESETS, HELDOUT_PRESETS) for pool in presets.values() for preset in pool]
FLAT = Envelope(0.001, 1.0, 1.0, 0.01)


def play(notes: list[Note], preset: Preset, seconds: float = 1.0, **extra: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    length = round(seconds * RATE_HZ)
    return play_voices(notes, preset, num_audio_samples=length, sample_rate_hz=RATE_HZ, rng=rng, **extra)


def strike(key: int, seed: int = 0, seconds: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kit = draw_kit(rng, is_heldout=False)
    notes = [Note(0.1, key, 0.1, 110)]
    return play_drums(notes, kit, num_audio_samples=round(seconds * RATE_HZ), sample_rate_hz=RATE_HZ, rng=rng)


def centroid_hz(samples: np.ndarray) -> float:
    power = np.square(np.abs(np.fft.rfft(samples)))
    return float((power * np.fft.rfftfreq(len(samples), 1 / RATE_HZ)).sum() / power.sum())


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_sounds_while_its_note_does(preset: Preset) -> None:
    samples = play([Note(0.25, 60, 0.5, 100)], preset, seconds=4.0)

    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert np.abs(samples[: RATE_HZ // 4 - 1]).max() < 1e-6
    assert np.abs(samples[RATE_HZ // 4 : 3 * RATE_HZ // 4]).max() > 0.05
    assert np.abs(samples[-RATE_HZ // 2 :]).max() < 0.02


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
@pytest.mark.parametrize("pitch", [57])
def test_every_preset_repeats_at_the_pitch_it_is_asked_for(preset: Preset, pitch: int) -> None:
    samples = play([Note(0.0, pitch, 1.9, 100)], preset, seconds=2.0)[RATE_HZ // 4 : -RATE_HZ // 2]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 4 * len(samples)))
    bin_hz = RATE_HZ / (4 * len(samples))
    wanted_hz = 440 * 2 ** ((pitch - 69) / 12)

    def around(hz: float, semitones: float = 0.5) -> float:
        low, high = (round(hz * 2 ** (step * semitones / 12) / bin_hz) for step in (-1, 1))
        return float(spectrum[low : high + 1].max())

    # A partial at the pitch or its octaves stands far out of what lies a tritone away from them.
    octaves = (wanted_hz / 2, wanted_hz, 2 * wanted_hz)
    assert max(around(hz) for hz in octaves) > 5 * max(around(hz * 2**0.5) for hz in octaves)


def test_tuning_moves_the_pitch_by_cents() -> None:
    preset = SubtractivePreset("plain", "triangle", FLAT, 4.0, 0.0)

    def peak_hz(cents: float) -> float:
        samples = play([Note(0.0, 69, 2.0, 100)], preset, seconds=2.0, tuning_cents=cents)
        size = 16 * len(samples)
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
        return float(spectrum.argmax()) * RATE_HZ / size

    assert peak_hz(0.0) == pytest.approx(440, abs=0.2)
    assert 1200 * np.log2(peak_hz(30.0) / 440) == pytest.approx(30, abs=0.5)


def test_the_filter_closes_over_a_note_and_opens_further_for_loud_ones() -> None:
    preset = SubtractivePreset("sweep", "saw", FLAT, 1.0, 4.0, 0.15)
    loud, soft = (play([Note(0.0, 48, 1.0, velocity)], preset) for velocity in (120, 30))
    first, last = slice(0, RATE_HZ // 8), slice(RATE_HZ // 2, RATE_HZ)

    assert centroid_hz(loud[first]) > 1.5 * centroid_hz(loud[last])
    assert centroid_hz(loud[first]) > centroid_hz(soft[first])


def test_a_still_note_between_two_filters_is_as_loud_as_on_one() -> None:
    levels = []
    for octaves in np.linspace(2.0, 3.0, 9):
        preset = SubtractivePreset("still", "triangle", FLAT, float(octaves), 0.0)
        levels.append(float(np.sqrt(np.mean(np.square(play([Note(0.0, 57, 1.0, 100)], preset))))))

    assert max(levels) / min(levels) < 1.3


def test_high_notes_do_not_fold_over() -> None:
    """Above the fundamental's harmonics nothing lies: no partial between them."""
    samples = play([Note(0.0, 100, 1.0, 100)], SubtractivePreset("saw", "saw", FLAT, 5.0, 0.0))
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    hz = 440 * 2 ** ((100 - 69) / 12)
    harmonics = np.arange(1, int(16_000 / hz) + 1) * hz
    is_near = np.zeros(len(spectrum), bool)
    for harmonic in harmonics:
        is_near[max(0, round(harmonic) - 12) : round(harmonic) + 13] = True

    assert spectrum[~is_near].max() < 0.02 * spectrum.max()


def test_velocity_makes_louder() -> None:
    preset = FmPreset("plain", FLAT, 1.0, 1.0, 0.2)

    assert (
        np.abs(play([Note(0.0, 60, 1.0, 120)], preset)).max() > 3 * np.abs(play([Note(0.0, 60, 1.0, 40)], preset)).max()
    )


@pytest.mark.parametrize("key", [*range(35, 82)])
def test_every_drum_key_sounds_at_its_time(key: int) -> None:
    samples = strike(key)

    assert np.abs(samples[: RATE_HZ // 10 - 1]).max() == 0
    assert np.abs(samples[RATE_HZ // 10 : RATE_HZ // 10 + 1_600]).max() > 0.02


def test_kicks_are_low_snares_in_the_middle_and_hats_high() -> None:
    kick, snare, hat = (np.mean([centroid_hz(strike(key, seed)) for seed in range(8)]) for key in (36, 38, 42))

    assert kick < 400 < snare < 6_000 < hat


def test_a_closed_hat_ends_an_open_one() -> None:
    rng = np.random.default_rng(3)
    kit = draw_kit(rng, is_heldout=False)
    notes = [Note(0.0, 46, 0.1, 110), Note(0.1, 36, 0.1, 110), Note(0.2, 44, 0.1, 1)]

    def energy(strokes: list[Note]) -> float:
        chance = np.random.default_rng(3)
        samples = play_drums(strokes, kit, num_audio_samples=RATE_HZ, sample_rate_hz=RATE_HZ, rng=chance)
        return float(np.square(samples[round(0.21 * RATE_HZ) :]).sum())

    assert energy([notes[0], notes[2]]) < 0.2 * energy([notes[0]])


def test_repeated_strokes_differ() -> None:
    rng = np.random.default_rng(5)
    notes = [Note(0.25 * number, 42, 0.1, 100) for number in range(8)]
    kit = draw_kit(rng, is_heldout=False)
    samples = play_drums(notes, kit, num_audio_samples=2 * RATE_HZ, sample_rate_hz=RATE_HZ, rng=rng)

    strokes = samples.reshape(8, -1)[:, :2_000]
    assert len({stroke.tobytes() for stroke in strokes}) >= 2


def test_held_out_sounds_are_never_training_sounds() -> None:
    training = {preset.name for pool in TRAINING_PRESETS.values() for preset in pool}
    held_out = {preset.name for pool in HELDOUT_PRESETS.values() for preset in pool}

    assert set(HELDOUT_PRESETS) == set(TRAINING_PRESETS)
    assert not training & held_out
    assert not set(TRAINING_KITS) & set(HELDOUT_KITS)
    assert len(PRESETS) == len(training | held_out)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        assert draw_preset("bass", rng, is_heldout=True).name in held_out
        assert draw_preset("bass", rng, is_heldout=False).name in training


def test_sounds_are_drawn_slightly_different_each_time() -> None:
    drawn = [draw_preset("synth_lead", np.random.default_rng(seed), is_heldout=False) for seed in range(30)]

    assert len(set(drawn)) == 30
    assert len({preset.name for preset in drawn}) >= 5


def test_ducking_is_deepest_at_the_kick_and_over_after_it() -> None:
    flat = np.ones(2 * RATE_HZ, np.float32)

    ducked = duck(flat, RATE_HZ, [0.5], 6.0)

    assert ducked[: RATE_HZ // 2 - 64] == pytest.approx(1.0, abs=1e-3)
    assert ducked[RATE_HZ // 2 + 64] == pytest.approx(0.5, abs=0.03)
    assert ducked[RATE_HZ] == pytest.approx(1.0, abs=0.01)
    assert duck(flat, RATE_HZ, [], 6.0) is flat
