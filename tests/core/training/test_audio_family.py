"""The audio family from corpus to stem, in a tiny configuration."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stemgen_core.codec.bands_for_sound import extract_for_sound
from stemgen_core.codec.context_features import NUM_FEATURES
from stemgen_core.codec.encodec import EncodecCodec
from stemgen_core.codec.token_level import at_token_level
from stemgen_core.corpus.storage import Corpus
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.training import lm
from stemgen_core.training.codec import CODEC_TRAINING_PRESETS, train_codec
from stemgen_core.training.families import AudioFamily
from stemgen_core.training.lm import LmTrainer, LmTrainingConfig
from tests.core.tiny_models import tone
from tests.core.toy_corpus import write_toy_corpus

CONFIG = LmTrainingConfig(
    size="tiny", num_steps=3, batch_size=2, window_frames=50, evaluate_every=3, num_held_out_batches=1
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_toy_corpus(tmp_path_factory.mktemp("corpus") / "toy", num_training=2, num_held_out=1)


@pytest.fixture(scope="module")
def codec_path(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = replace(CODEC_TRAINING_PRESETS["tiny"], num_steps=4, held_out_interval=2)
    return train_codec(corpus.folder, tmp_path_factory.mktemp("run"), config).codec_path


def test_a_trained_codec_and_model_make_a_bundle_that_generates(
    corpus: Corpus, codec_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lm, "MIN_STEMS_PER_INSTRUMENT", 1)
    trainer = LmTrainer(AudioFamily(EncodecCodec.load(codec_path)), corpus, tmp_path / "run", CONFIG)
    assert trainer.run(report=lambda _step, _values: None)
    trainer.write_bundle(tmp_path / "bundle", {})

    generator = StemGenerator.load(tmp_path / "bundle")
    context = tone(1.31, 44_100, num_channels=2)
    request = GenerationRequest("bass", 3, SamplingSettings(num_steps=(3, 2), context_guidance_scale=1.5))
    first, again = (generator.generate(context, request) for _ in range(2))

    assert generator.family == "audio"
    assert first.notes is None
    assert first.stem.num_audio_samples == context.num_audio_samples
    assert first.stem.sample_rate_hz == 44_100
    assert torch.equal(first.stem.samples, again.stem.samples)


@pytest.mark.parametrize("index", range(5))
def test_context_and_target_are_codes_of_the_same_codec(corpus: Corpus, codec_path: Path, index: int) -> None:
    codec = EncodecCodec.load(codec_path)
    examples = AudioFamily(codec).batches(corpus.pieces("train"), batch_size=2, window_frames=30, seed=0, is_rough=True)

    batch = examples[index]

    num_frames = batch.codes.shape[2]
    assert 15 <= num_frames <= 30
    assert batch.context.shape == batch.codes.shape == (2, codec.spec.num_codebooks, num_frames)
    assert batch.context.dtype == batch.codes.dtype == torch.int64
    assert batch.levels == (tuple(range(codec.spec.num_codebooks)),) * 2
    for item, place in enumerate(batch.places):
        start = place.start_frame * codec.spec.hop_length
        samples = corpus.pieces("train")[place.piece].audio[place.stem, start : start + num_frames * 640] / 32_768
        levelled = at_token_level(torch.from_numpy(samples).float()[None], 32_000)
        assert torch.equal(batch.codes[item], codec.encode(levelled[None])[0])


def test_a_family_that_hears_bands_cuts_them_from_the_mix_in_tune_where_nothing_is_rough(
    corpus: Corpus, codec_path: Path
) -> None:
    codec = EncodecCodec.load(codec_path)
    options = {"batch_size": 2, "window_frames": 30, "seed": 0, "is_rough": False}
    examples = AudioFamily(codec, "bands").batches(corpus.pieces("train"), **options)
    plain = AudioFamily(codec).batches(corpus.pieces("train"), **options)
    heard = []

    def note(contexts: torch.Tensor, num_frames: int, rng: object) -> torch.Tensor:
        heard.append(contexts)
        return torch.zeros(1, 2, num_frames)

    for index in range(3):
        batch, same = examples[index], plain[index]

        assert batch.context.shape == (2, NUM_FEATURES, 30)
        assert torch.equal(batch.codes, same.codes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plain, "_hear", note)
            plain[index]
        assert torch.equal(batch.context[:1], extract_for_sound(heard[-1][:, 0], 30))
