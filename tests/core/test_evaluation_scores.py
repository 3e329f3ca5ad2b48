"""Each score: empty, malformed, perfect, and one known value."""

import mir_eval
import numpy as np
import pytest

from stemgen_core.analysis.key import Chroma, chroma
from stemgen_core.analysis.level import LevelReport, measure_level
from stemgen_core.analysis.onset import onset_envelope
from stemgen_core.corpus.piece import ChordSpan
from stemgen_core.errors import InvalidRequestError, MissingDependencyError
from stemgen_core.evaluation import beat, diversity, harmony, instrument, level, reference
from stemgen_core.score import Note
from tests.core.listening_sounds import RATE_HZ, beat_times, hits, plucks, waveform

C_THEN_G = (ChordSpan(0.0, 2.0, 0, "", (0, 4, 7)), ChordSpan(2.0, 4.0, 7, "", (7, 11, 2)))
NOTHING = np.zeros(0)


def _scale(start: int) -> list[tuple[float, int]]:
    return [(0.1 + 0.4 * index, start + step) for index, step in enumerate([0, 4, 7, 0, 2, 4, 5, 7, 9, 7, 11, 0, 4, 0])]


# beat ---------------------------------------------------------------------------------------------------------------


def test_no_beats_score_nothing() -> None:
    assert beat.beat_f1(np.arange(4.0), NOTHING) == 0.0
    assert beat.beat_f1(NOTHING, NOTHING) == 0.0
    assert beat.grid_agreement(NOTHING, np.arange(4.0)) is None
    assert beat.grid_agreement(np.arange(9.0), NOTHING) is None


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.zeros((2, 2)), "one dimension"),
        (np.array([0.0, np.nan]), "finite"),
        (np.array([1.0, 0.5]), "ascending"),
        (np.array([-1.0, 0.5]), ">= 0"),
    ],
)
def test_malformed_beats_are_refused(times: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        beat.beat_f1(np.arange(4.0), times)
    with pytest.raises(ValueError, match=message):
        beat.grid_agreement(times, np.arange(4.0))


def test_equal_beats_are_perfect() -> None:
    beats = np.arange(0.3, 9, 0.5)

    assert beat.beat_f1(beats, beats) == 1.0
    assert beat.grid_agreement(beats, beats) == 1.0


def test_half_the_beats_score_two_thirds_and_the_first_seconds_count() -> None:
    beats = np.arange(0.0, 8.0, 0.5)

    assert beat.beat_f1(beats, beats[::2]) == pytest.approx(2 / 3)
    assert beat.beat_f1(beats, beats[beats < 4]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("shift_s", "expected"), [(0.06, 1.0), (0.08, 0.0)])
def test_beats_meet_within_seventy_ms(shift_s: float, expected: float) -> None:
    beats = np.arange(0.5, 8.0, 0.5)

    assert beat.beat_f1(beats, beats + shift_s) == expected


@pytest.mark.parametrize("division", [4, 3])
def test_sixteenths_and_triplets_lie_on_the_grid(division: int) -> None:
    beats = np.arange(0.5, 9.0, 0.5)
    onsets = np.arange(0.5, 8.4, 0.5 / division)

    assert beat.grid_agreement(onsets, beats) == pytest.approx(1.0)


def test_onsets_anywhere_agree_with_the_grid_by_chance() -> None:
    beats = np.arange(0.5, 60.0, 0.55)
    scores = [
        beat.grid_agreement(np.sort(np.random.default_rng(seed).uniform(0.5, 59, 400)), beats) for seed in range(10)
    ]

    assert np.abs(np.array(scores, dtype=float)).max() < 0.15


def test_beat_evaluation_prefers_known_beats() -> None:
    context, stem = (onset_envelope(waveform(hits(beat_times(100), seed=seed))) for seed in (1, 2))

    tracked = beat.evaluate(context, stem)
    known = beat.evaluate(context, stem, np.array(beat_times(100)) + 0.3)

    assert tracked["beat_f1"] == pytest.approx(1, abs=0.06)
    assert tracked["grid_agreement"] is None
    assert known["beat_f1"] == pytest.approx(0, abs=0.06)


def test_silence_has_no_beat_scores() -> None:
    silent = onset_envelope(waveform(np.zeros(5 * RATE_HZ)))

    assert set(beat.evaluate(silent, silent).values()) == {None}


def test_missing_mir_eval_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mir_eval.beat", None)

    with pytest.raises(MissingDependencyError, match=r"pip install -r requirements-dev\.txt"):
        reference.load_mir_eval()


def test_tempos_that_count_each_others_beats_are_the_same() -> None:
    assert [beat.same_tempo(120.0, bpm) for bpm in (120.0, 60.0, 240.0, 40.0, 80.0, 124.0)] == [1.0] * 6
    assert [beat.same_tempo(120.0, bpm) for bpm in (126.0, 100.0, 150.0, 220.0)] == [0.0] * 4
    with pytest.raises(ValueError, match=r"tempos must be > 0, got 120\.0 and 0"):
        beat.same_tempo(120.0, 0)


def test_tempo_is_taken_from_the_known_beats_where_they_are_known() -> None:
    stem = onset_envelope(waveform(hits(beat_times(120.0))))
    other = onset_envelope(waveform(hits(beat_times(93.0))))

    assert beat.evaluate(other, stem)["same_tempo"] == 0.0
    assert beat.evaluate(other, stem, np.arange(0.1, 9.9, 0.5))["same_tempo"] == 1.0


# harmony ------------------------------------------------------------------------------------------------------------


def test_no_notes_have_no_share() -> None:
    assert harmony.chord_tone_share([], C_THEN_G) is None
    assert harmony.root_share([Note(9.0, 60, 1.0, 90)], C_THEN_G) is None
    silent = chroma(waveform(np.zeros(RATE_HZ)))
    assert set(harmony.evaluate(silent, silent, C_THEN_G, []).values()) == {None}


@pytest.mark.parametrize(
    ("chords", "message"),
    [
        ((ChordSpan(1.0, 1.0, 0, "", (0,)),), "must end after it starts"),
        ((ChordSpan(0.0, 1.0, 0, "", ()),), "pitch classes 0..11"),
        ((ChordSpan(0.0, 1.0, 0, "", (12,)),), "pitch classes 0..11"),
        ((C_THEN_G[0], ChordSpan(1.0, 3.0, 0, "", (0,))), "overlap at 1.0"),
    ],
)
def test_malformed_chords_are_refused(chords: tuple[ChordSpan, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        harmony.chord_tone_share([], chords)


def test_roots_are_perfect() -> None:
    notes = [Note(0.0, 36, 2.0, 90), Note(2.0, 43, 2.0, 90)]

    assert harmony.root_share(notes, C_THEN_G) == 1.0
    assert harmony.chord_tone_share(notes, C_THEN_G) == 1.0


def test_shares_are_weighted_by_time() -> None:
    notes = [Note(0.0, 64, 1.0, 90), Note(1.0, 60, 1.5, 90)]  # E; C, of which half a second lies under G

    assert harmony.chord_tone_share(notes, C_THEN_G) == pytest.approx(2.0 / 2.5)
    assert harmony.root_share(notes, C_THEN_G) == pytest.approx(1.0 / 2.5)


@pytest.mark.parametrize(("steps", "expected"), [(0, 1.0), (7, 0.5), (6, 0.0)])
def test_key_score_is_mir_evals(steps: int, expected: float) -> None:
    score = harmony.key_score(chroma(waveform(plucks(_scale(60)))), chroma(waveform(plucks(_scale(60 + steps)))))

    assert score == expected
    assert mir_eval.key.weighted_score("C major", "G major") == 0.5


def test_pitch_energy_on_the_chords_is_more_than_chance_and_off_them_less() -> None:
    on_chord = [
        (0.1 * n, 60 + step) for n, step in zip(range(1, 39, 3), [0, 4, 7, 0, 4, 7, 11, 7, 2, 7, 11, 2, 7], strict=True)
    ]
    off_chord = [(time_s, pitch + 6) for time_s, pitch in on_chord]

    on, off = (
        harmony.chord_energy_contrast(chroma(waveform(plucks(notes, 4.0))), C_THEN_G) for notes in (on_chord, off_chord)
    )

    assert on is not None
    assert off is not None
    assert on > 0.5 > 0 > off


# level, instrument, diversity ---------------------------------------------------------------------------------------


def test_a_silent_stem_is_unusable() -> None:
    scores = level.evaluate(measure_level(waveform(hits([0.5]))), measure_level(waveform(np.zeros(RATE_HZ))))

    assert scores == {
        "is_silent": 1.0, "silent_share": 1.0, "is_clipped": 0.0, "level_db": None, "is_level_usable": 0.0,
    }  # fmt: skip


def test_a_malformed_level_is_refused() -> None:
    with pytest.raises(ValueError, match=r"silent_share must be 0\.\.1, got 2"):
        level.evaluate(LevelReport(-20.0, -3.0, 2.0, 0.0, False), LevelReport(-20.0, -3.0, 0.0, 0.0, False))


@pytest.mark.parametrize(("gain", "level_db", "usable"), [(1.0, 0.0, 1.0), (0.5, -6.02, 1.0), (0.05, -26.02, 0.0)])
def test_level_is_relative(gain: float, level_db: float, usable: float) -> None:
    sound = np.clip(hits(beat_times(120), 4.0), -0.9, 0.9)

    scores = level.evaluate(measure_level(waveform(sound)), measure_level(waveform(gain * sound)))

    assert scores["level_db"] == pytest.approx(level_db, abs=0.5)
    assert scores["is_level_usable"] == usable
    assert scores["is_clipped"] == 0


@pytest.mark.parametrize(
    ("name", "start", "expected"), [("bass", 36, 1.0), ("bass", 72, 0.0), ("pipe", 72, 1.0), ("drums", 60, 0.0)]
)
def test_kind_of_instrument_by_pitch_and_register(name: str, start: int, expected: float) -> None:
    assert instrument.evaluate(name, chroma(waveform(plucks(_scale(start))))) == {"kind_matches": expected}


def test_noise_is_drums_and_nothing_pitched() -> None:
    drums = chroma(waveform(hits(beat_times(120))))

    assert instrument.evaluate("drums", drums) == {"kind_matches": 1.0}
    assert instrument.evaluate("piano", drums) == {"kind_matches": 0.0}
    assert instrument.evaluate("sound_effects", drums) == {"kind_matches": None}


def test_malformed_pitch_classes_and_unknown_instruments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \[T, 12\], got \(3, 4\)"):
        instrument.kind_of(Chroma(np.zeros((3, 4), np.float32), 1.0, 10.0, 100.0))
    with pytest.raises(InvalidRequestError, match="kazoo"):
        instrument.kind_asked_for("kazoo")


def test_equal_variations_have_no_distance_and_strangers_much() -> None:
    sounds = [waveform(plucks(_scale(60))), waveform(plucks([(t + 0.21, p + 6) for t, p in _scale(60)]))]
    onsets, pitches = [onset_envelope(one) for one in sounds], [chroma(one) for one in sounds]

    same = diversity.evaluate([onsets[0]] * 3, [pitches[0]] * 3)
    other = diversity.evaluate(onsets, pitches)

    assert same == {"onset_distance": pytest.approx(0, abs=1e-6), "chroma_distance": pytest.approx(0, abs=1e-6)}
    assert other["onset_distance"] > 0.8
    assert other["chroma_distance"] > 0.8


def test_silent_variations_are_alike_and_one_alone_is_refused() -> None:
    silent = onset_envelope(waveform(np.zeros(RATE_HZ)))

    assert diversity.onset_distance(silent, silent) == 0
    assert diversity.onset_distance(silent, onset_envelope(waveform(hits([0.5], 1.0)))) == 1
    with pytest.raises(ValueError, match="at least 2 variations, got 1"):
        diversity.evaluate([silent], [])
