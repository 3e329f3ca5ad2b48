import numpy as np
import pytest

from stemgen_core.instruments import INSTRUMENTS
from stemgen_core.sound.level import (
    CATEGORY_LEVEL_DB,
    PEAK_CEILING,
    SILENCE_DB,
    active_rms_db,
    fit_stem_level,
    headroom_gain,
    scale_to_level,
    true_peak,
)

RATE_HZ = 16_000


def _tone(amplitude: float, num_s: float = 2.0, num_channels: int = 1, frequency_hz: float = 220.0) -> np.ndarray:
    time_s = np.arange(round(num_s * RATE_HZ)) / RATE_HZ
    return np.tile(amplitude * np.sin(2 * np.pi * frequency_hz * time_s), (num_channels, 1)).astype(np.float32)


def test_level_is_that_of_a_sine() -> None:
    assert active_rms_db(_tone(0.5), RATE_HZ) == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.05)


def test_rests_do_not_make_a_stem_quieter() -> None:
    tone = _tone(0.5)
    with_rests = np.concatenate([tone, np.zeros((1, 10 * RATE_HZ), np.float32)], axis=1)

    assert active_rms_db(with_rests, RATE_HZ) == pytest.approx(active_rms_db(tone, RATE_HZ), abs=0.05)


@pytest.mark.parametrize("shape", [(1, 0), (1, 5), (2, RATE_HZ)])
def test_silence_has_the_silence_level_and_stays_silence(shape: tuple[int, int]) -> None:
    silence = np.zeros(shape, np.float32)

    assert active_rms_db(silence, RATE_HZ) == SILENCE_DB
    assert not scale_to_level(silence, RATE_HZ, -20.0).any()
    assert not fit_stem_level(silence, _tone(0.3), RATE_HZ, "bass").any()


@pytest.mark.parametrize("level_db", [-40.0, -20.0])
def test_scaling_reaches_the_level(level_db: float) -> None:
    assert active_rms_db(scale_to_level(_tone(0.9), RATE_HZ, level_db), RATE_HZ) == pytest.approx(level_db, abs=0.05)


def test_scaling_stops_at_the_peak_ceiling() -> None:
    clicks = np.zeros((1, RATE_HZ), np.float32)
    clicks[:, ::4000] = 0.1

    assert np.abs(scale_to_level(clicks, RATE_HZ, -6.0)).max() == pytest.approx(PEAK_CEILING)


def test_every_category_has_a_level_and_the_bass_stands_before_the_pad() -> None:
    assert set(CATEGORY_LEVEL_DB) == {instrument.name for instrument in INSTRUMENTS}
    levels = {
        name: active_rms_db(fit_stem_level(_tone(0.1), _tone(0.2), RATE_HZ, name), RATE_HZ)
        for name in ("bass", "synth_pad")
    }
    assert 5 < levels["bass"] - levels["synth_pad"] < 9


@pytest.mark.parametrize("name", ["piano", "bass", "synth_pad"])
def test_a_stem_stands_beside_a_lone_stem_and_a_full_mix_within_five_db_of_its_level(name: str) -> None:
    for context_db in (CATEGORY_LEVEL_DB["guitar"], -16.0):  # five stems of the table sound at -16 dB together
        context = _tone(np.sqrt(2) * 10 ** (context_db / 20))

        added_db = active_rms_db(fit_stem_level(_tone(0.1), context, RATE_HZ, name), RATE_HZ)

        assert added_db == pytest.approx(CATEGORY_LEVEL_DB[name], abs=5)


@pytest.mark.parametrize("stem_amplitude", [0.001, 0.9])
def test_a_stem_follows_the_level_of_the_context_not_its_own(stem_amplitude: float) -> None:
    quiet = fit_stem_level(_tone(stem_amplitude), _tone(0.05), RATE_HZ, "piano")
    loud = fit_stem_level(_tone(stem_amplitude), _tone(0.2), RATE_HZ, "piano")

    assert active_rms_db(loud, RATE_HZ) - active_rms_db(quiet, RATE_HZ) == pytest.approx(12.04, abs=0.1)
    assert active_rms_db(loud, RATE_HZ) < active_rms_db(_tone(0.2), RATE_HZ)


def test_true_peak_finds_what_lies_between_samples() -> None:
    time = np.arange(4096)
    between = np.sin(np.pi / 2 * time + np.pi / 4)[None].astype(np.float32)  # samples miss the crests by 45 degrees

    assert np.abs(between).max() == pytest.approx(np.sqrt(0.5), abs=1e-3)
    assert true_peak(between) == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize("instrument", ["drums", "synth_pad"])
@pytest.mark.parametrize("context_amplitude", [0.01, 0.5, 1.0])
def test_a_fitted_stem_peaks_below_minus_one_db(instrument: str, context_amplitude: float) -> None:
    clicks = np.zeros((2, RATE_HZ), np.float32)
    clicks[:, ::2000] = 1.0

    fitted = fit_stem_level(clicks, _tone(context_amplitude, 1.0), RATE_HZ, instrument)

    assert fitted.shape == clicks.shape
    assert 0 < true_peak(fitted) <= PEAK_CEILING + 1e-3


def test_a_stem_gives_way_before_the_mix_clips() -> None:
    context = _tone(0.7)

    stem = fit_stem_level(_tone(0.5), context, RATE_HZ, "bass")

    assert np.abs(context + stem).max() <= 1.0


def test_headroom_brings_any_mix_below_full_scale() -> None:
    parts = [_tone(0.9), _tone(0.9, 1.0, 2), _tone(0.5)]
    gain = headroom_gain(parts)
    total = np.zeros((2, 2 * RATE_HZ), np.float32)
    for part in parts:
        total[:, : part.shape[1]] += part

    assert np.abs(total * gain).max() == pytest.approx(PEAK_CEILING)
    assert headroom_gain([_tone(0.1)]) == 1.0


def test_an_unknown_category_is_a_programmers_error() -> None:
    with pytest.raises(ValueError, match="instrument must be one of"):
        fit_stem_level(_tone(0.1), _tone(0.1), RATE_HZ, "theremin")
