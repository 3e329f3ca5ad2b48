"""Stereo at 48 kHz from a folder of stems to a stem, in a tiny configuration: corpus, codec, codes, model, sound."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stemgen_core.audio import write_wav
from stemgen_core.cli.main import main
from stemgen_core.codec.encodec import ENCODEC_PRESETS, EncodecCodec
from stemgen_core.corpus.storage import Corpus
from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.training import lm
from stemgen_core.training.families import AudioFamily, ScoreFamily
from stemgen_core.training.lm import LmTrainer, LmTrainingConfig
from stemgen_core.training.reconstruction import ReconstructionLoss, ReconstructionWeights
from stemgen_core.types import SoundFormat
from tests.core.tiny_models import tone
from tests.core.toy_stems import write_plain_songs

SOUND = SoundFormat(48_000, 2)
LM = ["--size", "tiny", "--batch-size", "2", "--window-frames", "50", "--steps", "2", "--evaluate-every", "99"]


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("stereo")
    stems = write_plain_songs(folder / "stems", num_channels=2)
    size = ("--pieces", 20, "--seconds", 3, "--source", f"stems:{stems}")
    run("synthesize", folder / "corpus", *size, "--rate", 48_000, "--channels", 2)
    return Corpus.open(folder / "corpus")


@pytest.fixture(scope="module")
def codec_path(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("codec")
    run("train", "codec", corpus.folder, folder / "run", "--config", "tiny_stereo", "--steps", 2)
    return folder / "run" / "codec"


@pytest.fixture(scope="module")
def bundle(corpus: Corpus, codec_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm")
    run("train", "tokens", corpus.folder, codec_path, folder / "tokens", "--renders", 1, "--mixes", 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lm, "MIN_STEMS_PER_INSTRUMENT", 1)
        run("train", "lm", folder / "tokens", folder / "run", "--codec", codec_path, *LM, "--bundle", folder / "bundle")
    return folder / "bundle"


def test_a_corpus_keeps_both_sides_of_stems_at_its_own_rate(corpus: Corpus) -> None:
    entry = corpus.pieces("train")[0]
    bass = next(number for number, stem in enumerate(entry.piece.stems) if stem.instrument == "bass")

    left, right = np.sqrt(np.square(entry.channels[bass].astype(float)).mean(1))

    assert corpus.sound == SOUND
    assert entry.channels.shape == (len(entry.piece.stems), 2, 3 * 48_000)
    assert left / right == pytest.approx(0.2, abs=0.01)  # as it was written
    assert entry.audio.shape == (len(entry.piece.stems), 3 * 48_000)


def test_a_stem_is_stereo_at_48_khz_from_the_command_line(bundle: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "context.wav", tone(1.5, 48_000, num_channels=2))

    run(
        "generate",
        tmp_path / "context.wav",
        "--instrument",
        "bass",
        "--model",
        bundle,
        "--out",
        tmp_path,
        "--steps",
        "2,1",
    )

    for name in ("stem-1.wav", "mix-1.wav"):
        assert (soundfile.info(tmp_path / name).samplerate, soundfile.info(tmp_path / name).channels) == (48_000, 2)
    assert soundfile.info(tmp_path / "stem-1.wav").frames == 72_000


@pytest.mark.parametrize(("rate_hz", "num_channels"), [(48_000, 2), (44_100, 1), (32_000, 2)])
def test_whatever_the_context_is_the_stem_has_both_sides_and_its_length(
    bundle: Path, rate_hz: int, num_channels: int
) -> None:
    generator = StemGenerator.load(bundle)
    context = tone(1.3, rate_hz, num_channels=num_channels)

    stem = generator.generate(context, GenerationRequest("bass", 1, SamplingSettings(num_steps=(2, 1)))).stem

    assert stem.samples.shape == (2, context.num_audio_samples)
    assert stem.sample_rate_hz == rate_hz


def test_a_model_is_given_both_sides_of_what_it_hears_and_one_that_is_mono_twice(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = StemGenerator.load(bundle)
    given: list[torch.Tensor] = []
    encode = EncodecCodec.encode
    monkeypatch.setattr(EncodecCodec, "encode", lambda codec, sound: (given.append(sound), encode(codec, sound))[1])
    left = tone(1.0, 48_000, num_channels=2)
    left.samples[1] = 0

    for context in (left, tone(1.0, 48_000)):
        generator._hear(context)

    assert given[0][0, 0].abs().max() > 0.1
    assert given[0][0, 1].abs().max() == 0
    assert torch.equal(given[1][0, 0], given[1][0, 1])


def test_examples_cut_from_sound_are_the_codecs_own_codes_of_both_sides(corpus: Corpus, codec_path: Path) -> None:
    family = AudioFamily(EncodecCodec.load(codec_path))
    pieces = corpus.pieces("train")

    batch = family.batches(pieces, batch_size=2, window_frames=50, seed=0, is_rough=True)[0]

    assert batch.context.shape == batch.codes.shape
    assert batch.codes.shape[:2] == (2, 2)


def test_a_corpus_of_another_format_is_refused_with_the_command_that_makes_the_right_one(
    corpus: Corpus, tmp_path: Path
) -> None:
    config = LmTrainingConfig(size="tiny", batch_size=2)

    with pytest.raises(
        InvalidRequestError, match=r"is stereo at 48000 Hz, the model needs mono at 32000 Hz.* --rate 32"
    ):
        LmTrainer(ScoreFamily(), corpus, tmp_path / "run", config)
    with pytest.raises(InvalidRequestError, match="needs mono at 32000 Hz"):
        LmTrainer(AudioFamily(EncodecCodec(ENCODEC_PRESETS["tiny"])), corpus, tmp_path / "run", config)


def test_a_codec_for_other_channels_than_the_corpus_has_is_told(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "codec", str(corpus.folder), str(tmp_path / "run"), "--config", "tiny"]) == 1

    assert "The codec is for 1 channels, the audio has 2" in capsys.readouterr().err


def test_what_is_lost_of_the_width_counts_beside_what_is_lost_of_the_sides() -> None:
    loss = ReconstructionLoss(48_000, ReconstructionWeights())
    noise = torch.randn(1, 1, 9_600, generator=torch.Generator().manual_seed(0))
    wide = torch.cat([noise, -noise], 1)

    same, narrow = loss(wide, wide)["total"], loss(torch.cat([noise, noise], 1), wide)["log_mel"]

    assert same == 0
    assert narrow > 0.5  # each side alone is as loud as it was
