"""Training pieces that grow in number while they are used."""

import json
import time
from pathlib import Path

import pytest

from stemgen_core.errors import InvalidRequestError
from stemgen_core.training.growing import GrowingCorpus, GrowingPieces, wait_for_pieces

SOON_S = 0.3


def finish(folder: Path, *indices: int) -> None:
    (folder / "pieces").mkdir(exist_ok=True)
    for index in indices:
        (folder / "pieces" / f"{index:06d}.json").write_text("{}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text(
        json.dumps({"format_version": 1, "num_pieces": 60, "sample_rate_hz": 32_000})
    )
    return tmp_path


def wait(folder: Path, num_training: int, num_heldout: int, *, is_growing: bool = True) -> GrowingCorpus:
    deadline_s = time.monotonic() + SOON_S
    return wait_for_pieces(
        folder,
        num_training=num_training,
        num_heldout=num_heldout,
        deadline_s=deadline_s,
        is_growing=lambda: is_growing,
    )


def test_pieces_that_come_later_are_added_at_the_end_whatever_their_numbers(folder: Path) -> None:
    finish(folder, 5, 7)
    pieces = GrowingPieces(folder, "train", refresh_s=0)
    before = [piece.index for piece in pieces]

    finish(folder, 2, 6, 19)

    assert before == [5, 7]
    assert len(pieces) == 4
    assert [piece.index for piece in pieces] == [5, 7, 2, 6]


def test_the_folder_is_not_looked_at_all_the_time(folder: Path) -> None:
    finish(folder, 0)
    pieces = GrowingPieces(folder, "train", refresh_s=60)

    finish(folder, 1)

    assert len(pieces) == 1


def test_half_written_pieces_do_not_count(folder: Path) -> None:
    finish(folder, 0)
    (folder / "pieces" / "000001.npy").write_bytes(b"")
    (folder / "pieces" / "000002.part77").write_text("{}")

    assert [piece.index for piece in GrowingPieces(folder, "train")] == [0]


def test_a_growing_corpus_grows_in_training_pieces_and_keeps_its_held_out_ones(folder: Path) -> None:
    finish(folder, 0, 19)

    corpus = wait(folder, 1, 1)
    held_out = corpus.pieces("heldout")
    finish(folder, 39)

    assert isinstance(corpus.pieces("train"), GrowingPieces)
    assert [piece.index for piece in held_out] == [19]


@pytest.mark.parametrize("there", [(), (0,), (0, 1), (0, 19)], ids=str)
def test_waiting_ends_at_the_deadline_and_says_what_is_missing(folder: Path, there: tuple[int, ...]) -> None:
    finish(folder, *there)

    with pytest.raises(InvalidRequestError, match="2 and 1 are needed to begin"):
        wait(folder, 2, 1)


def test_nothing_is_waited_for_that_nobody_makes_any_more(folder: Path) -> None:
    finish(folder, 0)
    began_s = time.monotonic()

    with pytest.raises(InvalidRequestError, match="1 pieces to train on and 0 held out"):
        wait_for_pieces(folder, num_training=2, num_heldout=0, deadline_s=began_s + 60, is_growing=lambda: False)

    assert time.monotonic() - began_s < 10


def test_what_is_there_is_enough_even_if_nobody_makes_more(folder: Path) -> None:
    finish(folder, 0, 1, 19)

    assert len(wait(folder, 2, 1, is_growing=False).pieces("train")) == 2
