"""What the composer makes, by the corpus's own report; and the page that shows it."""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from stemgen_core.cli import main
from stemgen_core.corpus.arrangement import compose_piece
from stemgen_core.corpus.piece import ChordSpan, Piece, StemScore
from stemgen_core.corpus.preview import write_preview
from stemgen_core.corpus.report import CorpusReport, fingerprint, measure_corpus, report_lines
from stemgen_core.corpus.theory import scale_pitch_classes
from stemgen_core.errors import InvalidRequestError
from stemgen_core.score import Note
from tests.core.toy_corpus import write_toy_corpus

NUM_PIECES = 150


@cache
def composed() -> tuple[Piece, ...]:
    return tuple(compose_piece(seed, 12.0) for seed in range(NUM_PIECES))


@cache
def report() -> CorpusReport:
    return measure_corpus(composed())


def toy(bass_pitch: int, *, shift_s: float = 0.0, tempo_bpm: float = 120.0, transpose: int = 0) -> Piece:
    """Return two bars of kick and bass over C major."""
    beat_s = 60 / tempo_bpm
    bass = tuple(Note(n * beat_s + shift_s, bass_pitch + transpose, 0.3, 90) for n in range(8))
    kick = tuple(Note(n * beat_s, 36, 0.1, 100) for n in range(8))
    stems = (StemScore("bass", "bass", 33, bass, "root"), StemScore("drums", "drums", 0, kick, "groove"))
    chords = (ChordSpan(0.0, 8 * beat_s, transpose % 12, "", tuple((transpose + i) % 12 for i in (0, 4, 7))),)
    beats = tuple(n * beat_s for n in range(8))
    return Piece(1, "toy", tempo_bpm, 4, transpose % 12, "major", chords, beats, beats[::4], stems, 8 * beat_s)


def test_the_composer_is_as_wide_as_it_claims() -> None:
    found = report()

    assert len(found.genres) >= 20
    assert {"lofi", "techno"} <= set(found.genres)
    assert set(found.meters) == {"4/4", "3/4", "6/8"}
    assert {"chords", "melody", "riff"} == set(found.starts)
    assert found.starts["melody"] > 0.08 * NUM_PIECES
    assert found.starts["riff"] > 0.05 * NUM_PIECES
    assert found.num_key_changes > 0.03 * NUM_PIECES
    assert found.num_borrowed > 0.25 * NUM_PIECES
    assert {"walking", "percussion", "theme", "arpeggio", "pad"} <= set(found.styles)
    assert {"percussive", "ethnic", "synth_effects"} <= set(found.instruments)


def test_parts_hold_together() -> None:
    found = report()

    assert found.chord_tones["bass"] > 0.9
    assert found.chord_tones["chords"] > 0.97
    assert 0.7 < found.chord_tones["lead"] < 0.95
    assert found.bass_on_root > 0.95
    assert found.bass_meets_kick > 0.5 > 5 * found.bass_meets_shifted_kick
    assert found.sounding_share > 0.85


def test_no_two_pieces_are_alike() -> None:
    assert report().num_unlike == NUM_PIECES


@pytest.mark.slow
def test_no_two_of_ten_thousand_pieces_are_alike() -> None:
    prints = {fingerprint(compose_piece(seed, 12.0)) for seed in range(10_000)}

    assert len(prints) == 10_000


def test_a_theme_is_heard_as_it_was_written_whatever_the_harmony() -> None:
    melodies = [piece for piece in composed() if piece.start == "melody"]

    assert len(melodies) > 10
    for piece in melodies:
        assert sum(stem.style == "theme" for stem in piece.stems) == 1
    riffs = [piece for piece in composed() if piece.start == "riff"]
    assert any([stem.style for stem in piece.stems].count("theme") > 1 for piece in riffs)  # bass and lead together


def test_a_new_key_moves_the_harmony_with_it() -> None:
    modulating = [piece for piece in composed() if piece.key_changes]

    for piece in modulating:
        change = piece.key_changes[0]
        assert 0 < change.start_s < piece.duration_s
        assert change.key_pitch_class != piece.key_pitch_class
        assert any(abs(change.start_s - downbeat) < 0.05 for downbeat in piece.downbeat_times_s)
    shares = [new - old for new, old in map(_after_the_change, modulating)]
    assert sum(shares) > 0.1 * len(shares)  # few tones may lie in both scales, but none are left behind


def _after_the_change(piece: Piece) -> tuple[float, float]:
    """Return which share of the chords' tones after the first change is in the new and in the old scale."""
    change, mode = piece.key_changes[0], piece.mode or "major"
    tones = [tone for chord in piece.chords if chord.start_s > change.start_s - 0.1 for tone in chord.pitch_classes]
    scales = [scale_pitch_classes(key or 0, mode) for key in (change.key_pitch_class, piece.key_pitch_class)]
    new, old = (sum(tone in scale for tone in tones) / len(tones) for scale in scales)
    return new, old


def test_figures_are_right_on_a_piece_that_can_be_counted_by_hand() -> None:
    together, apart = measure_corpus([toy(36)]), measure_corpus([toy(37, shift_s=0.2)])

    assert (together.chord_tones["bass"], together.bass_on_root, together.bass_meets_kick) == (1.0, 1.0, 1.0)
    assert together.bass_meets_shifted_kick == 0.0
    assert (apart.chord_tones["bass"], apart.bass_meets_kick) == (0.0, 0.0)
    assert together.notes_per_second["bass"] == pytest.approx(2.0)
    assert together.tempos == {"120-139": 1}


def test_fingerprints_see_through_key_and_tempo_and_tell_other_notes_apart() -> None:
    assert fingerprint(toy(36)) == fingerprint(toy(36, tempo_bpm=90.0, transpose=5))
    assert fingerprint(toy(36)) != fingerprint(compose_piece(1, 4.0))
    assert measure_corpus([toy(36), toy(36, transpose=2), toy(36)]).num_unlike == 0


def test_nothing_to_measure_is_no_error() -> None:
    empty = measure_corpus([])

    assert empty.num_pieces == 0
    assert report_lines(empty)
    assert json.loads(json.dumps(empty.to_json())) == empty.to_json()


def test_the_page_shows_pieces_of_both_splits_with_all_that_belongs_to_them(tmp_path: Path) -> None:
    corpus = write_toy_corpus(tmp_path / "corpus", num_training=3, num_held_out=1, duration_s=2.0)

    path = write_preview(corpus, tmp_path / "page", num_pieces=3)

    html = path.read_text(encoding="utf-8")
    assert html.count("<svg") == html.count('spectrogram" src') == 3
    assert html.count("held out") == 1
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", html)
    named = set(re.findall(r'src="([^"]+)"', html))
    assert len(named) == 3 * (1 + 1 + 3)  # picture, mix and three stems each
    assert all((tmp_path / "page" / name).stat().st_size > 0 for name in named)


def test_an_empty_corpus_has_nothing_to_show(tmp_path: Path) -> None:
    corpus = write_toy_corpus(tmp_path, num_training=0, num_held_out=0)

    with pytest.raises(InvalidRequestError, match="no finished piece to show"):
        write_preview(corpus, tmp_path / "page")
    with pytest.raises(InvalidRequestError, match="1 piece or more"):
        write_preview(corpus, tmp_path / "page", num_pieces=0)


def test_the_command_refuses_a_source_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synthesize", str(tmp_path), "--source", "tape", "--pieces", "1"]) == 1
    assert "'tape' is no source" in capsys.readouterr().err


def test_an_existing_corpus_is_described_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_toy_corpus(tmp_path, num_training=2, num_held_out=1, duration_s=2.0)  # of generator version 1

    assert main(["synthesize", str(tmp_path), "--report", "--preview"]) == 0

    printed = capsys.readouterr().out
    assert "2 pieces to train on, 1 held out" in printed
    assert "pieces            3, of which" in printed
    assert json.loads((tmp_path / "report.json").read_text())["num_pieces"] == 3
    assert (tmp_path / "preview" / "index.html").exists()
