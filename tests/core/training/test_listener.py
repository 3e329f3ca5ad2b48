"""Training of the contrastive listener: its loss against a slow loop, its near misses, and what it learns."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from stemgen_core.codec.score_tokens import NUM_PITCHES
from stemgen_core.corpus.storage import Corpus
from stemgen_core.errors import InvalidRequestError
from stemgen_core.model.listener import ContrastiveListener, ListenerConfig
from stemgen_core.training.listener import (
    ListenerTrainingConfig,
    contrastive_loss,
    fit_listener,
    train_listener,
)
from stemgen_core.training.listener_examples import HeardPiece, ListenerBatch, ListenerBatches, hear_pieces
from tests.core.toy_corpus import write_toy_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_toy_corpus(tmp_path_factory.mktemp("corpus") / "toy", num_training=18)


@pytest.fixture(scope="module")
def heard(corpus: Corpus) -> list[HeardPiece]:
    return hear_pieces(corpus.pieces("train"), num_mixes=2, seed=0)


def batches(heard: list[HeardPiece], **changes: int) -> ListenerBatches:
    options = {"num_pieces": 4, "window_frames": 60, "num_lags": 3, "seed": 0} | changes
    return ListenerBatches(heard, **options)


def random_batch(seed: int) -> ListenerBatch:
    rng = torch.Generator().manual_seed(seed)
    return ListenerBatch(
        contexts=torch.rand(4, 5, 12, generator=rng),
        stems=torch.rand(4, 7, 12, generator=rng),
        transposed=torch.rand(4, 7, 12, generator=rng),
        has_key=torch.tensor([True, False, True, True]),
        lags=torch.randint(1, 11, (4, 2), generator=rng),
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_loss_is_a_plain_loop_over_pairs_shifts_and_keys(seed: int) -> None:
    torch.manual_seed(seed)
    listener = ContrastiveListener(ListenerConfig(5, 7, width=8, num_blocks=1, dim=4, dropout=0.0)).eval()
    batch = random_batch(seed)

    with torch.no_grad():
        loss = float(contrastive_loss(listener, batch))

        def score(context: int, stem: torch.Tensor) -> float:
            return math.exp(float(listener.compare(listener.embed_contexts(batch.contexts)[context], stem)))

        stems, transposed = listener.embed_stems(batch.stems), listener.embed_stems(batch.transposed)
        total = 0.0
        for item in range(4):
            own = score(item, stems[item])
            rivals = [score(item, stem) for stem in stems]
            rivals += [score(item, stems[item].roll(int(lag), 1)) for lag in batch.lags[item]]
            rivals += [score(item, transposed[item])] if batch.has_key[item] else []
            mixes = [score(other, stems[item]) for other in range(4)]
            total -= math.log(own / sum(rivals)) + math.log(own / sum(mixes))
    assert loss == pytest.approx(total / 8, abs=1e-4)


def test_a_batch_follows_from_seed_and_number_alone(heard: list[HeardPiece]) -> None:
    first, again, next_one = batches(heard)[3], batches(heard)[3], batches(heard)[4]

    assert torch.equal(first.contexts, again.contexts)
    assert torch.equal(first.lags, again.lags)
    assert not torch.equal(first.contexts, next_one.contexts)


@pytest.mark.parametrize("number", range(6))
def test_near_misses_are_what_they_say(heard: list[HeardPiece], number: int) -> None:
    batch = batches(heard)[number]

    assert batch.contexts.shape[::2] == batch.stems.shape[::2] == (8, 60)
    assert (batch.lags != 0).all()
    for item in range(8):
        is_drums = batch.stems[item, : 2 * NUM_PITCHES].sum() == 0
        assert bool(batch.has_key[item]) != bool(is_drums)
        pitches, moved = (rows[item, :NUM_PITCHES].sum(1) for rows in (batch.stems, batch.transposed))
        if not is_drums:
            away = [k for k in range(-6, 7) if k and torch.equal(pitches.roll(k), moved)]
            assert away


def test_a_stem_is_never_in_its_own_mix(heard: list[HeardPiece]) -> None:
    for piece in heard:
        assert piece.is_heard.any(1).all()
        assert not piece.is_heard.all(1).any()


def test_mix_and_stem_are_put_into_another_key_alike(corpus: Corpus) -> None:
    piece = next(entry for entry in corpus.pieces("train"))
    (one,) = hear_pieces([piece], num_mixes=1, seed=3)
    semitones = slice(0, 84)

    seen = [ListenerBatches([one, one], num_pieces=2, window_frames=60, num_lags=1, seed=seed)[0] for seed in range(8)]

    for batch in seen:
        for item in range(4):
            loud = batch.contexts[item, semitones].sum(1)
            assert float(loud.max()) > 0
    heights = {int(batch.contexts[0, semitones].sum(1).argmax()) for batch in seen}
    assert len(heights) > 2


def test_too_few_pieces_are_told(corpus: Corpus, heard: list[HeardPiece], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a batch needs 40 pieces of 110 frames, got 18"):
        batches(heard, num_pieces=40)
    with pytest.raises(InvalidRequestError, match="too small for a listener"):
        train_listener(corpus, tmp_path / "none", ListenerTrainingConfig(num_pieces=40, num_steps=1))
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_a_short_training_tells_near_misses_of_unheard_pieces_apart(corpus: Corpus, heard: list[HeardPiece]) -> None:
    config = ListenerTrainingConfig(num_steps=150, num_pieces=6, window_frames=60, learning_rate=3e-3)
    losses: list[float] = []

    listener = fit_listener(heard[:12], config, report=lambda _step, loss: losses.append(loss))

    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])
    told: dict[str, list[bool]] = {"other piece": [], "shifted": [], "transposed": []}
    for number in range(6):
        batch = batches(heard[12:], num_pieces=3, num_lags=1)[number]
        with torch.no_grad():
            contexts, stems = listener.embed_contexts(batch.contexts), listener.embed_stems(batch.stems)
            transposed = listener.embed_stems(batch.transposed)
        true = listener.compare(contexts, stems)
        late = torch.stack([stem.roll(int(lag), 1) for stem, lag in zip(stems, batch.lags[:, 0], strict=True)])
        told["other piece"] += (true > listener.compare(contexts, stems.roll(2, 0))).tolist()
        told["shifted"] += (true > listener.compare(contexts, late)).tolist()
        told["transposed"] += (true > listener.compare(contexts, transposed))[batch.has_key].tolist()
    assert all(np.mean(cases) > 0.8 for cases in told.values()), {kind: np.mean(told[kind]) for kind in told}
