"""The trainer: schedule, resuming, early decay and the bundle it leaves."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stemgen_core.checkpoint import load_bundle
from stemgen_core.corpus.storage import Corpus, CorpusPiece
from stemgen_core.errors import CheckpointError, InvalidRequestError
from stemgen_core.model.config import ModelConfig
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.training import lm, lm_config
from stemgen_core.training.conditions import INSTRUMENT_FIELD
from stemgen_core.training.examples import ExampleBatch
from stemgen_core.training.families import ScoreFamily
from stemgen_core.training.lm import MIN_STEMS_PER_INSTRUMENT, LmTrainer, LmTrainingConfig, _enough_of, learning_rate_at
from tests.core.toy_corpus import write_toy_corpus

TINY = LmTrainingConfig(
    size="tiny",
    num_steps=6,
    batch_size=4,
    window_frames=24,
    num_warmup_steps=2,
    evaluate_every=3,
    num_held_out_batches=1,
    has_bfloat16=False,
)


@dataclass
class ScriptedFamily(ScoreFamily):
    """Says a given listening score at each evaluation."""

    scores: list[float] = field(default_factory=list)

    def score(
        self, model: StemTransformer, pieces: Sequence[CorpusPiece], batches: Sequence[ExampleBatch]
    ) -> dict[str, float]:
        return {"listening": self.scores.pop(0)} if self.scores else {}


class InstrumentOnly(ScoreFamily):
    """Asks for stems by instrument and nothing else."""

    def model_config(self, size: str) -> ModelConfig:
        return replace(super().model_config(size), fields=(INSTRUMENT_FIELD,))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_toy_corpus(tmp_path_factory.mktemp("corpus") / "toy", num_training=4)


def trainer(corpus: Corpus, run: Path, config: LmTrainingConfig = TINY, scores: Sequence[float] = ()) -> LmTrainer:
    return LmTrainer(ScriptedFamily(list(scores)), corpus, run, config)


def quiet(_step: int, _values: dict[str, float]) -> None:
    """Report nothing."""


@pytest.mark.parametrize("gains", [True, False])
@pytest.mark.parametrize("asked", [True, False])
def test_bfloat16_is_used_where_it_is_asked_for_and_the_processor_gains_by_it(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool, gains: bool
) -> None:
    monkeypatch.setattr(lm_config, "gains_by_bfloat16", lambda: gains)
    run = trainer(corpus, tmp_path / "run", replace(TINY, has_bfloat16=asked))
    dtypes = []
    first = run.model.blocks[0].get_submodule("attention.qkv")
    first.register_forward_hook(lambda _module, _inputs, output: dtypes.append(output.dtype))

    run.train_step(run._batches(run.training_pieces, 0, is_rough=False)[0])

    assert dtypes == [torch.bfloat16 if asked and gains else torch.float32]


def log_of(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def state_of(run: Path) -> dict[str, torch.Tensor]:
    (folder,) = run.glob("checkpoint-*")
    return load_file(folder / "state.safetensors")


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_run_in_legs_equals_an_uninterrupted_one_bit_for_bit(optimizer: str, corpus: Corpus, tmp_path: Path) -> None:
    config = replace(TINY, optimizer=optimizer)
    assert trainer(corpus, tmp_path / "whole", config).run(report=quiet)

    steps = []
    for max_seconds in (0, 0, None):  # the last leg starts between two evaluations
        leg = trainer(corpus, tmp_path / "legs", config)
        leg.run(max_seconds=max_seconds, report=quiet)
        steps.append(leg.step)

    assert steps == [1, 2, 6]
    whole, legs = state_of(tmp_path / "whole"), state_of(tmp_path / "legs")
    assert whole.keys() == legs.keys()
    assert all(torch.equal(whole[name], legs[name]) for name in whole)
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "legs")


def test_a_longer_schedule_goes_on_from_before_the_decay(corpus: Corpus, tmp_path: Path) -> None:
    trainer(corpus, tmp_path).run(report=quiet)
    (kept,) = tmp_path.glob("before-decay-*")
    before = load_file(kept / "state.safetensors")

    same = trainer(corpus, tmp_path)
    longer = trainer(corpus, tmp_path, replace(TINY, num_steps=12))

    assert same.step == 6
    assert longer.step == same.decay_start == int(kept.name[-8:]) < 6
    assert all(torch.equal(value, before[f"model/{name}"]) for name, value in longer.model.state_dict().items())


def test_a_run_may_begin_with_a_bundles_weights(corpus: Corpus, tmp_path: Path) -> None:
    first = trainer(corpus, tmp_path / "first")
    first.run(report=quiet)
    first.write_bundle(tmp_path / "bundle", {})

    second = LmTrainer(ScriptedFamily(), corpus, tmp_path / "second", TINY, start_from=tmp_path / "bundle")

    own, given = second.model.state_dict(), load_bundle(tmp_path / "bundle").model.state_dict()
    assert all(torch.equal(own[name], given[name]) for name in given)
    assert all(torch.equal(value, own[name]) for name, value in second.average.state_dict().items())


def test_fields_that_a_bundle_lacks_start_untrained(corpus: Corpus, tmp_path: Path) -> None:
    first = LmTrainer(InstrumentOnly(), corpus, tmp_path / "first", TINY)
    first.write_bundle(tmp_path / "bundle", {})

    second = LmTrainer(ScriptedFamily(), corpus, tmp_path / "second", TINY, start_from=tmp_path / "bundle")

    own, given = second.model.state_dict(), load_bundle(tmp_path / "bundle").model.state_dict()
    assert all(torch.equal(own[name], given[name]) for name in given)
    assert {name.split(".")[2] for name in own.keys() - given.keys()} == {"genre", "stem_category"}


def test_a_bundle_of_another_shape_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    trainer(corpus, tmp_path / "first").write_bundle(tmp_path / "bundle", {})

    with pytest.raises(CheckpointError, match="has another shape than this run's"):
        LmTrainer(ScriptedFamily(), corpus, tmp_path / "s", replace(TINY, size="small"), start_from=tmp_path / "bundle")


def test_a_finished_run_is_not_trained_further(corpus: Corpus, tmp_path: Path) -> None:
    trainer(corpus, tmp_path).run(report=quiet)
    before = state_of(tmp_path)

    again = trainer(corpus, tmp_path)

    assert again.run(report=quiet)
    assert again.step == 6
    assert all(torch.equal(before[name], value) for name, value in state_of(tmp_path).items())


def test_two_runs_of_one_seed_are_the_same_and_of_another_are_not(corpus: Corpus, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        trainer(corpus, tmp_path / name, replace(TINY, seed=seed, num_steps=2)).run(report=quiet)

    first, again, other = (state_of(tmp_path / name)["model/heads.0.weight"] for name in "abc")
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_more_steps_move_the_decay_of_a_run_that_is_taken_up(corpus: Corpus, tmp_path: Path) -> None:
    trainer(corpus, tmp_path).run(report=quiet)

    longer = trainer(corpus, tmp_path, replace(TINY, num_steps=8))

    assert longer.num_steps == 8
    assert not longer.run(max_seconds=0, report=quiet)
    assert longer.step == 5  # the decay of the shorter schedule, steps 5 and 6, is done again otherwise


def test_a_run_of_another_size_is_not_taken_up(corpus: Corpus, tmp_path: Path) -> None:
    trainer(corpus, tmp_path).run(max_seconds=0, report=quiet)

    with pytest.raises(CheckpointError, match="does not fit the model"):
        trainer(corpus, tmp_path, replace(TINY, size="small"))


@pytest.mark.parametrize(("scores", "is_early"), [((0.5, 0.4, 0.3, 0.2), True), ((0.1, 0.2, 0.3, 0.4), False)])
def test_the_decay_comes_early_when_listening_no_longer_gets_better(
    scores: tuple[float, ...], is_early: bool, corpus: Corpus, tmp_path: Path
) -> None:
    config = replace(TINY, num_steps=20, decay_share=0.1, evaluate_every=1, patience=2)
    run = trainer(corpus, tmp_path, config, scores=[*scores, *[1.0 + step for step in range(20)]])

    assert run.run(report=quiet)

    # The best of the first three was the first; two steps of decay follow.
    assert run.step == (5 if is_early else 20)


def test_an_early_decay_survives_an_interruption(corpus: Corpus, tmp_path: Path) -> None:
    config = replace(TINY, num_steps=20, decay_share=0.1, evaluate_every=1, patience=1)
    for _ in range(2):
        trainer(corpus, tmp_path, config, scores=[0.5]).run(max_seconds=0, report=quiet)

    again = trainer(corpus, tmp_path, config)

    assert (again.step, again.decay_start, again.num_steps) == (2, 2, 4)


def test_the_rate_rises_stays_and_falls_to_zero() -> None:
    config = LmTrainingConfig(num_steps=100, num_warmup_steps=10, decay_share=0.4, learning_rate=2.0)

    rates = [learning_rate_at(step, config) for step in range(100)]

    assert rates[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])
    assert rates[10:60] == [2.0] * 50
    assert rates[60:] == pytest.approx([2.0 * (1 - step / 40) for step in range(40)])
    assert learning_rate_at(100, config) == 0.0


@pytest.mark.parametrize("decay_start", [3, 10, 35])
def test_an_early_decay_is_as_long_as_a_planned_one(decay_start: int) -> None:
    config = LmTrainingConfig(num_steps=100, num_warmup_steps=10, decay_share=0.4, learning_rate=2.0)

    rates = [learning_rate_at(step, config, decay_start) for step in range(decay_start, decay_start + 41)]

    assert rates == pytest.approx([2.0 * (1 - step / 40) for step in range(41)])


def test_the_rate_of_the_schedule_reaches_every_group(corpus: Corpus, tmp_path: Path) -> None:
    run = trainer(corpus, tmp_path)
    batch = run._batches(run.training_pieces, 0, is_rough=True)[0]

    for step in range(3):
        run.train_step(batch)
        rates = {group["lr"] for optimizer in run.optimizers for group in optimizer.param_groups}
        assert rates == {learning_rate_at(step, TINY)}


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_every_parameter_is_trained_once_and_vectors_are_not_decayed(
    optimizer: str, corpus: Corpus, tmp_path: Path
) -> None:
    run = trainer(corpus, tmp_path, replace(TINY, optimizer=optimizer))

    groups = [group for each in run.optimizers for group in each.param_groups]
    trained = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(trained) == sorted(id(parameter) for parameter in run.model.parameters())
    decayed = {id(parameter) for group in groups if group["weight_decay"] > 0 for parameter in group["params"]}
    expected = {
        id(p) for name, p in run.model.named_parameters() if name.startswith(("blocks", "heads")) and p.ndim > 1
    }
    assert decayed == expected


def test_the_average_follows_the_weights(corpus: Corpus, tmp_path: Path) -> None:
    run = trainer(corpus, tmp_path, replace(TINY, ema_decay=0.9))
    batch = run._batches(run.training_pieces, 0, is_rough=True)[0]
    expected = run.model.heads[0].weight.detach().clone()  # pyright: ignore

    for step in range(1, 4):
        run.train_step(batch)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * run.model.heads[0].weight.detach()  # pyright: ignore

    torch.testing.assert_close(run.average.heads[0].weight, expected)  # pyright: ignore


def test_held_out_losses_are_taken_with_the_true_and_with_another_context(corpus: Corpus, tmp_path: Path) -> None:
    run = trainer(corpus, tmp_path)

    first, again = run.evaluate(), run.evaluate()

    assert first == again
    assert first["held_out_loss"] > 1
    assert first["held_out_loss"] != first["held_out_loss_other_context"]


def test_a_bundle_offers_what_the_corpus_has_enough_of(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lm, "MIN_STEMS_PER_INSTRUMENT", 4)
    run = trainer(corpus, tmp_path / "run")
    run.run(report=quiet)

    manifest = run.write_bundle(tmp_path / "bundle", {"corpus": "toy"})

    loaded = load_bundle(tmp_path / "bundle")
    assert manifest.instruments == ("piano", "bass", "drums")
    assert (manifest.training["steps"], manifest.training["pieces"], manifest.training["corpus"]) == (6, 4, "toy")
    for name, value in run.average.state_dict().items():
        torch.testing.assert_close(loaded.model.state_dict()[name], value, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"size": "huge"}, "no size called 'huge'"), ({"optimizer": "sgd"}, "must be adamw or muon, got 'sgd'")],
)
def test_what_does_not_exist_is_refused(change: dict[str, str], message: str, corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        trainer(corpus, tmp_path, replace(TINY, **change))  # pyright: ignore[reportArgumentType]


@pytest.mark.slow
def test_it_learns_to_listen(tmp_path: Path) -> None:
    corpus = write_toy_corpus(tmp_path / "corpus", num_training=19, num_held_out=3)
    config = replace(
        TINY, num_steps=300, batch_size=16, window_frames=50, evaluate_every=300, num_held_out_batches=4,
        num_warmup_steps=20, learning_rate=5e-3, ema_decay=0.98,
    )  # fmt: skip
    run = trainer(corpus, tmp_path / "run", config)
    before = run.evaluate()

    run.run(report=quiet)

    after = run.evaluate()
    assert after["held_out_loss"] < 0.5 * before["held_out_loss"]
    assert after["held_out_loss"] < after["held_out_loss_other_context"] - 0.2


def test_a_bundle_offers_what_the_corpus_has_enough_of_or_all_of_a_small_one() -> None:
    assert _enough_of(["bass"] * MIN_STEMS_PER_INSTRUMENT + ["drums"] * (MIN_STEMS_PER_INSTRUMENT - 1)) == {"bass"}
    assert _enough_of(["bass", "drums"]) == {"bass", "drums"}
