import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stemgen_core.corpus import storage
from stemgen_core.corpus.storage import HELDOUT_EVERY, Corpus, seed_of, split_of, synthesize_corpus
from stemgen_core.errors import InvalidRequestError
from stemgen_core.types import SoundFormat
from tests.core.rendering_needs import needs_rendering

ROOT = Path(__file__).parents[2]


@pytest.fixture
def fast_rendering(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Replace rendering by a tone per stem that depends on its notes; returns the held-out flags it was asked with."""
    asked = []

    def render(piece, *, is_heldout: bool, sound: SoundFormat) -> np.ndarray:  # noqa: ANN001
        asked.append(is_heldout)
        length = round(piece.duration_s * sound.sample_rate_hz)
        return np.stack([np.full(length, len(stem.notes) / 1000, np.float32) for stem in piece.stems])

    monkeypatch.setattr(storage, "render_piece", render)
    return asked


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_corpus_holds_pieces_as_scores_and_mapped_audio(tmp_path: Path, fast_rendering: list[bool]) -> None:
    corpus = synthesize_corpus(tmp_path, num_pieces=3, seed=5, duration_s=2.0)

    assert [one.index for one in corpus.pieces()] == [0, 1, 2]
    for one in corpus.pieces():
        assert one.piece.seed == seed_of(5, one.index)
        assert isinstance(one.audio, np.memmap)
        assert one.audio.dtype == np.int16
        assert one.audio.shape == (len(one.piece.stems), 2 * corpus.sample_rate_hz)
        assert one.audio[0, 0] == round(len(one.piece.stems[0].notes) / 1000 * 32767)


def test_every_twentieth_piece_is_held_out_and_rendered_with_the_other_font(
    tmp_path: Path, fast_rendering: list[bool]
) -> None:
    corpus = synthesize_corpus(tmp_path, num_pieces=41, seed=1, duration_s=1.0)

    assert [one.index for one in corpus.pieces("heldout")] == [19, 39]
    assert len(corpus.pieces("train")) == 39
    assert [index for index, is_heldout in enumerate(fast_rendering) if is_heldout] == [19, 39]
    assert split_of(HELDOUT_EVERY - 1) == "heldout"


def test_an_interrupted_corpus_ends_up_the_same_as_an_uninterrupted_one(
    tmp_path: Path, fast_rendering: list[bool]
) -> None:
    def stop_after_two(num_done: int, num_pieces: int) -> None:
        if num_done == 2:
            raise KeyboardInterrupt

    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    synthesize_corpus(whole, num_pieces=4, seed=2, duration_s=1.0)
    with pytest.raises(KeyboardInterrupt):
        synthesize_corpus(resumed, num_pieces=4, seed=2, duration_s=1.0, report_progress=stop_after_two)
    num_rendered = len(fast_rendering)
    synthesize_corpus(resumed, num_pieces=4, seed=2, duration_s=1.0)

    assert len(fast_rendering) - num_rendered == 2
    assert _files(resumed) == _files(whole)


def test_a_piece_without_its_score_is_not_finished(tmp_path: Path, fast_rendering: list[bool]) -> None:
    corpus = synthesize_corpus(tmp_path, num_pieces=2, seed=2, duration_s=1.0)
    (tmp_path / "pieces" / "000001.json").unlink()

    assert [one.index for one in corpus.pieces()] == [0]
    assert len(synthesize_corpus(tmp_path, num_pieces=2, seed=2, duration_s=1.0).pieces()) == 2


def test_a_corpus_can_grow_but_not_change_its_seed(tmp_path: Path, fast_rendering: list[bool]) -> None:
    synthesize_corpus(tmp_path, num_pieces=1, seed=2, duration_s=1.0)

    assert len(synthesize_corpus(tmp_path, num_pieces=3, seed=2, duration_s=1.0).pieces()) == 3
    assert len(synthesize_corpus(tmp_path, num_pieces=1, seed=2, duration_s=1.0).pieces()) == 3
    with pytest.raises(InvalidRequestError, match=r"holds another corpus \(seed differ\)"):
        synthesize_corpus(tmp_path, num_pieces=3, seed=3, duration_s=1.0)


def test_progress_counts_finished_pieces(tmp_path: Path, fast_rendering: list[bool]) -> None:
    reports: list[tuple[int, int]] = []
    synthesize_corpus(
        tmp_path, num_pieces=3, seed=1, duration_s=1.0, report_progress=lambda *report: reports.append(report)
    )

    assert reports == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    "arguments", [{"num_pieces": 0}, {"num_pieces": 1, "num_processes": 0}, {"num_pieces": 1, "duration_s": 0.5}]
)
def test_impossible_corpora_are_refused(tmp_path: Path, arguments: dict) -> None:
    with pytest.raises(InvalidRequestError, match="A corpus needs 1 piece, 1 process and 1 s or more"):
        synthesize_corpus(tmp_path, seed=0, **arguments)


def test_opening_says_what_is_wrong(tmp_path: Path, fast_rendering: list[bool]) -> None:
    with pytest.raises(InvalidRequestError, match=r"is no corpus.*stemgen synthesize"):
        Corpus.open(tmp_path)
    synthesize_corpus(tmp_path, num_pieces=1, seed=1, duration_s=1.0)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "format_version": 99}))
    with pytest.raises(InvalidRequestError, match="corpus format 99, this version reads 1 and 2"):
        Corpus.open(tmp_path)


def test_corpora_of_different_seeds_share_no_piece() -> None:
    assert not {seed_of(1, index) for index in range(10_000)} & {seed_of(2, index) for index in range(10_000)}


@needs_rendering
@pytest.mark.slow
def test_two_processes_make_the_same_corpus_as_one(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, num_processes in ((one, "1"), (two, "2")):
        # By the command, in processes of their own: libraries loaded by other tests change how floats are rounded.
        command = [sys.executable, "-m", "stemgen_core.cli", "synthesize", str(folder), "--processes", num_processes]
        subprocess.run([*command, "--pieces", "4", "--seed", "3", "--seconds", "2"], check=True, cwd=ROOT)

    assert _files(one) == _files(two)
