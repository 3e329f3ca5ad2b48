"""The model that ships."""

import shutil
from pathlib import Path

import pytest
import torch

from stemgen_core.audio import read_audio
from stemgen_core.checkpoint import MANIFEST_NAME, read_manifest
from stemgen_core.codec.protocol import DecodedStem
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.sampling.judge import LISTENER_NAME, ListenerJudge, add_listener
from stemgen_core.sampling.settings import PRESETS
from stemgen_core.score import Note
from stemgen_core.training.families import ScoreFamily
from tests.core.tiny_models import toy_listener

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "bundle"
DRUM_LOOP = ROOT / "app" / "examples" / "drums.flac"


@pytest.fixture(scope="module")
def generator() -> StemGenerator:
    return StemGenerator.load(BUNDLE)


def test_it_is_small_enough_to_ship() -> None:
    sizes = [path.stat().st_size for path in BUNDLE.iterdir()]

    assert sum(sizes) <= 64e6
    assert max(sizes) <= 45e6


def test_the_model_card_is_about_this_model(generator: StemGenerator) -> None:
    assert generator.model_id in (ROOT / "MODEL.md").read_text(encoding="utf-8")


def test_a_listener_beside_it_does_not_make_it_another_model(tmp_path: Path) -> None:
    shutil.copyfile(BUNDLE / MANIFEST_NAME, tmp_path / MANIFEST_NAME)
    toy_listener().save(tmp_path / "listener", {})

    assert read_manifest(BUNDLE).model_id == "score-e877aa2efc57"  # what takes in people's trees name
    assert add_listener(tmp_path, tmp_path / "listener").model_id == "score-e877aa2efc57"


def test_its_listener_judges(generator: StemGenerator) -> None:
    assert isinstance(generator.judge, ListenerJudge)
    assert generator.judge.name in (ROOT / "MODEL.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("late_beats", "expected"), [(0.0, 24.07), (0.15, 3.09), (0.3, 6.60), (0.37, 1.61)])
def test_a_bass_on_the_beat_is_scored_far_above_one_beside_it(
    generator: StemGenerator, late_beats: float, expected: float
) -> None:
    context, beat_s = read_audio(DRUM_LOOP), 60 / 103.6
    starts_s = [beat_s * (beat + late_beats) for beat in range(15)]
    notes = tuple(Note(start_s, 40, 0.8 * beat_s, 90) for start_s in starts_s)

    score = generator.score_stem(context, DecodedStem(context, notes), "bass")

    assert score == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("instrument", ["bass", "piano", "drums"])
def test_it_plays_what_it_is_asked_for(generator: StemGenerator, instrument: str) -> None:
    context = read_audio(DRUM_LOOP)

    result = generator.generate(context, GenerationRequest(instrument, seed=1, settings=PRESETS["fast"]))

    assert result.stem.num_audio_samples == context.num_audio_samples
    assert not result.fit.is_silent
    assert result.stem.samples.abs().max() <= 1.0
    assert result.notes
    if instrument == "bass":
        assert float(torch.tensor([note.pitch for note in result.notes]).float().median()) < 52


def test_a_seed_gives_the_same_samples_again(generator: StemGenerator) -> None:
    context = read_audio(DRUM_LOOP)
    request = GenerationRequest("bass", seed=5, settings=PRESETS["fast"])

    assert torch.equal(
        generator.generate(context, request).stem.samples, generator.generate(context, request).stem.samples
    )


def test_every_instrument_that_is_offered_has_sounds(generator: StemGenerator) -> None:
    from stemgen_core.sound.programs import SOUNDS

    assert set(read_manifest(BUNDLE).instruments) <= set(SOUNDS)
    assert len(generator.instruments) >= 8


def test_a_trained_bundle_takes_the_shipped_sounds_and_listener_along_and_keeps_its_own(tmp_path: Path) -> None:
    (tmp_path / "sounds.json").write_text("own")

    ScoreFamily().write_codec(tmp_path)

    assert (tmp_path / "sounds.sf3").read_bytes() == (BUNDLE / "sounds.sf3").read_bytes()
    assert (tmp_path / LISTENER_NAME).read_bytes() == (BUNDLE / LISTENER_NAME).read_bytes()
    assert (tmp_path / "sounds.json").read_text() == "own"
