"""Several sources in one corpus; and mma where it is installed."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from stemgen_core.corpus.sources.mixing import MixedSource, open_source, parse_source
from stemgen_core.corpus.sources.mma import Mma
from stemgen_core.corpus.storage import synthesize_corpus
from stemgen_core.errors import InvalidRequestError, MissingDependencyError
from tests.core.corpus_sources.made_up import BAND, OTHER_BAND, write_musdb, write_song


@pytest.mark.parametrize(
    ("text", "kind", "folder", "weight"),
    [
        ("composer", "composer", None, 1.0),
        ("composer=3", "composer", None, 3.0),
        ("mma=0.5", "mma", None, 0.5),
        ("groove:/a/b", "groove", Path("/a/b"), 1.0),
        ("midi:/a/b", "midi", Path("/a/b"), 1.0),
        ("midi:/a/b=2", "midi", Path("/a/b"), 2.0),
        ("stems:/a=b", "stems", Path("/a=b"), 1.0),
    ],
)
def test_sources_are_read_with_folder_and_weight(text: str, kind: str, folder: Path | None, weight: float) -> None:
    spec = parse_source(text)

    assert (spec.kind, spec.folder, spec.weight) == (kind, folder, weight)


@pytest.mark.parametrize(
    "text", ["", "tape", "midi", "groove", "midi:", "composer:x", "composer=0", "composer=-1", "mma=inf"]
)
def test_what_is_no_source_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="is no source"):
        parse_source(text)


def test_weights_decide_how_often(tmp_path: Path) -> None:
    write_song(tmp_path / "a.mid", BAND)
    write_song(tmp_path / "b.mid", OTHER_BAND)

    mixed = MixedSource(("composer=3", f"midi:{tmp_path}=1"))
    counts = Counter(mixed.draw(seed, "train", 2.0).piece.source for seed in range(120))

    assert 0.6 < counts["composer"] / 120 < 0.88
    assert [facts["weight"] for facts in mixed.describe()] == [3.0, 1.0]


def test_one_song_alone_cannot_be_split(tmp_path: Path) -> None:
    write_song(tmp_path / "a.mid", BAND)

    with pytest.raises(InvalidRequestError, match="nothing for the heldout split"):
        MixedSource((f"midi:{tmp_path}",))
    assert MixedSource(("composer", f"midi:{tmp_path}")).draw(1, "heldout", 2.0).piece.source == "composer"


def test_a_corpus_of_real_stems_needs_no_rendering_and_records_where_it_came_from(tmp_path: Path) -> None:
    music = tmp_path / "music"
    write_musdb(music / "train", "A", "B", "C")
    write_musdb(music / "test", "D")  # a copy of A's tones: what is in both splits is held out
    (music / "LICENSE").write_text("for research only")

    corpus = synthesize_corpus(tmp_path / "corpus", num_pieces=20, seed=1, duration_s=1.0, sources=(f"stems:{music}",))

    manifest = json.loads((tmp_path / "corpus" / "manifest.json").read_text())
    assert manifest["sources"][0]["kind"] == "stems"
    assert manifest["sources"][0]["licences"] == {"LICENSE": "for research only"}
    assert str(tmp_path) not in json.dumps(manifest)
    titles = {split: {one.piece.title for one in corpus.pieces(split)} for split in ("train", "heldout")}
    assert titles == {"train": {"train/B", "train/C"}, "heldout": {"test/D"}}
    one = corpus.pieces("train")[0]
    assert one.audio.shape == (3, corpus.sample_rate_hz)
    assert np.abs(one.audio).max() > 500


def test_other_sources_are_another_corpus(tmp_path: Path) -> None:
    write_musdb(tmp_path / "music", "A", "B")
    source = f"stems:{tmp_path / 'music'}"
    synthesize_corpus(tmp_path / "corpus", num_pieces=1, seed=1, duration_s=1.0, sources=(source,))

    with pytest.raises(InvalidRequestError, match=r"holds another corpus \(sources differ\)"):
        synthesize_corpus(tmp_path / "corpus", num_pieces=1, seed=1, duration_s=1.0, sources=(f"{source}=2",))


def test_without_mma_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    open_source.cache_clear()

    with pytest.raises(MissingDependencyError, match="apt install mma"):
        MixedSource(("mma",))


@pytest.mark.skipif(shutil.which("mma") is None, reason="mma is not installed (Debian package mma)")
def test_mma_turns_charts_into_bands_the_same_for_the_same_seed() -> None:
    source = Mma()

    piece = source.draw(2, "train", 12.0).piece

    assert piece.source == "mma"
    assert len(piece.stems) >= 2
    assert piece.duration_s == pytest.approx(12.0)
    assert piece.chords
    assert source.draw(2, "train", 12.0).piece == piece
    assert source.draw(3, "train", 12.0).piece != piece
