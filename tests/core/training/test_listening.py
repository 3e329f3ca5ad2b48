"""The quick listening score: what plays along scores high, what does not scores as chance."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch

from stemgen_core.corpus.storage import Corpus
from stemgen_core.sampling import candidates
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.score import Note
from stemgen_core.training import listening
from stemgen_core.training.examples import ExampleBatch, WindowPlace
from stemgen_core.training.families import ScoreFamily
from stemgen_core.training.listening import ListeningScore, score_listening
from tests.core.tiny_models import toy_model
from tests.core.toy_corpus import write_toy_corpus

QUICK = SamplingSettings(num_steps=(1,))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_toy_corpus(tmp_path_factory.mktemp("corpus") / "toy", num_held_out=3)


@dataclass
class Copyist:
    """Plays the true stem of an item, moved in pitch and time."""

    corpus: Corpus
    semitones: int = 0
    late_s: float = 0.0
    asked: list[int] = field(default_factory=list)

    def __call__(self, _model: object, batch: ExampleBatch, item: int, *_: object, **__: object) -> list[Note]:
        place = batch.places[item]
        notes = self.corpus.pieces("heldout")[place.piece].piece.stems[place.stem].notes
        start_s, end_s = place.start_frame / 25, (place.start_frame + batch.codes.shape[2]) / 25
        return [
            Note(note.start_s - start_s + self.late_s, note.pitch + self.semitones, note.duration_s, note.velocity)
            for note in notes
            if start_s <= note.start_s < end_s
        ]


@dataclass
class HalvingCopyist(Copyist):
    """Strikes every note of the true stem twice, half as long each."""

    def __call__(self, *args: Any, **options: Any) -> list[Note]:
        halves = []
        for note in super().__call__(*args, **options):
            length_s = note.duration_s / 2
            for start_s in (note.start_s, note.start_s + length_s):
                halves.append(replace(note, start_s=start_s, duration_s=length_s))
        return halves


def score(corpus: Corpus, player: Copyist, monkeypatch: pytest.MonkeyPatch) -> ListeningScore:
    pieces = corpus.pieces("heldout")
    examples = ScoreFamily().batches(pieces, batch_size=8, window_frames=60, seed=3, is_rough=False)
    monkeypatch.setattr(listening, "_generate", player)
    return score_listening(toy_model(), pieces, [examples[0], examples[1]], QUICK)


def test_the_true_stems_are_on_chord_on_time_and_far_above_chance(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = score(corpus, Copyist(corpus), monkeypatch)

    assert found.chord_share > 0.99
    assert found.onset_hits == 1.0
    assert found.note_rate_ratio == 1.0
    assert found.note_length_ratio == pytest.approx(1.0, abs=0.1)
    assert found.other_chord_share < 0.6  # another piece's chords, not the neighbour's that is of the same piece
    assert found.other_onset_hits < 0.75
    assert found.total == pytest.approx(
        found.chord_share - found.other_chord_share + found.onset_hits - found.other_onset_hits
    )


def test_wrong_notes_in_time_are_off_chord_alone(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    found = score(corpus, Copyist(corpus, semitones=1), monkeypatch)

    assert found.chord_share < 0.2
    assert found.onset_hits == 1.0


def test_notes_cut_in_half_are_twice_as_many_and_half_as_long(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, halves = (score(corpus, player, monkeypatch) for player in (Copyist(corpus), HalvingCopyist(corpus)))

    assert halves.note_rate_ratio == 2.0
    assert halves.note_length_ratio == pytest.approx(whole.note_length_ratio / 2)


def test_right_notes_out_of_time_miss_the_onsets(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    found = score(corpus, Copyist(corpus, late_s=0.1), monkeypatch)

    assert found.onset_hits < 0.1
    assert found.chord_share > 0.7


def test_pieces_without_known_chords_take_no_part_in_the_share_of_chords(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = corpus.pieces("heldout")
    expected = score(corpus, Copyist(corpus), monkeypatch)
    for entry in every[1:]:
        monkeypatch.setitem(entry.__dict__, "piece", replace(entry.piece, chords=()))
    monkeypatch.setattr(Corpus, "pieces", lambda _corpus, _split: every)

    found = score(corpus, Copyist(corpus), monkeypatch)

    assert found.chord_share == expected.chord_share == 1.0
    assert found.onset_hits == expected.onset_hits


@dataclass
class SilentPlayer(Copyist):
    """Plays nothing."""

    def __call__(self, *_: object, **__: object) -> list[Note]:
        return []


def test_silence_scores_nothing(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    assert score(corpus, SilentPlayer(corpus), monkeypatch) == ListeningScore(0, 0, 0, 0, 0, 0, silent_share=1.0)


@pytest.mark.parametrize("item", range(4))
def test_the_control_is_another_piece(item: int) -> None:
    places = [WindowPlace(0, 0, 5), WindowPlace(0, 1, 5), WindowPlace(1, 0, 9), WindowPlace(1, 2, 9)]

    control = listening._place_elsewhere(places, item)

    assert control.piece != places[item].piece


def test_a_model_is_asked_for_every_item(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = corpus.pieces("heldout")
    batch = ScoreFamily().batches(pieces, batch_size=2, window_frames=40, seed=0, is_rough=False)[0]
    asked: list[tuple[Mapping[str, torch.Tensor], int]] = []

    def decode_rests(
        _model: object, context: torch.Tensor, known: torch.Tensor, conditions: Mapping[str, torch.Tensor], **_: object
    ) -> torch.Tensor:
        asked.append((conditions, len(context)))
        return torch.zeros_like(known)

    monkeypatch.setattr(candidates, "decode_codes", decode_rests)
    score_listening(toy_model(), pieces, [batch], QUICK)
    score_listening(toy_model(), pieces, [batch], replace(QUICK, num_candidates=3))

    assert [count for _, count in asked[2:]] == [3, 3]
    assert [(int(conditions["instrument"][0]), count) for conditions, count in asked[:2]] == [
        (int(value), 1) for value in batch.conditions["instrument"]
    ]
