"""Windows of held-out pieces: cut where something plays, with the stem that belongs there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from stemgen_core.analysis.fit import measure_fit
from stemgen_core.corpus.storage import Corpus
from stemgen_core.errors import InvalidRequestError
from stemgen_core.evaluation.held_out import held_out_items, held_out_windows
from stemgen_core.evaluation.items import EvaluationItem
from stemgen_core.generator import GenerationRequest, GenerationResult
from stemgen_core.instruments import Instrument, find_instrument
from stemgen_core.sampling.settings import PRESETS
from stemgen_core.types import Waveform
from tests.core.toy_corpus import write_toy_corpus
from tests.generators import Caller, FakeGenerator


@dataclass
class SelfFitGenerator(FakeGenerator):
    """Answers with the context itself, and measures how it fits."""

    instruments: tuple[Instrument, ...] = tuple(map(find_instrument, ("bass", "piano", "drums")))

    def play(self, context: Waveform, request: GenerationRequest, caller: Caller) -> GenerationResult:
        return GenerationResult(context, (), "echo", 0.0, measure_fit(context, context))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_toy_corpus(tmp_path_factory.mktemp("corpus") / "toy", num_training=1, num_held_out=3)


def draw(
    corpus: Corpus,
    generator: SelfFitGenerator,
    *,
    num_items: int = 6,
    seed: int = 1,
    report: Callable[[int, int], None] | None = None,
) -> list[EvaluationItem]:
    items = held_out_items(
        generator,  # pyright: ignore[reportArgumentType]
        corpus.pieces("heldout"),
        num_items=num_items,
        window_s=3.0,
        settings=PRESETS["fast"],
        seed=seed,
        report_progress=report,
    )
    return list(items)


def test_items_are_windows_of_all_pieces_with_context_and_true_stem(corpus: Corpus) -> None:
    items = draw(corpus, SelfFitGenerator())

    assert [item.piece for item in items] == ["19", "39", "59"] * 2
    for item in items:
        assert item.context.samples.shape == item.true_stem.samples.shape == (1, 96_000)
        assert item.true_stem.samples.square().mean().sqrt() >= 0.003
        assert item.context.samples.square().mean().sqrt() >= 0.003
        assert item.true_notes is not None
        assert len(item.true_notes) >= 4
        assert all(0 <= note.start_s < note.end_s <= 3.0 + 1e-9 for note in item.true_notes)
        assert item.facts is not None
        assert all(0 <= beat_s < 3.0 for beat_s in item.facts.beats_s)


def test_a_context_is_a_sum_of_the_other_stems(corpus: Corpus) -> None:
    by_index = {str(piece.index): piece for piece in corpus.pieces("heldout")}
    for item in draw(corpus, SelfFitGenerator()):
        piece = by_index[item.piece]
        names = [stem.instrument for stem in piece.piece.stems]
        audio = torch.from_numpy(piece.audio.astype("float32") / 32_768)
        target = audio[names.index(item.instrument)]
        starts = (target.unfold(0, 96_000, 1)[:, ::8_000] == item.true_stem.samples[0, ::8_000]).all(1).nonzero()[:, 0]
        others = [audio[index] for index, name in enumerate(names) if name != item.instrument]
        subsets = [[others[0]], [others[1]], others]
        assert any(
            torch.allclose(torch.stack(subset).sum(0)[start : start + 96_000], item.context.samples[0], atol=1e-6)
            for start in starts.tolist()
            for subset in subsets
        )


def test_the_model_is_asked_for_the_instrument_of_each_item_with_a_seed_of_its_own(corpus: Corpus) -> None:
    generator = SelfFitGenerator()

    items = draw(corpus, generator)

    assert [request.instrument for request in generator.requests] == [item.instrument for item in items]
    assert len({request.seed for request in generator.requests}) == len(items)
    assert {request.settings for request in generator.requests} == {PRESETS["fast"]}


def test_one_seed_draws_the_same_items(corpus: Corpus) -> None:
    first, again, other = (draw(corpus, SelfFitGenerator(), seed=seed) for seed in (1, 1, 2))

    assert all(torch.equal(a.context.samples, b.context.samples) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a.context.samples, b.context.samples) for a, b in zip(first, other, strict=True))


def test_only_instruments_that_the_model_offers_are_asked_for(corpus: Corpus) -> None:
    items = draw(corpus, SelfFitGenerator(instruments=(find_instrument("bass"),)))

    assert {item.instrument for item in items} == {"bass"}


def test_progress_counts_the_items(corpus: Corpus) -> None:
    counts: list[tuple[int, int]] = []

    draw(corpus, SelfFitGenerator(), num_items=3, report=lambda done, wanted: counts.append((done, wanted)))

    assert counts == [(1, 3), (2, 3), (3, 3)]


def test_too_few_windows_are_told(corpus: Corpus) -> None:
    with pytest.raises(InvalidRequestError, match=r"Only 0 of 6 windows of 3 s were found .* Make the corpus larger"):
        draw(corpus, SelfFitGenerator(instruments=(find_instrument("organ"),)))


def test_pieces_shorter_than_a_window_are_passed_over(corpus: Corpus, tmp_path: Path) -> None:
    short = write_toy_corpus(tmp_path, num_training=1, num_held_out=1, duration_s=2.9).pieces("heldout")
    pieces = [*short, *corpus.pieces("heldout")]

    windows = list(held_out_windows(pieces, {"bass", "piano", "drums"}, num_items=6, window_s=3.0, seed=1))

    assert {window.context.duration_s for window in windows} == {3.0}
    assert {window.true_stem.duration_s for window in windows} == {3.0}
    with pytest.raises(InvalidRequestError, match="or the windows shorter"):
        list(held_out_windows(short, {"bass", "piano", "drums"}, num_items=2, window_s=3.0, seed=1))


def test_a_corpus_without_held_out_pieces_is_told() -> None:
    items = held_out_items(
        SelfFitGenerator(),  # pyright: ignore[reportArgumentType]
        [],
        num_items=1,
        window_s=3.0,
        settings=PRESETS["fast"],
        seed=1,
    )

    with pytest.raises(InvalidRequestError, match="no finished held-out piece"):
        next(items)
