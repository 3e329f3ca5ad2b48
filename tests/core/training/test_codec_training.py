"""`train codec` end to end in a tiny configuration."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stemgen_core.codec.codec_files import WEIGHTS_FILE
from stemgen_core.codec.encodec import EncodecCodec
from stemgen_core.errors import CheckpointError, InvalidRequestError
from stemgen_core.training.codec import train_codec_on
from stemgen_core.training.encodec_run import ENCODEC_TRAINING_PRESETS, EncodecTrainingConfig

TINY = ENCODEC_TRAINING_PRESETS["tiny"]


@dataclass
class Tones:
    """Draws tones of random pitch: audio from nothing."""

    sample_rate_hz: int = 32_000
    num_channels: int = 1

    def draw(self, num_windows: int, window_length: int, *, generator: torch.Generator) -> torch.Tensor:
        pitches_hz = 110 * 2 ** (torch.rand(num_windows, 1, 1, generator=generator) * 3)
        seconds = torch.arange(window_length) / self.sample_rate_hz
        return 0.3 * (2 * torch.pi * pitches_hz * seconds).sin()  # [B, 1, L]


@dataclass
class OneBatch(Tones):
    """Draws the same batch whatever it is asked with."""

    def draw(self, num_windows: int, window_length: int, *, generator: torch.Generator) -> torch.Tensor:
        return super().draw(num_windows, window_length, generator=torch.Generator().manual_seed(5))


def log_of(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@dataclass
class StopAtQuestion:
    """Asks to stop at the n-th question."""

    remaining: int

    def __call__(self) -> bool:
        self.remaining -= 1
        return self.remaining <= 0


def test_it_overfits_one_batch(tmp_path: Path) -> None:
    config = replace(TINY, num_steps=150, held_out_interval=150, checkpoint_interval=150, learning_rate=1e-2)

    train_codec_on(OneBatch(), OneBatch(), tmp_path, config)

    losses = [line["loss"] for line in log_of(tmp_path)]
    assert sum(losses[-5:]) / 5 < 0.5 * sum(losses[:5]) / 5


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = train_codec_on(Tones(), Tones(), tmp_path / "whole", TINY)

    first = train_codec_on(Tones(), Tones(), tmp_path / "parts", TINY, should_stop=StopAtQuestion(7))
    second = train_codec_on(Tones(), Tones(), tmp_path / "parts", TINY)

    assert (first.step, first.is_finished, second.step, second.is_finished) == (7, False, 20, True)
    assert log_of(tmp_path / "parts") == log_of(tmp_path / "whole")
    assert second.held_out_loss == whole.held_out_loss
    checkpoint = "checkpoint-00000020/state.safetensors"
    ours, theirs = load_file(tmp_path / "parts" / checkpoint), load_file(tmp_path / "whole" / checkpoint)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_steps_after_the_last_checkpoint_are_done_again_without_a_seam_in_the_log(tmp_path: Path) -> None:
    train_codec_on(Tones(), Tones(), tmp_path / "whole", TINY)
    killed = replace(TINY, checkpoint_interval=1000)
    train_codec_on(Tones(), Tones(), tmp_path / "killed", killed, should_stop=StopAtQuestion(4))
    with (tmp_path / "killed" / "log.jsonl").open("a") as log:
        log.write('{"step": 5, "loss": 1.0}\n{"step": 6, "lo')  # a kill in the middle of a line

    train_codec_on(Tones(), Tones(), tmp_path / "killed", killed)

    assert log_of(tmp_path / "killed") == log_of(tmp_path / "whole")


def test_the_run_ends_in_a_codec_that_loads_and_only_in_plain_files(tmp_path: Path) -> None:
    result = train_codec_on(Tones(), Tones(), tmp_path, TINY)

    codec = EncodecCodec.load(result.codec_path)

    assert codec.encode(torch.zeros(1, 1, 640)).shape == (1, 2, 1)
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".jsonl", ".safetensors"}
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-00000020"]


def test_the_best_codec_is_kept_not_the_last(tmp_path: Path) -> None:
    ruinous = replace(TINY, learning_rate=1e-3, held_out_interval=10)
    train_codec_on(Tones(), Tones(), tmp_path, ruinous, should_stop=StopAtQuestion(10))
    best = load_file(tmp_path / "codec" / WEIGHTS_FILE)
    state = json.loads((tmp_path / "checkpoint-00000010" / "state.json").read_text())
    state["facts"]["held_out_loss"] = 0.0  # nothing that follows can be better
    (tmp_path / "checkpoint-00000010" / "state.json").write_text(json.dumps(state))

    train_codec_on(Tones(), Tones(), tmp_path, ruinous)

    kept = load_file(tmp_path / "codec" / WEIGHTS_FILE)
    assert all(torch.equal(kept[name], best[name]) for name in best)


def test_held_out_lines_tell_the_loss_and_the_use_of_each_codebook(tmp_path: Path) -> None:
    train_codec_on(Tones(), Tones(), tmp_path, TINY)

    judged = [line for line in log_of(tmp_path) if "held_out_loss" in line]

    assert [line["step"] for line in judged] == [10, 20]
    assert all(0 < share <= 1 for line in judged for share in line["codebook_usage"])  # pyright: ignore
    assert all(len(line["codebook_usage"]) == 2 for line in judged)  # pyright: ignore[reportArgumentType]


def test_progress_is_reported_after_each_step(tmp_path: Path) -> None:
    steps: list[int] = []

    train_codec_on(Tones(), Tones(), tmp_path, TINY, report_progress=lambda step, _loss: steps.append(step))

    assert steps == list(range(1, 21))


@pytest.mark.parametrize("change", [{"seed": 1}, {"learning_rate": 0.5}])
def test_a_run_is_not_resumed_with_another_configuration(tmp_path: Path, change: dict[str, float]) -> None:
    train_codec_on(Tones(), Tones(), tmp_path, TINY, should_stop=StopAtQuestion(1))

    with pytest.raises(CheckpointError, match="holds a run with another configuration"):
        train_codec_on(Tones(), Tones(), tmp_path, replace(TINY, **change))  # pyright: ignore[reportArgumentType]


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    train_codec_on(Tones(), Tones(), tmp_path, TINY, should_stop=StopAtQuestion(1))
    (tmp_path / "checkpoint-00000001" / "state.safetensors").write_bytes(b"nonsense")

    with pytest.raises(CheckpointError, match="checkpoint-00000001 cannot be read"):
        train_codec_on(Tones(), Tones(), tmp_path, TINY)


def test_audio_of_another_rate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="The codec is for 32000 Hz, the audio has 44100 Hz"):
        train_codec_on(Tones(44_100), Tones(), tmp_path, TINY)


def test_training_leaves_the_global_random_state_alone(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1234)
        before = torch.get_rng_state()

        train_codec_on(Tones(), Tones(), tmp_path, TINY)

        assert torch.equal(torch.get_rng_state(), before)


def test_the_rate_rises_to_its_peak_then_falls_to_a_tenth(tmp_path: Path) -> None:
    train_codec_on(Tones(), Tones(), tmp_path, TINY)

    rates = [line["learning_rate"] for line in log_of(tmp_path)]

    assert rates[:3] == pytest.approx([1.5e-3, 3e-3, 3e-3])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert 0.1 * 3e-3 <= rates[-1] < 0.11 * 3e-3


def test_a_window_is_a_whole_number_of_frames() -> None:
    assert EncodecTrainingConfig(window_s=0.985).window_length == 49 * 640


def test_an_adversary_joins_in_after_its_share_of_the_steps_and_a_resumed_run_remembers_it(tmp_path: Path) -> None:
    config = replace(TINY, adversary_from=0.5)
    whole = train_codec_on(Tones(), Tones(), tmp_path / "whole", config)
    train_codec_on(Tones(), Tones(), tmp_path / "parts", config, should_stop=StopAtQuestion(14))
    train_codec_on(Tones(), Tones(), tmp_path / "parts", config)

    log = log_of(tmp_path / "whole")
    assert ["adversary" in line for line in log] == [False] * 10 + [True] * 10
    assert log_of(tmp_path / "parts") == log
    assert len({line["adversary"] for line in log[10:]}) == 10  # it learns
    assert EncodecCodec.load(whole.codec_path).encode(torch.zeros(1, 1, 640)).shape == (1, 2, 1)


def test_what_an_adversary_trained_is_kept_though_it_is_less_close(tmp_path: Path) -> None:
    config = replace(TINY, adversary_from=0.5)
    train_codec_on(Tones(), Tones(), tmp_path, config, should_stop=StopAtQuestion(10))
    state = json.loads((tmp_path / "checkpoint-00000010" / "state.json").read_text())
    state["facts"]["held_out_loss"] = 0.0
    (tmp_path / "checkpoint-00000010" / "state.json").write_text(json.dumps(state))

    assert train_codec_on(Tones(), Tones(), tmp_path, config).held_out_loss != 0.0


def test_frozen_tokens_stay_while_the_decoder_moves(tmp_path: Path) -> None:
    first = train_codec_on(Tones(), Tones(), tmp_path / "first", TINY)
    config = replace(TINY, has_frozen_tokens=True, adversary_from=0.2, seed=3)

    second = train_codec_on(Tones(), Tones(), tmp_path / "second", config, start_from=first.codec_path)

    before, after = EncodecCodec.load(first.codec_path), EncodecCodec.load(second.codec_path)
    sound = Tones().draw(2, 6_400, generator=torch.Generator().manual_seed(9))
    codes = before.encode(sound)
    assert torch.equal(after.encode(sound), codes)
    assert torch.equal(after.codebooks, before.codebooks)
    assert not torch.allclose(after.decode(codes), before.decode(codes))


def test_a_codec_of_other_sizes_is_no_start(tmp_path: Path) -> None:
    first = train_codec_on(Tones(), Tones(), tmp_path / "first", TINY)
    config = replace(TINY, codec=replace(TINY.codec, latent_dim=4))

    with pytest.raises(CheckpointError, match="other sizes"):
        train_codec_on(Tones(), Tones(), tmp_path / "second", config, start_from=first.codec_path)
