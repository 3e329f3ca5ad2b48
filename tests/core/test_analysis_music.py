"""Onsets, tempo, key and level of sounds made to be known."""

import numpy as np
import pytest

from stemgen_core.analysis.context import analyse_context
from stemgen_core.analysis.key import chroma, estimate_key
from stemgen_core.analysis.level import measure_level
from stemgen_core.analysis.onset import onset_envelope, pick_onsets
from stemgen_core.analysis.tempo import estimate_tempo, track_beats
from tests.core.listening_sounds import RATE_HZ, beat_times, hits, plucks, waveform

MAJOR, MINOR = [0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 11]


@pytest.mark.parametrize("seed", range(5))
def test_onsets_are_found_within_five_ms(seed: int) -> None:
    times_s = 0.2 + np.cumsum(np.random.default_rng(seed).uniform(0.12, 0.6, 20))

    found = pick_onsets(onset_envelope(waveform(hits(times_s.tolist(), 15.0, seed))))

    assert len(found) == len(times_s)
    assert np.abs(found - times_s).max() < 0.005


def test_a_steady_tone_has_no_onsets_after_its_start() -> None:
    time_s = np.arange(5 * RATE_HZ) / RATE_HZ

    found = pick_onsets(onset_envelope(waveform(0.3 * np.sin(2 * np.pi * 220 * time_s))))

    assert [onset for onset in found if 0.1 < onset < 4.9] == []


def test_onset_strength_does_not_depend_on_level() -> None:
    sound = hits(beat_times(100))

    loud, soft = (onset_envelope(waveform(sound * gain)).strength for gain in (1.0, 0.05))

    assert np.allclose(loud, soft, atol=1e-3)


@pytest.mark.parametrize("bpm", [81, 90, 97.5, 110, 128, 145])
def test_tempo_and_beats_of_a_plain_pulse(bpm: float) -> None:
    accents = beat_times(bpm, 12.0)
    half_bars = [(time_s, 45) for time_s in accents[::2]]

    tempo = estimate_tempo(onset_envelope(waveform(hits(accents, 12.0) + plucks(half_bars, 12.0))))

    assert tempo.bpm == pytest.approx(bpm, rel=0.01)
    assert tempo.confidence > 0.5
    inner = tempo.beats_s[(tempo.beats_s > 0.05) & (tempo.beats_s < accents[-1] + 0.05)]
    assert np.abs(np.subtract.outer(inner, accents)).min(axis=1).max() < 0.02
    assert len(inner) == pytest.approx(len(accents), abs=1)


def test_noise_has_no_confident_tempo() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(10 * RATE_HZ)

    assert estimate_tempo(onset_envelope(waveform(noise))).confidence < 0.2


def test_beats_need_a_tempo() -> None:
    with pytest.raises(ValueError, match="bpm must be > 0, got 0"):
        track_beats(onset_envelope(waveform(hits([1.0]))), 0)


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize(("scale", "mode"), [(MAJOR, "major"), (MINOR, "minor")])
def test_key_of_a_scale_that_leans_on_its_triad(tonic: int, scale: list[int], mode: str) -> None:
    degrees = [0, 2, 4, 0, 1, 2, 3, 4, 5, 4, 6, 0, 2, 4, 0]
    notes = [(0.1 + 0.4 * index, 55 + tonic + scale[degree]) for index, degree in enumerate(degrees)]

    key = estimate_key(chroma(waveform(plucks(notes, 7.0))))

    assert key is not None
    assert (key.tonic, key.is_minor) == ((tonic + 7) % 12, mode == "minor")
    assert key.label == f"{['C', 'C#', 'D', 'Eb', 'E', 'F', 'F#', 'G', 'Ab', 'A', 'Bb', 'B'][(tonic + 7) % 12]} {mode}"


def test_a_recording_a_quarter_tone_off_keeps_its_pitch_classes_sharp() -> None:
    time_s = np.arange(4 * RATE_HZ) / RATE_HZ
    # Octaves of a triad, each tuned a little differently around the border between two semitones of A440.
    tones = [(step + 12 * octave, 0.43 + 0.07 * octave) for step in (-9, -5, -2) for octave in (0, 1, 2)]
    triad = sum(np.sin(2 * np.pi * 440 * 2 ** ((step + detune) / 12) * time_s) for step, detune in tones)

    energy = np.sort(chroma(waveform(0.05 * np.asarray(triad))).energy.sum(axis=0))

    assert energy[-4] < 0.1 * energy[-3]


def test_drums_have_no_key() -> None:
    assert estimate_key(chroma(waveform(hits(beat_times(120))))) is None


def test_a_loop_of_four_bars_is_recognised() -> None:
    beats = np.arange(16) * 60 / 105
    sound = hits(beats.tolist(), 16 * 60 / 105)

    analysis = analyse_context(waveform(sound))

    assert analysis.num_bars == 4
    assert analysis.tempo_bpm == pytest.approx(105, rel=0.01)
    assert analysis.key is None
    assert len(analysis.to_json()["beats_s"]) == len(analysis.beats_s)


def _bars(beats_per_bar: int, num_bars: int, upbeats: int = 0, bpm: float = 120) -> np.ndarray:
    """Return a strummed chord on each beat and a bass note and a new chord on each first beat of a bar."""
    beat_s, num_beats = 60 / bpm, beats_per_bar * num_bars
    notes, roots = [], (0, 5, 7, 2, 9, 4)
    for beat in range(num_beats):
        bar, place = divmod(beat - upbeats, beats_per_bar)
        root = roots[bar % len(roots)]
        notes += [(beat * beat_s, 60 + root + step) for step in (0, 4, 7)]
        if place == 0:
            notes.append((beat * beat_s, 36 + root))
    return plucks(notes, num_beats * beat_s, 0.1) + 0.3 * hits(
        np.arange(0, num_beats * beat_s, beat_s / 2).tolist(), num_beats * beat_s
    )


@pytest.mark.parametrize(("beats_per_bar", "num_bars"), [(4, 4), (4, 8), (3, 8)])
@pytest.mark.parametrize("bpm", [96, 120])
def test_bars_of_three_and_four_are_told_apart_in_a_loop(beats_per_bar: int, num_bars: int, bpm: float) -> None:
    analysis = analyse_context(waveform(_bars(beats_per_bar, num_bars, bpm=bpm)))

    assert (analysis.beats_per_bar, analysis.num_bars) == (beats_per_bar, num_bars)
    assert analysis.metre_confidence > 0.5
    assert analysis.first_downbeat_s == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("upbeats", [1, 2, 3])
def test_the_first_downbeat_is_heard_after_an_upbeat(upbeats: int) -> None:
    cut = _bars(4, 6, upbeats)[: -round(0.3 * RATE_HZ)]  # no loop: nothing speaks for a bar at the start

    analysis = analyse_context(waveform(cut))

    assert analysis.beats_per_bar == 4
    assert analysis.first_downbeat_s == pytest.approx(upbeats * 0.5, abs=0.05)


def test_a_pulse_without_accents_has_no_sure_metre() -> None:
    analysis = analyse_context(waveform(hits(beat_times(100, 10.3), 10.3)))

    assert analysis.metre_confidence < 0.5
    assert analysis.downbeat_confidence < 0.5


def test_too_few_beats_have_no_metre() -> None:
    analysis = analyse_context(waveform(hits(beat_times(120, 3.0), 3.0)))

    assert (analysis.beats_per_bar, analysis.first_downbeat_s, analysis.metre_confidence) == (None, None, 0.0)


def test_silence_is_analysed_as_silence() -> None:
    analysis = analyse_context(waveform(np.zeros(RATE_HZ)))

    assert analysis.is_silent
    assert (analysis.tempo_bpm, analysis.key, analysis.num_bars) == (None, None, None)


def test_levels_of_a_half_silent_sine() -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    sine = 0.5 * np.sin(2 * np.pi * 100 * time_s)

    level = measure_level(waveform(np.concatenate([sine, np.zeros(RATE_HZ)])))

    assert level.active_rms_dbfs == pytest.approx(-9.03, abs=0.05)
    assert level.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert level.silent_share == pytest.approx(0.5, abs=0.03)
    assert level.clipped_share == 0


def test_flat_tops_are_clipping_and_single_peaks_are_not() -> None:
    samples = np.zeros((2, 1000))
    samples[0, 100:110] = 1.0
    samples[1, 500] = -1.0

    assert measure_level(waveform(samples)).clipped_share == pytest.approx(10 / 2000)


@pytest.mark.parametrize("seed", range(20))
def test_syncopated_strokes_of_very_different_loudness_have_the_tempo_of_their_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bpm = float(rng.uniform(80, 140))
    sixteenths = np.arange(int(12 * bpm / 60) * 4)
    chances = np.where(sixteenths % 4 == 0, 0.6, np.where(sixteenths % 2 == 0, 0.35, 0.17))
    loudness = np.exp(1.2 * rng.standard_normal(len(sixteenths)))  # a few strokes are twenty times others
    sound = np.zeros(12 * RATE_HZ)
    for sixteenth in sixteenths[rng.random(len(sixteenths)) < chances]:
        if sixteenth * 15 / bpm < 11.7:
            sound += loudness[sixteenth] * hits([0.1 + sixteenth * 15 / bpm], 12.0, seed)

    tempo = estimate_tempo(onset_envelope(waveform(0.3 * sound / np.abs(sound).max())))

    assert tempo.bpm is not None
    assert min(abs(tempo.bpm / bpm / ratio - 1) for ratio in (0.5, 1, 2)) < 0.015
    lines = 0.1 + sixteenths * 15 / bpm
    inner = tempo.beats_s[(tempo.beats_s > 0.2) & (tempo.beats_s < 11)]
    assert np.mean(np.abs(np.subtract.outer(inner, lines)).min(axis=1) < 0.02) > 0.9
