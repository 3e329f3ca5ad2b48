import random

import numpy as np
import pytest

from stemgen_core.corpus.arrangement import compose_piece
from stemgen_core.corpus.offline_synth import HELDOUT_FONTS, SAMPLE_RATE_HZ, OfflineSynth, shared_synth
from stemgen_core.corpus.piece import StemScore
from stemgen_core.corpus.render import LEVEL_JITTER_DB, draw_tuning_cents, is_electronic, render_piece, render_stem
from stemgen_core.errors import MissingDependencyError
from stemgen_core.score import Note
from stemgen_core.sound.level import CATEGORY_LEVEL_DB, PEAK_CEILING, active_rms_db
from stemgen_core.types import SoundFormat
from tests.core.rendering_needs import needs_rendering

pytestmark = needs_rendering
L = SAMPLE_RATE_HZ * 2


def _onset_s(samples: np.ndarray) -> float:
    """First time that the magnitude passes a tenth of its peak."""
    return float(np.argmax(np.abs(samples) > 0.1 * np.abs(samples).max())) / SAMPLE_RATE_HZ


@pytest.fixture(scope="module")
def synth() -> OfflineSynth:
    return shared_synth(is_heldout=True)  # the small font loads in no time


def _pitch_of(samples: np.ndarray, near_hz: float) -> float:
    """Return the frequency of the strongest partial within a semitone, Hz."""
    size = 8 * len(samples)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    low, high = (round(near_hz * 2 ** (step / 12) * size / SAMPLE_RATE_HZ) for step in (-1, 1))
    return float(low + spectrum[low:high].argmax()) * SAMPLE_RATE_HZ / size


def _render(synth: OfflineSynth, notes: list[Note], program: int = 0, is_drums: bool = False) -> np.ndarray:
    return synth.render(notes, font="timgm", program=program, is_drums=is_drums, num_audio_samples=L)


@pytest.mark.parametrize("start_s", [0.0, 0.2512, 1.0037])
def test_a_stroke_sounds_within_five_milliseconds_of_its_time(synth: OfflineSynth, start_s: float) -> None:
    samples = _render(synth, [Note(start_s, 37, 0.1, 110)], is_drums=True)

    assert abs(_onset_s(samples[0]) - start_s) < 0.005


@pytest.mark.parametrize("pitch", [45, 57, 69])
def test_the_pitch_is_right(synth: OfflineSynth, pitch: int) -> None:
    samples = _render(synth, [Note(0.0, pitch, 1.9, 100)], program=73 if pitch > 60 else 0)[0]

    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    wanted_hz = 440 * 2 ** ((pitch - 69) / 12)
    low, high = (round(wanted_hz * factor * L / SAMPLE_RATE_HZ) for factor in (2 ** (-0.5 / 12), 2 ** (0.5 / 12)))
    around = spectrum[round(low * 0.8) : round(high * 1.2)].max()
    assert spectrum[low : high + 1].max() == around > 0


def test_one_stem_leaves_nothing_behind_for_the_next(synth: OfflineSynth) -> None:
    notes = [Note(0.1, 60, 0.5, 100)]
    first = _render(synth, notes)
    _render(synth, [Note(0.0, 40, 2.0, 127)], program=48)

    assert np.array_equal(_render(synth, notes), first)


def test_the_length_is_exact_and_the_end_is_faded(synth: OfflineSynth) -> None:
    for num_audio_samples in (1, 1000, 32_001):
        samples = synth.render(
            [Note(0.0, 60, 9.0, 100)], font="timgm", program=48, is_drums=False, num_audio_samples=num_audio_samples
        )
        assert samples.shape == (2, num_audio_samples)
        assert samples.dtype == np.float32
    assert samples[:, -1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("instrument", ["piano", "bass", "synth_pad", "drums"])
def test_stems_have_their_categorys_level_within_the_jitter(instrument: str) -> None:
    pitches = (36, 38, 42) if instrument == "drums" else (40,)
    notes = tuple(Note(0.5 * step, pitches[step % len(pitches)], 0.4, 100) for step in range(8))
    stem = StemScore(instrument, instrument, 0, notes, "test")
    levels = [
        active_rms_db(
            render_stem(stem, seed=seed, genre="pop", num_audio_samples=2 * L, is_heldout=True), SAMPLE_RATE_HZ
        )
        for seed in range(8)
    ]

    assert max(levels) <= CATEGORY_LEVEL_DB[instrument] + LEVEL_JITTER_DB + 0.1
    assert min(levels) >= CATEGORY_LEVEL_DB[instrument] - LEVEL_JITTER_DB - 3.1  # peaks may hold a stem down
    assert max(levels) - min(levels) > 1


def test_stems_of_a_piece_sound_below_full_scale_in_order() -> None:
    piece = compose_piece(4, 4.0)

    audio = render_piece(piece, is_heldout=True)

    assert audio.shape == (len(piece.stems), 4 * SAMPLE_RATE_HZ)
    assert np.isfinite(audio).all()
    peaks = np.abs(audio).max(axis=1)
    assert (peaks > 0.01).all()
    assert (peaks <= PEAK_CEILING + 1e-6).all()


def test_a_missing_font_names_the_step_that_installs_it(tmp_path) -> None:  # noqa: ANN001
    with pytest.raises(MissingDependencyError, match=r"absent\.sf2.*make corpus-tools"):
        OfflineSynth({"absent": tmp_path / "absent.sf2"})


def test_the_heldout_font_is_no_training_font() -> None:
    assert set(shared_synth(is_heldout=True)._font_ids) == set(HELDOUT_FONTS)


@pytest.mark.parametrize("cents", [-30.0, 25.0])
def test_a_piece_can_be_tuned_and_the_next_one_is_not(synth: OfflineSynth, cents: float) -> None:
    def play(tuning_cents: float) -> float:
        samples = synth.render(
            [Note(0.0, 69, 1.9, 100)],
            font="timgm",
            program=73,
            is_drums=False,
            num_audio_samples=L,
            tuning_cents=tuning_cents,
        )
        return _pitch_of(samples[0], 440)

    reference = play(0.0)

    assert 1200 * np.log2(play(cents) / reference) == pytest.approx(cents, abs=4)  # the flute wavers
    assert play(0.0) == reference


def test_most_pieces_are_in_tune_and_no_piece_is_far_off() -> None:
    tunings = [draw_tuning_cents(seed) for seed in range(400)]

    assert 0.25 < sum(tuning != 0 for tuning in tunings) / len(tunings) < 0.45
    assert max(map(abs, tunings)) <= 30


def test_electronic_sounds_are_for_electronic_programs_and_above_all_for_their_genres() -> None:
    def share(instrument: str, program: int, genre: str) -> float:
        stem = StemScore(instrument, instrument, program, (), "test")
        return sum(is_electronic(stem, genre, random.Random(seed)) for seed in range(300)) / 300

    assert share("bass", 38, "techno") > 0.8
    assert share("drums", 25, "techno") > 0.8
    assert 0.1 < share("bass", 38, "rock") < 0.4
    assert share("bass", 32, "techno") == share("piano", 0, "techno") == share("drums", 0, "techno") == 0


def test_in_stereo_fonts_place_notes_between_the_sides_and_all_stems_have_both() -> None:
    piece = compose_piece(3, 2.0)

    audio = render_piece(piece, is_heldout=True, sound=SoundFormat(48_000, 2))

    assert audio.shape == (len(piece.stems), 2, 96_000)
    assert any(np.abs(left - right).max() > 1e-3 for left, right in audio)
