"""Claims about composed music, over many seeds: what the model can learn is only what is there."""

import json
from collections import Counter
from functools import cache
from itertools import pairwise

import pytest

from stemgen_core.corpus import melody
from stemgen_core.corpus.arrangement import MAX_VOICES, compose_piece
from stemgen_core.corpus.clock import METERS, BeatClock
from stemgen_core.corpus.performance import limit_polyphony, separate_repeats
from stemgen_core.corpus.piece import Piece, StemScore, piece_from_json, piece_to_json
from stemgen_core.score import Note

SEEDS = range(60)
DURATION_S = 16.0


@cache
def pieces() -> tuple[Piece, ...]:
    return tuple(compose_piece(seed, DURATION_S) for seed in SEEDS)


def _chord_tone_ratio(piece: Piece, stem: StemScore) -> tuple[int, int]:
    """Return notes on a tone of the chord that holds shortly after their onset, and all notes."""
    hits = 0
    for note in stem.notes:
        time_s = note.start_s + min(0.05, note.duration_s / 2)
        chord = next((span for span in piece.chords if span.start_s <= time_s < span.end_s), piece.chords[-1])
        hits += note.pitch % 12 in chord.pitch_classes
    return hits, len(stem.notes)


def _ratio(pairs: list[tuple[int, int]]) -> float:
    return sum(hits for hits, _ in pairs) / sum(total for _, total in pairs)


def test_the_same_seed_gives_the_same_piece() -> None:
    assert compose_piece(7, 12.0) == compose_piece(7, 12.0)


def test_different_seeds_give_different_pieces() -> None:
    assert len({piece.stems for piece in pieces()}) == len(SEEDS)


def test_a_longer_piece_is_no_error_and_a_length_of_nothing_is() -> None:
    assert compose_piece(1, 90.0).beat_times_s[-1] > 85
    with pytest.raises(ValueError, match="duration_s must be > 0, got 0"):
        compose_piece(1, 0)


def test_notes_lie_within_the_piece_and_in_midi_range() -> None:
    for piece in pieces():
        for stem in piece.stems:
            assert list(stem.notes) == sorted(stem.notes)
            for note in stem.notes:
                assert 0 <= note.start_s < note.end_s <= DURATION_S + 1e-9
                assert 1 <= note.velocity <= 127
                assert 24 <= note.pitch <= 100


def test_notes_of_one_pitch_never_overlap_in_a_stem() -> None:
    for piece in pieces():
        for stem in piece.stems:
            ends: dict[int, float] = {}
            for note in stem.notes:
                assert note.start_s >= ends.get(note.pitch, 0.0) - 1e-9, (piece.seed, stem.name)
                ends[note.pitch] = note.end_s


def test_no_more_than_five_voices_sound_in_a_stem_and_one_in_basses_and_melodies() -> None:
    for piece in pieces():
        for stem in piece.stems:
            if stem.instrument == "drums":
                continue
            limit = 1 if stem.instrument == "bass" or stem.style in melody.STYLES else MAX_VOICES
            for note in stem.notes:
                sounding = sum(other.start_s <= note.start_s < other.end_s - 1e-6 for other in stem.notes)
                assert sounding <= limit, (piece.seed, stem.name)


def test_bass_comping_and_melody_follow_the_chords() -> None:
    ratios: dict[str, list[tuple[int, int]]] = {"bass": [], "melody": [], "comping": []}
    for piece in pieces():
        for stem in piece.stems:
            if stem.instrument != "drums":
                kind = "bass" if stem.instrument == "bass" else "melody" if stem.style == "melody" else "comping"
                ratios[kind].append(_chord_tone_ratio(piece, stem))

    assert _ratio(ratios["bass"]) > 0.9
    assert _ratio(ratios["comping"]) > 0.97
    assert 0.7 < _ratio(ratios["melody"]) < 0.97  # passing tones make it a melody


def test_a_new_chord_is_heard_from_its_root_in_the_bass() -> None:
    hits = []
    for piece in pieces():
        bass = next((stem for stem in piece.stems if stem.instrument == "bass"), None)
        if bass is not None:
            for span in piece.chords:
                onsets = [note for note in bass.notes if abs(note.start_s - span.start_s) < 0.04]
                hits += [onsets[-1].pitch % 12 == span.root] if onsets else []

    assert sum(hits) / len(hits) > 0.9


def test_the_bass_meets_the_kick_far_more_often_than_by_chance() -> None:
    def meetings(bass: StemScore, drums: StemScore, shift_s: float) -> list[bool]:
        kicks = [note.start_s for note in drums.notes if note.pitch == 36]
        return [any(abs(note.start_s + shift_s - kick) < 0.03 for note in bass.notes) for kick in kicks]

    true, shifted = [], []
    for piece in pieces():
        stems = {stem.instrument: stem for stem in piece.stems}
        if "bass" in stems and "drums" in stems:
            true += meetings(stems["bass"], stems["drums"], 0.0)
            shifted += meetings(stems["bass"], stems["drums"], 0.083)

    assert sum(true) / len(true) > 0.6
    assert sum(true) > 3 * sum(shifted)


def test_onsets_lie_on_the_grid_within_human_timing() -> None:
    """Beats that have a drum stroke or a bass note nearby have it within 30 ms."""
    distances = []
    for piece in pieces():
        assert piece.tempo_bpm is not None
        beat_s = 60 / piece.tempo_bpm
        onsets = [n.start_s for stem in piece.stems if stem.instrument in ("drums", "bass") for n in stem.notes]
        for beat in piece.beat_times_s:
            nearest = min((abs(onset - beat) for onset in onsets), default=1.0)
            if nearest < beat_s / 12:
                distances.append(nearest)

    assert len(distances) > 1000
    assert sum(distance < 0.03 for distance in distances) / len(distances) > 0.97


def test_stems_are_rarely_silent() -> None:
    shares = []
    for piece in pieces():
        for stem in piece.stems:
            seconds = [any(n.start_s < s + 1 and n.end_s > s for n in stem.notes) for s in range(int(DURATION_S))]
            shares.append(sum(seconds) / len(seconds))

    assert sum(share < 0.4 for share in shares) / len(shares) < 0.03
    assert sum(shares) / len(shares) > 0.85


def test_the_corpus_is_wide() -> None:
    composed = [compose_piece(seed, 6.0) for seed in range(200)]
    instruments = Counter(stem.instrument for piece in composed for stem in piece.stems)

    assert len({piece.genre for piece in composed}) >= 20
    assert {piece.key_pitch_class for piece in composed} == set(range(12))
    assert {piece.beats_per_bar for piece in composed} == {2, 3, 4}
    assert {piece.mode for piece in composed} == {"major", "minor", "dorian", "mixolydian"}
    tempos = [piece.tempo_bpm for piece in composed if piece.tempo_bpm is not None]
    assert len(tempos) == 200
    assert min(tempos) < 65
    assert max(tempos) > 165
    often = {"piano", "mallets", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe"}
    assert all(instruments[name] >= 20 for name in often | {"synth_lead", "synth_pad", "drums"})
    assert {name for name, _ in instruments.most_common(4)} == {"bass", "drums", "guitar", "piano"}
    assert 4 <= sum(instruments.values()) / len(composed) <= 7


def test_half_of_the_pieces_begin_within_a_bar() -> None:
    late = [piece.downbeat_times_s[0] > 0.25 for piece in pieces()]

    assert 0.25 < sum(late) / len(late) < 0.75


def test_stem_names_are_unique_and_chords_leave_no_gap() -> None:
    for piece in pieces():
        assert len({stem.name for stem in piece.stems}) == len(piece.stems) >= 2
        assert piece.chords[0].start_s <= 0.5
        assert piece.chords[-1].end_s == DURATION_S
        for before, after in pairwise(piece.chords):
            assert before.end_s == pytest.approx(after.start_s)


def test_json_keeps_the_piece_to_a_tenth_of_a_millisecond() -> None:
    piece = pieces()[3]

    again = piece_from_json(json.loads(json.dumps(piece_to_json(piece))))

    assert piece_to_json(again) == piece_to_json(piece)
    for stem, other in zip(piece.stems, again.stems, strict=True):
        assert (stem.name, stem.program, len(stem.notes)) == (other.name, other.program, len(other.notes))
        assert all(abs(a.start_s - b.start_s) <= 5.1e-5 for a, b in zip(stem.notes, other.notes, strict=True))


@pytest.mark.parametrize("swing_steps", [2, 4])
def test_swing_moves_only_the_off_beats(swing_steps: int) -> None:
    straight = BeatClock(METERS["4/4"], 120.0)
    swung = BeatClock(METERS["4/4"], 120.0, swing=2 / 3, swing_steps=swing_steps)

    for pair in range(0, 16, swing_steps):
        assert swung.time_s(pair) == pytest.approx(straight.time_s(pair))
        off = pair + swing_steps / 2
        assert swung.time_s(off) - straight.time_s(off) == pytest.approx(swing_steps * straight.step_s / 6)


def test_time_runs_forward_whatever_drift_and_swing() -> None:
    clock = BeatClock(METERS["3/4"], 170.0, swing=0.67, start_step=5.5, drift_s=0.02, drift_period_s=8.0)
    times = [clock.time_s(step / 2) for step in range(400)]

    assert all(after > before for before, after in pairwise(times))
    assert clock.time_s(5.5) == 0


def test_a_repeated_pitch_is_cut_where_it_is_struck_again_and_doubles_are_merged() -> None:
    notes = [Note(0.0, 60, 2.0, 90), Note(1.0, 60, 1.0, 80), Note(1.01, 60, 1.0, 70), Note(0.5, 64, 2.0, 90)]

    assert separate_repeats(notes) == [Note(0.0, 60, 1.0, 90), Note(0.5, 64, 2.0, 90), Note(1.0, 60, 1.0, 80)]


def test_the_oldest_voice_gives_way() -> None:
    notes = [Note(0.0, 60, 4.0, 90), Note(1.0, 64, 4.0, 90), Note(2.0, 67, 1.0, 90)]

    assert limit_polyphony(notes, 2) == [Note(0.0, 60, 2.0, 90), Note(1.0, 64, 4.0, 90), Note(2.0, 67, 1.0, 90)]
