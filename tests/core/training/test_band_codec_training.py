"""`train codec --config bands` end to end in a tiny configuration."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stemgen_core.codec.band_codec import BandCodec, spectrum_of, to_logarithms
from stemgen_core.codec.token_level import at_token_level
from stemgen_core.errors import CheckpointError, InvalidRequestError
from stemgen_core.training.band_run import BAND_TRAINING_PRESETS, fit_codebooks
from stemgen_core.training.codec import train_codec_on
from tests.core.training.test_codec_training import StopAtQuestion, Tones

TINY = BAND_TRAINING_PRESETS["tiny-bands"]


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]


def test_codebooks_find_the_clusters_that_are_there() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = 10 * torch.randn(8, 6, generator=generator)
    rows = centres.repeat(100, 1) + 0.01 * torch.randn(800, 6, generator=generator)

    entries = fit_codebooks(rows, num_codebooks=1, codebook_size=32, num_rounds=20, generator=generator)[0]

    assert torch.cdist(centres, entries).amin(1).max() < 0.05


def test_each_level_leaves_less() -> None:
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(2000, 8, generator=generator)

    codebooks = fit_codebooks(rows, num_codebooks=3, codebook_size=16, num_rounds=8, generator=generator)

    left = [float(rows.square().mean())]
    for codebook in codebooks:
        rows = rows - codebook[torch.cdist(rows, codebook).argmin(1)]
        left.append(float(rows.square().mean()))
    assert left == sorted(left, reverse=True)
    assert left[1] < 0.8 * left[0]


def test_the_decoder_learns_of_tones_what_its_linear_map_does_not_know(tmp_path: Path) -> None:
    sizes = replace(TINY.codec, width=32)
    config = replace(TINY, codec=sizes, num_steps=200, batch_size=8, held_out_interval=200, checkpoint_interval=200)

    result = train_codec_on(Tones(), Tones(), tmp_path, config)

    assert result.is_finished
    codec = BandCodec.load(result.codec_path)
    tones = Tones().draw(64, config.window_length, generator=torch.Generator().manual_seed(5))
    tones = torch.stack([at_token_level(one, config.codec.sample_rate_hz) for one in tones])
    levels = codec.levels_of(codec.encode(tones))
    wanted = to_logarithms(spectrum_of(tones, config.codec.hop_length))
    with torch.no_grad():
        learned = float((codec.decoder(levels) - wanted).abs().mean())
        codec.decoder.leave.weight.zero_()
        codec.decoder.leave.bias.zero_()
        solved = float((codec.decoder(levels) - wanted).abs().mean())
    assert learned < 0.95 * solved
    assert codec.decode(codec.encode(tones)).isfinite().all()


def test_a_run_begins_with_the_linear_map_that_errs_least(tmp_path: Path) -> None:
    config = replace(TINY, num_steps=1, learning_rate=0.0, held_out_interval=1, num_codebook_windows=64)
    codec = BandCodec.load(train_codec_on(Tones(), Tones(), tmp_path, config).codec_path)
    tones = Tones().draw(64, config.window_length, generator=torch.Generator().manual_seed(5))
    levelled = torch.stack([at_token_level(one, config.codec.sample_rate_hz) for one in tones])
    wanted = to_logarithms(spectrum_of(levelled, config.codec.hop_length))

    error = (codec.decoder(codec.levels_of(codec.encode(levelled))) - wanted).square().mean()

    assert error < 0.5 * (wanted - wanted.mean((0, 2), keepdim=True)).square().mean()


def test_a_corpus_can_be_written_before_the_decoder_is_trained(tmp_path: Path) -> None:
    first = train_codec_on(Tones(), Tones(), tmp_path, TINY, should_stop=StopAtQuestion(1))
    assert first.held_out_loss is None
    before = BandCodec.load(first.codec_path)

    after = BandCodec.load(train_codec_on(Tones(), Tones(), tmp_path, TINY).codec_path)

    assert torch.equal(before.codebooks, after.codebooks)
    assert torch.equal(before.decoder.direct.weight, after.decoder.direct.weight)
    assert not torch.equal(before.decoder.leave.weight, after.decoder.leave.weight)


def test_a_resumed_run_is_the_run_that_was_never_stopped(tmp_path: Path) -> None:
    whole = train_codec_on(Tones(), Tones(), tmp_path / "whole", TINY)
    stopped = train_codec_on(Tones(), Tones(), tmp_path / "parts", TINY, should_stop=StopAtQuestion(7))
    resumed = train_codec_on(Tones(), Tones(), tmp_path / "parts", TINY)

    assert (stopped.step, stopped.is_finished, resumed.step) == (7, False, TINY.num_steps)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    first, second = BandCodec.load(whole.codec_path), BandCodec.load(resumed.codec_path)
    assert torch.equal(first.codebooks, second.codebooks)
    assert all(torch.equal(a, b) for a, b in zip(first.decoder.parameters(), second.decoder.parameters(), strict=True))


def test_another_run_or_another_rate_is_refused(tmp_path: Path) -> None:
    train_codec_on(Tones(), Tones(), tmp_path, TINY)

    with pytest.raises(CheckpointError, match="another configuration"):
        train_codec_on(Tones(), Tones(), tmp_path, replace(TINY, seed=1))
    with pytest.raises(InvalidRequestError, match="32000 Hz, the audio has 16000 Hz"):
        train_codec_on(Tones(16_000), Tones(16_000), tmp_path / "slow", TINY)
