"""Training examples: what is heard, what is asked for, and that they belong together."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from stemgen_core.codec.context_features import FRAME_LENGTH, NUM_FEATURES, extract_features
from stemgen_core.codec.score_tokens import REST, encode_notes, levels_used
from stemgen_core.corpus.storage import Corpus, CorpusPiece
from stemgen_core.instruments import INSTRUMENTS, find_instrument
from stemgen_core.training.examples import ExampleBatch, ExampleBatches, target_weights
from stemgen_core.training.families import MIN_ACTIVE_SHARE, ScoreFamily
from tests.core.toy_corpus import write_toy_corpus

WINDOW = 60


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_toy_corpus(tmp_path_factory.mktemp("corpus") / "toy")


def batches(pieces: Sequence[CorpusPiece], *, seed: int = 0, is_rough: bool = True, size: int = 4) -> ExampleBatches:
    return ScoreFamily().batches(pieces, batch_size=size, window_frames=WINDOW, seed=seed, is_rough=is_rough)


def same(first: ExampleBatch, second: ExampleBatch) -> bool:
    return torch.equal(first.context, second.context) and torch.equal(first.codes, second.codes)


@pytest.mark.parametrize("index", range(10))
def test_a_batch_has_its_shapes_and_its_windows_are_at_least_half(corpus: Corpus, index: int) -> None:
    batch = batches(corpus.pieces("train"))[index]

    num_frames = batch.codes.shape[2]
    assert WINDOW // 2 <= num_frames <= WINDOW
    assert batch.codes.shape == (4, 6, num_frames)
    assert batch.context.shape == (4, NUM_FEATURES, num_frames)
    assert batch.context.isfinite().all()
    assert len(batch.places) == len(batch.levels) == len(batch.conditions["instrument"]) == 4


@pytest.mark.parametrize("index", range(10))
def test_codes_instrument_and_levels_are_those_of_the_place(corpus: Corpus, index: int) -> None:
    pieces = corpus.pieces("train")
    batch = batches(pieces)[index]

    for item, place in enumerate(batch.places):
        stem = pieces[place.piece].piece.stems[place.stem]
        instrument = find_instrument(stem.instrument)
        written = encode_notes(stem.notes, instrument, 150)[:, place.start_frame :][:, : batch.codes.shape[2]]
        assert torch.equal(batch.codes[item], written)
        assert INSTRUMENTS[int(batch.conditions["instrument"][item])] == instrument
        assert batch.levels[item] == levels_used(instrument)
        assert (written != REST).any(0).float().mean() >= MIN_ACTIVE_SHARE


@pytest.mark.parametrize("index", range(10))
def test_a_target_is_never_in_its_own_context(corpus: Corpus, index: int) -> None:
    pieces = corpus.pieces("train")
    batch = batches(pieces, is_rough=False)[index]

    for item, place in enumerate(batch.places):
        start = place.start_frame * FRAME_LENGTH
        window = pieces[place.piece].audio[:, start : start + WINDOW * FRAME_LENGTH].astype(np.float32) / 32_768
        others = [stem for stem in range(3) if stem != place.stem]
        subsets = [[others[0]], [others[1]], others]
        mixes = torch.from_numpy(np.stack([window[subset].sum(0) for subset in subsets]))
        differences = (extract_features(mixes, WINDOW) - batch.context[item]).abs().amax((1, 2))
        assert differences.min() < 1e-3


@pytest.mark.parametrize("index", range(5))
def test_two_targets_share_each_context(corpus: Corpus, index: int) -> None:
    batch = batches(corpus.pieces("train"))[index]

    assert torch.equal(batch.context[0], batch.context[1])
    assert (batch.places[0].piece, batch.places[0].start_frame) == (batch.places[1].piece, batch.places[1].start_frame)
    assert not torch.equal(batch.context[1], batch.context[2])


def test_a_batch_is_made_from_its_number_and_the_seed_alone(corpus: Corpus) -> None:
    first, again = batches(corpus.pieces("train")), batches(corpus.pieces("train"))
    for index in (0, 1, 2):
        again[index]

    assert same(first[7], again[7])
    assert not same(first[7], first[8])
    assert not same(first[7], batches(corpus.pieces("train"), seed=1)[7])


def test_smooth_examples_have_whole_windows(corpus: Corpus) -> None:
    smooth = batches(corpus.pieces("train"), is_rough=False)

    assert {smooth[index].codes.shape[2] for index in range(12)} == {WINDOW}


def test_rough_contexts_differ_from_the_plain_mix_but_not_by_much(corpus: Corpus) -> None:
    pieces = corpus.pieces("train")
    rough = [batch for index in range(20) if (batch := batches(pieces)[index]).codes.shape[2] == WINDOW]

    closest = [similarity(pieces, batch) for batch in rough]

    assert 0.7 < float(np.median(closest)) < 0.9999
    assert min(closest) > 0.3


def similarity(pieces: Sequence[CorpusPiece], batch: ExampleBatch) -> float:
    """Return the correlation of a batch's first context with the nearest plain mix of other stems."""
    place = batch.places[0]
    start = place.start_frame * FRAME_LENGTH
    window = pieces[place.piece].audio[:, start : start + WINDOW * FRAME_LENGTH].astype(np.float32) / 32_768
    others = [stem for stem in range(3) if stem != place.stem]
    mixes = torch.from_numpy(np.stack([window[subset].sum(0) for subset in ([others[0]], [others[1]], others)]))
    return max(
        float(torch.corrcoef(torch.stack([plain.flatten(), batch.context[0].flatten()]))[0, 1])
        for plain in extract_features(mixes, WINDOW)
    )


def test_pieces_too_short_for_the_window_are_told(tmp_path: Path) -> None:
    short = write_toy_corpus(tmp_path / "short", num_training=1, num_held_out=0, duration_s=2.0)

    with pytest.raises(ValueError, match="found no window of 60 frames with two stems playing in 50 tries"):
        batches(short.pieces("train"), is_rough=False)[0]


def test_a_batch_of_an_odd_size_is_refused(corpus: Corpus) -> None:
    with pytest.raises(ValueError, match="batch_size must be a multiple of 2, got 3"):
        batches(corpus.pieces("train"), size=3)


@pytest.mark.parametrize("seed", range(5))
def test_rare_instruments_are_asked_for_more_often_than_they_are_there(corpus: Corpus, seed: int) -> None:
    pieces = corpus.pieces("train")
    names = [[stem.instrument for stem in entry.piece.stems] for entry in pieces]
    flat = [name for each in names for name in each]

    weights = target_weights(names)

    for each, found in zip(names, weights, strict=True):
        assert found.tolist() == pytest.approx([flat.count(name) ** -0.5 for name in each])
    # Where weights are all that differs, how often a stem is a target follows them.
    lonely = target_weights([["bass", "drums"], ["bass", "piano"], ["bass", "piano"], ["bass", "piano"]])
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(2, p=lonely[0] / lonely[0].sum()) for _ in range(2_000)]
    assert np.mean(drawn) == pytest.approx(2 / 3, abs=0.05)  # one drums to four basses: twice as often
