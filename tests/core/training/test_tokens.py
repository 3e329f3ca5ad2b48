"""A corpus written as codes once, and the examples cut from the codes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stemgen_core.codec.bands_for_sound import extract_for_sound
from stemgen_core.codec.context_features import NUM_FEATURES
from stemgen_core.codec.encodec import ENCODEC_PRESETS, EncodecCodec
from stemgen_core.codec.token_level import TOKEN_LEVEL_DB
from stemgen_core.conditioning import drop_sources
from stemgen_core.corpus.piece import Piece
from stemgen_core.corpus.storage import Corpus
from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.revision import Revision
from stemgen_core.sampling.settings import PRESETS, SamplingSettings
from stemgen_core.sound.level import scale_to_level
from stemgen_core.sound.programs import choose_sound
from stemgen_core.training import lm, tokens
from stemgen_core.training.codebook import restart_dead_codes
from stemgen_core.training.conditions import conditions_of
from stemgen_core.training.families import AudioFamily
from stemgen_core.training.fine_tuning import family_of
from stemgen_core.training.lm import LmTrainer
from stemgen_core.training.lm_config import LmTrainingConfig
from stemgen_core.training.token_batches import TokenBatches, TokenFamily
from stemgen_core.training.tokens import TokenSettings, tokenise_corpus
from stemgen_core.types import Waveform
from tests.core.toy_corpus import compose, render, write_toy_corpus

SETTINGS = TokenSettings(num_renders=2, num_mixes=3)
WINDOW = 40


def quieter_with_another_seed(piece: Piece, *, is_heldout: bool, **_sound: object) -> np.ndarray:
    """Stand in for FluidSynth: another render is the same at half the level."""
    return 0.5 * render(replace(piece, seed=0)).astype(np.float32) / 32_767


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_toy_corpus(tmp_path_factory.mktemp("corpus") / "toy", num_training=3, num_held_out=1, duration_s=3.0)


@pytest.fixture(scope="module")
def codec() -> EncodecCodec:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        codec = EncodecCodec(ENCODEC_PRESETS["tiny"])
    sounds = torch.stack([torch.from_numpy(stem) for stem in render(compose(5, 3.0))])[:, None].float() / 32_767
    latents = codec.model.get_submodule("encoder")(sounds).detach()
    restart_dead_codes(codec.model.get_submodule("quantizer"), latents, generator=torch.Generator().manual_seed(3))
    return codec


@pytest.fixture(scope="module")
def written(corpus: Corpus, codec: EncodecCodec, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "render_piece", quieter_with_another_seed)
        out = tmp_path_factory.mktemp("tokens") / "toy"
        return tokenise_corpus(iter(corpus.pieces()), corpus, codec, out, SETTINGS)


def load(corpus: Corpus, index: int, number: int) -> dict[str, np.ndarray]:
    return dict(np.load(corpus.folder / "pieces" / f"{index:06d}-r{number}.npz"))


def batches(written: Corpus, *, is_rough: bool = True, batch_size: int = 4) -> TokenBatches:
    return TokenBatches(
        written.pieces("train"),
        num_levels=2,
        num_renders=2,
        batch_size=batch_size,
        window_frames=WINDOW,
        seed=1,
        is_rough=is_rough,
    )


def test_each_piece_has_its_score_and_codes_of_every_render(corpus: Corpus, written: Corpus) -> None:
    assert [piece.index for piece in written.pieces()] == [piece.index for piece in corpus.pieces()]
    for piece in written.pieces():
        assert piece.piece == next(one.piece for one in corpus.pieces() if one.index == piece.index)
        for number in range(2):
            codes = load(written, piece.index, number)
            assert codes["stems"].shape == (3, 2, 150)
            assert codes["mixes"].shape == (3, 2, 150)
            assert codes["heard"].shape == (3, 3)
            assert codes["level"].shape == (3, 150)
            assert codes["stems"].dtype == codes["mixes"].dtype == np.int16


def test_codes_of_a_stem_are_those_of_its_sound_at_the_token_level(
    corpus: Corpus, written: Corpus, codec: EncodecCodec
) -> None:
    entry = corpus.pieces("train")[1]
    sound = scale_to_level(entry.audio[0].astype(np.float32) / 32_768, 32_000, TOKEN_LEVEL_DB)
    expected = codec.encode(torch.from_numpy(np.round(sound * 32_767) / 32_767).float()[None, None])[0]

    # Near ties fall one way or the other with the size of the batch that is encoded at once.
    assert (load(written, entry.index, 0)["stems"][0] == expected.numpy()).mean() > 0.95


def test_how_loud_a_stem_was_is_kept_beside_its_codes_and_not_in_them(written: Corpus) -> None:
    first, second = load(written, 0, 0), load(written, 0, 1)

    assert np.allclose(second["level"], 0.5 * first["level"], atol=1e-3)
    assert (first["stems"] == second["stems"]).mean() > 0.9
    assert len(np.unique(first["stems"])) > 4


def test_every_mix_holds_a_stem_and_leaves_one_out(written: Corpus) -> None:
    for piece in written.pieces():
        for number in range(2):
            heard = load(written, piece.index, number)["heard"]
            assert heard.any(1).all()
            assert not heard.all(1).any()


def test_mixes_differ_from_render_to_render(written: Corpus) -> None:
    assert not np.array_equal(load(written, 0, 0)["mixes"], load(written, 0, 1)["mixes"])


def test_what_is_there_is_not_made_again(corpus: Corpus, written: Corpus, codec: EncodecCodec) -> None:
    times = {path: path.stat().st_mtime_ns for path in (written.folder / "pieces").iterdir()}

    tokenise_corpus(iter(corpus.pieces()), corpus, codec, written.folder, SETTINGS)

    assert {path: path.stat().st_mtime_ns for path in (written.folder / "pieces").iterdir()} == times


def test_codes_of_other_settings_are_not_mixed_in(corpus: Corpus, written: Corpus, codec: EncodecCodec) -> None:
    with pytest.raises(InvalidRequestError, match="another corpus, codec or settings"):
        tokenise_corpus(iter(corpus.pieces()), corpus, codec, written.folder, TokenSettings(3, 3))


def test_a_corpus_of_another_rate_is_refused(corpus: Corpus, codec: EncodecCodec, tmp_path: Path) -> None:
    other = Corpus(corpus.folder, {**corpus.manifest, "sample_rate_hz": 48_000})

    with pytest.raises(InvalidRequestError, match="mono at 32000 Hz, the corpus is mono at 48000 Hz"):
        tokenise_corpus(iter(corpus.pieces()), other, codec, tmp_path, SETTINGS)


def test_recordings_are_not_rendered_again(corpus: Corpus, codec: EncodecCodec, tmp_path: Path) -> None:
    recorded = replace(corpus, manifest={**corpus.manifest, "sources": [{"kind": "composer"}, {"kind": "stems"}]})

    with pytest.raises(InvalidRequestError, match=r"holds recordings.*--renders 1"):
        tokenise_corpus(iter(corpus.pieces()), recorded, codec, tmp_path / "five", SETTINGS)
    once = tokenise_corpus(iter(corpus.pieces()), recorded, codec, tmp_path / "one", TokenSettings(1, 2))

    assert len(once.pieces()) == len(corpus.pieces())


@pytest.mark.parametrize("index", range(20))
def test_a_target_is_never_heard_and_lies_under_its_context(written: Corpus, index: int) -> None:
    batch = batches(written)[index]

    num_frames = batch.codes.shape[2]
    assert WINDOW // 2 <= num_frames <= WINDOW
    assert batch.context.shape == batch.codes.shape == (4, 2, num_frames)
    assert batch.context.dtype == batch.codes.dtype == torch.int64
    for item, place in enumerate(batch.places):
        window = slice(place.start_frame, place.start_frame + num_frames)
        piece = written.pieces("train")[place.piece].index
        renders = [load(written, piece, number) for number in range(2)]
        hits = [
            (render, mix)
            for render in renders
            for mix in range(3)
            if np.array_equal(render["mixes"][mix][:, window], batch.context[item].numpy())
        ]
        assert any(
            not render["heard"][mix][place.stem]
            and np.array_equal(render["stems"][place.stem][:, window], batch.codes[item].numpy())
            for render, mix in hits
        )


def test_a_batch_depends_on_seed_and_number_alone(written: Corpus) -> None:
    first, again, other = batches(written)[3], batches(written)[3], batches(written)[4]

    assert torch.equal(first.codes, again.codes)
    assert torch.equal(first.context, again.context)
    assert first.codes.shape != other.codes.shape or not torch.equal(first.codes, other.codes)


def test_held_out_examples_are_of_the_first_render_and_full_length(written: Corpus) -> None:
    for index in range(6):
        batch = batches(written, is_rough=False)[index]
        assert batch.codes.shape[2] == WINDOW
        for item, place in enumerate(batch.places):
            codes = load(written, written.pieces("train")[place.piece].index, 0)["stems"][place.stem]
            window = slice(place.start_frame, place.start_frame + WINDOW)
            assert np.array_equal(codes[:, window], batch.codes[item].numpy())


def test_conditions_are_those_of_the_targets(written: Corpus) -> None:
    batch = batches(written)[0]

    for item, place in enumerate(batch.places):
        stem = written.pieces("train")[place.piece].piece.stems[place.stem]
        assert batch.conditions["instrument"][item] == {"bass": 4, "piano": 0, "drums": 16}[stem.instrument]


def test_an_odd_batch_is_refused(written: Corpus) -> None:
    with pytest.raises(ValueError, match="multiple of 2, got 3"):
        batches(written, batch_size=3)


def test_a_window_longer_than_the_pieces_is_told(written: Corpus) -> None:
    long = TokenBatches(
        written.pieces("train"), num_levels=2, num_renders=2, batch_size=2, window_frames=999, seed=1, is_rough=False
    )

    with pytest.raises(ValueError, match="found no window of 999 frames"):
        long[0]


def test_codes_of_another_layout_are_refused(written: Corpus, codec: EncodecCodec) -> None:
    told = json.loads((written.folder / "manifest.json").read_text())["tokens"]
    told["spec"]["codebook_size"] = 2048

    with pytest.raises(InvalidRequestError, match="codes of"):
        TokenFamily(codec, told)


def test_a_language_model_trains_on_codes_alone(written: Corpus, codec: EncodecCodec, tmp_path: Path) -> None:
    config = LmTrainingConfig(
        size="tiny", num_steps=2, batch_size=2, window_frames=WINDOW, evaluate_every=2, num_held_out_batches=1
    )
    trainer = LmTrainer(TokenFamily(codec, written.manifest["tokens"]), written, tmp_path / "run", config)

    assert trainer.run(report=lambda _step, _values: None)

    assert trainer.write_bundle(tmp_path / "bundle", {}).family == "audio"
    assert not list(written.folder.rglob("*.npy"))


@pytest.fixture(scope="module")
def with_bands(corpus: Corpus, codec: EncodecCodec, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    out = tmp_path_factory.mktemp("bands") / "toy"
    return tokenise_corpus(iter(corpus.pieces()), corpus, codec, out, TokenSettings(1, 2, hearing="bands"))


def test_where_bands_are_heard_mixes_are_written_as_bands_and_stems_as_codes(
    written: Corpus, with_bands: Corpus
) -> None:
    assert with_bands.manifest["tokens"]["hearing"] == "bands"
    for piece in with_bands.pieces():
        render = load(with_bands, piece.index, 0)
        assert render["mixes"].dtype == np.float16
        assert render["mixes"].shape == (2, NUM_FEATURES, 150)
        assert np.isfinite(render["mixes"]).all()
        assert np.ptp(render["mixes"].astype(float)) > 0.5
        assert (render["stems"] == load(written, piece.index, 0)["stems"]).mean() > 0.95


@pytest.mark.parametrize("tuning_cents", [0.0, 30.0])
def test_bands_of_a_mix_are_those_of_the_sum_of_its_stems_in_the_tuning_that_was_drawn(
    corpus: Corpus, codec: EncodecCodec, tmp_path: Path, tuning_cents: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "roughen_channels", lambda mix, _rate_hz, _rng: mix)
        patch.setattr(tokens, "TUNINGS_CENTS", (tuning_cents,))
        patch.setattr(tokens, "MAX_GAIN_DB", 0.0)
        plain = tokenise_corpus(
            iter(corpus.pieces()), corpus, codec, tmp_path / "plain", TokenSettings(1, 2, hearing="bands")
        )
    for entry in corpus.pieces():
        render = load(plain, entry.index, 0)
        for mix, heard in zip(render["mixes"], render["heard"], strict=True):
            sound = torch.from_numpy(entry.audio[heard].astype(np.float32).sum(0) / 32_768)[None]
            expected = extract_for_sound(sound, 150, tuning_cents=tuning_cents)[0]
            assert np.allclose(mix, expected, atol=0.02)


def test_a_model_that_hears_bands_trains_makes_a_bundle_and_generates(
    with_bands: Corpus, codec: EncodecCodec, tmp_path: Path
) -> None:
    config = LmTrainingConfig(
        size="tiny", num_steps=2, batch_size=2, window_frames=WINDOW, evaluate_every=2, num_held_out_batches=1
    )
    family = TokenFamily(codec, with_bands.manifest["tokens"])
    batch = family.batches(with_bands.pieces("train"), batch_size=2, window_frames=WINDOW, seed=0, is_rough=False)[0]
    assert batch.context.dtype == torch.float32
    trainer = LmTrainer(family, with_bands, tmp_path / "run", config)
    assert trainer.run(report=lambda _step, _values: None)
    manifest = trainer.write_bundle(tmp_path / "bundle", {})

    generator = StemGenerator.load(tmp_path / "bundle")
    sound = Waveform(0.1 * torch.randn(1, 48_000, generator=torch.Generator().manual_seed(0)), 44_100)
    request = GenerationRequest(generator.instruments[0].name, seed=3, settings=PRESETS["fast"])
    result = generator.generate(sound, request)

    assert manifest.config.context_codec == "bands-pulse-50hz-v1"
    assert result.stem.num_audio_samples == 48_000
    assert torch.equal(generator.generate(sound, request).stem.samples, result.stem.samples)
    assert family_of(tmp_path / "bundle", manifest).model_config("tiny") == manifest.config


def test_bands_are_refused_where_the_codec_has_other_frames(
    corpus: Corpus, codec: EncodecCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec, "spec", replace(codec.spec, hop_length=320))

    with pytest.raises(InvalidRequestError, match=r"Bands are heard in mono at 32000 Hz, 640 audio samples a frame"):
        tokenise_corpus(iter(corpus.pieces()), corpus, codec, tmp_path, TokenSettings(1, 2, hearing="bands"))


def test_the_seed_chooses_the_sound_that_a_model_of_sound_is_told(
    with_bands: Corpus, codec: EncodecCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = LmTrainingConfig(size="tiny", num_steps=1, batch_size=2, window_frames=WINDOW, num_held_out_batches=1)
    trainer = LmTrainer(TokenFamily(codec, with_bands.manifest["tokens"]), with_bands, tmp_path / "run", config)
    trainer.write_bundle(tmp_path / "bundle", {})
    loaded = StemGenerator.load(tmp_path / "bundle")
    told, asked = [], []
    run = type(loaded.bundle.model).forward

    def spy(model: StemTransformer, context: torch.Tensor, codes: torch.Tensor, conditions: Any, *rest: Any) -> Any:
        told.append(conditions["sound"].tolist())
        return run(model, context, codes, conditions, *rest)

    monkeypatch.setattr(type(loaded.bundle.model), "forward", spy)
    sound = Waveform(0.1 * torch.randn(1, 32_000, generator=torch.Generator().manual_seed(0)), 32_000)
    for seed in range(6):
        told.clear()
        request = GenerationRequest("drums", seed=seed, settings=SamplingSettings(num_steps=(2, 1)))
        loaded.generate(sound, request, is_scored=False)
        asked.append(choose_sound("drums", seed).program + 128)
        assert told
        assert all(values == [asked[-1]] for values in told)
    assert len(set(asked)) > 1

    told.clear()  # part of a stem is made again with the sound that the stem has
    again = Revision(sound, None, 0.2, 0.6, sound_seed=0)
    request = GenerationRequest("drums", seed=99, settings=SamplingSettings(num_steps=(2, 1)), revision=again)
    loaded.generate(sound, request, is_scored=False)
    assert all(values == [asked[0]] for values in told)


def test_the_sound_is_hidden_as_seldom_as_the_instrument_and_genres_more_often(
    with_bands: Corpus, codec: EncodecCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def spy(*args: Any, **options: Any) -> Any:
        asked.append((options["dropout"], options["field_dropout"]))
        return drop_sources(*args, **options)

    monkeypatch.setattr(lm, "drop_sources", spy)
    config = LmTrainingConfig(size="tiny", num_steps=1, batch_size=2, window_frames=WINDOW, num_held_out_batches=1)
    trainer = LmTrainer(TokenFamily(codec, with_bands.manifest["tokens"]), with_bands, tmp_path / "run", config)
    trainer.run(report=lambda _step, _values: None)

    assert asked[0] == (config.condition_dropout, {"genre": 0.5, "stem_category": 0.5})


def test_with_bands_the_first_level_is_trained_as_often_as_the_others_together(codec: EncodecCodec) -> None:
    assert AudioFamily(codec, "bands").first_level_share == 0.5
    assert AudioFamily(codec).first_level_share is None  # all alike, as in the paper


def test_stems_are_told_apart_by_program_and_kits_from_programs(with_bands: Corpus) -> None:
    piece = with_bands.pieces()[0].piece
    drums = replace(piece.stems[0], instrument="drums", program=25)
    bass = replace(piece.stems[0], instrument="bass", program=33)

    assert conditions_of(piece, drums)["sound"] == 128 + 25
    assert conditions_of(piece, bass)["sound"] == 33
