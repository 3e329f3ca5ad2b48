"""What a fit report says about stems whose fit is known because it was made."""

import json

import numpy as np
import pytest
import torch

from stemgen_core.analysis.fit import FitReport, measure_fit
from stemgen_core.analysis.onset import onset_envelope
from stemgen_core.analysis.tempo import tempo_agreement
from stemgen_core.errors import AudioFormatError
from stemgen_core.types import Waveform
from tests.core.listening_sounds import RATE_HZ, beat_times, hits, plucks, random_piece, waveform


def _later(samples: np.ndarray, delay_ms: float) -> np.ndarray:
    return np.roll(samples, round(delay_ms / 1000 * RATE_HZ))


@pytest.mark.parametrize("delay_ms", [-100.0, -37.5, -8.0, 0.0, 12.5, 41.0, 90.0])
def test_a_shifted_stem_reports_its_shift(delay_ms: float) -> None:
    beats = beat_times(100, first_s=0.3)
    context, stem = hits(beats, seed=1), hits(beats[::2] + beats[1::4], seed=2)

    report = measure_fit(waveform(context), waveform(_later(stem, delay_ms)))

    assert report.offset_ms == pytest.approx(delay_ms, abs=3)


@pytest.mark.parametrize("seed", range(8))
def test_a_true_pair_fits_and_a_stem_of_another_piece_does_not(seed: int) -> None:
    context, stem, _ = random_piece(seed)
    _, stranger, _ = random_piece(seed + 100)

    true, wrong = (measure_fit(waveform(context), waveform(one)) for one in (stem, stranger))

    assert true.verdict == "good"
    assert wrong.verdict != "good"


def test_random_pairs_lie_near_zero_and_true_pairs_near_one() -> None:
    pieces = [random_piece(seed) for seed in range(8)]

    true = [measure_fit(waveform(context), waveform(stem)) for context, stem, _ in pieces]
    wrong = [measure_fit(waveform(pieces[i][0]), waveform(pieces[i - 1][1])) for i in range(8)]

    for name in ("onset_agreement", "harmony_agreement"):
        assert np.mean([getattr(report, name) for report in true]) > 0.8, name
        assert np.mean([getattr(report, name) for report in wrong]) < 0.3, name


@pytest.mark.parametrize("steps", [1, 3, 6, 8])
def test_a_transposed_stem_agrees_less_in_harmony(steps: int) -> None:
    melody = [(0.2 + 0.4 * index, 60 + pitch) for index, pitch in enumerate([0, 4, 7, 5, 9, 0, 2, 7, 11, 7, 4, 0] * 2)]
    context = waveform(plucks([(time_s, pitch - 12) for time_s, pitch in melody]))

    as_is = measure_fit(context, waveform(plucks(melody)))
    moved = measure_fit(context, waveform(plucks([(time_s, pitch + steps) for time_s, pitch in melody])))

    assert as_is.harmony_agreement == pytest.approx(1, abs=0.02)
    assert moved.harmony_agreement is not None
    assert moved.harmony_agreement < 0.35


def test_harmony_is_not_measured_where_drums_play() -> None:
    drums, notes = waveform(hits(beat_times(120))), waveform(plucks([(t, 57) for t in beat_times(120)]))

    assert measure_fit(drums, notes).harmony_agreement is None
    assert measure_fit(notes, drums).harmony_agreement is None


def test_time_is_not_measured_where_there_are_too_few_onsets() -> None:
    report = measure_fit(waveform(hits(beat_times(120))), waveform(plucks([(1.0, 57)])))

    assert (report.offset_ms, report.onset_agreement) == (None, None)


def test_a_stem_in_the_rests_of_its_context_still_agrees_in_time() -> None:
    beats = beat_times(120)

    report = measure_fit(waveform(hits(beats[::2], seed=1)), waveform(hits(beats[1::2], seed=2)))

    assert report.onset_agreement is not None
    assert report.onset_agreement > 0.6


def test_silence_is_said_and_is_poor() -> None:
    report = measure_fit(waveform(hits(beat_times(120))), waveform(np.zeros(10 * RATE_HZ)))

    assert report.is_silent
    assert report.verdict == "poor"


def test_level_is_relative_to_the_context() -> None:
    sound = plucks([(t, 57) for t in beat_times(120)])

    assert measure_fit(waveform(sound), waveform(sound / 4)).level_db == pytest.approx(-12.04, abs=0.05)


@pytest.mark.parametrize("rate_hz", [16_000, 32_000, 44_100, 48_000, 96_000])
def test_any_sample_rate_and_stereo_measure_alike(rate_hz: int) -> None:
    time_s = np.arange(6 * rate_hz) / rate_hz
    clicks = np.sin(2 * np.pi * 400 * time_s) * np.exp(-20 * (time_s % 0.5))
    stem = np.stack([np.roll(clicks, round(0.02 * rate_hz))] * 2)

    report = measure_fit(waveform(clicks, rate_hz), waveform(stem, rate_hz))

    assert report.offset_ms == pytest.approx(20, abs=3)


def test_different_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="context is at 22050 Hz, stem at 44100 Hz"):
        measure_fit(waveform(hits([1.0])), waveform(hits([1.0]), 44_100))


@pytest.mark.parametrize("samples", [torch.full((1, 9), float("nan")), torch.zeros(1, 0), torch.zeros(5)])
def test_what_is_no_audio_is_refused(samples: torch.Tensor) -> None:
    with pytest.raises(AudioFormatError):
        measure_fit(Waveform(samples, RATE_HZ), Waveform(samples, RATE_HZ))


def test_a_very_short_clip_is_measured_without_an_error() -> None:
    report = measure_fit(waveform(np.ones(3)), waveform(np.ones(3)))

    assert report.offset_ms is None


def test_a_report_survives_json() -> None:
    report = FitReport(-3.5, 0.8, None, -6.0, False, "good")

    assert FitReport.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_foreign_json_is_refused() -> None:
    values = FitReport(None, None, None, 0.0, True, "poor").to_json()

    with pytest.raises(ValueError, match="verdict must be one of"):
        FitReport.from_json(values | {"verdict": "superb"})
    with pytest.raises(ValueError, match="a fit report has the fields"):
        FitReport.from_json({"offset_ms": 0.0})


def test_a_stem_of_another_tempo_agrees_less_than_one_of_the_same_or_of_twice_the_tempo() -> None:
    context = onset_envelope(waveform(hits(beat_times(100), seed=1)))

    same, double, other = (
        tempo_agreement(context, onset_envelope(waveform(hits(beat_times(bpm), seed=2)))) for bpm in (100, 200, 113)
    )

    assert same is not None
    assert double is not None
    assert other is not None
    assert min(same, double) > 0.7
    assert other < 0.3


def test_a_stem_without_a_pulse_has_no_tempo_to_agree() -> None:
    context = onset_envelope(waveform(hits(beat_times(100))))

    assert tempo_agreement(context, onset_envelope(waveform(np.zeros(10 * RATE_HZ)))) is None
    assert tempo_agreement(context, onset_envelope(waveform(hits([0.5, 0.9], 1.5)))) is None
