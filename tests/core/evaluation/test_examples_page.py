"""The page of examples: what is on it can be heard and seen, and it asks nobody for anything."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from stemgen_core.corpus.storage import Corpus
from stemgen_core.evaluation.examples_page import ExamplesPage, write_examples
from stemgen_core.evaluation.experiments.clips import Clip
from stemgen_core.generator import GenerationRequest, GenerationResult, StemGenerator
from stemgen_core.sampling.settings import PRESETS
from stemgen_core.types import Waveform
from tests.core.listening_sounds import random_piece, waveform
from tests.core.tiny_models import write_score_bundle
from tests.core.toy_corpus import write_toy_corpus

SETTINGS = replace(PRESETS["fast"], num_steps=(2, 1))


class SpectralGenerator:
    """A model of the audio family by its looks: its stems have no notes."""

    def __init__(self, model: StemGenerator) -> None:
        self._model = model
        self.model_id, self.instruments = "<odd> & id", model.instruments

    def generate(self, context: Waveform, request: GenerationRequest) -> GenerationResult:
        return replace(self._model.generate(context, request), notes=None)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> StemGenerator:
    folder = tmp_path_factory.mktemp("bundle")
    write_score_bundle(folder, window_frames=250)
    return StemGenerator.load(folder)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_toy_corpus(tmp_path_factory.mktemp("corpus") / "toy", num_training=0, num_held_out=2, duration_s=11.0)


@pytest.mark.slow
def test_the_page_has_everything_it_names_and_asks_nobody(model: StemGenerator, corpus: Corpus, tmp_path: Path) -> None:
    clip = Clip("tune", waveform(random_piece(1, 4.0)[0]), is_pitched=True)
    page = ExamplesPage(tmp_path, model, SETTINGS)

    path = write_examples(
        page, pieces=corpus.pieces("heldout"), clips=[clip], num_examples=2, command="stemgen examples x"
    )

    html = path.read_text(encoding="utf-8")
    named = set(re.findall(r'src="([^"]+)"', html))
    assert named == {file.name for file in tmp_path.iterdir()} - {"index.html"}
    # Two test-set examples of three sounds; a start and four stems (two of them of turn 1) with their mixes.
    assert len(named) == 2 * 3 + 1 + 4 * 2
    assert html.count("<svg") == 6
    assert "<script" not in html
    assert not re.search(r'(src|href)="(https?:)?//', html)
    assert model.model_id in html
    heard = soundfile.info(str(tmp_path / "tune-1-mix.mp3"))
    assert heard.frames / heard.samplerate == pytest.approx(4.0, abs=0.1)
    assert heard.channels == 1


def test_a_stem_without_notes_gets_a_spectrogram_and_names_are_escaped(model: StemGenerator, tmp_path: Path) -> None:
    page = ExamplesPage(tmp_path, SpectralGenerator(model), SETTINGS)  # pyright: ignore[reportArgumentType]
    page.add_clip(Clip("a&b", waveform(random_piece(1, 2.0)[0]), is_pitched=False))

    html = page.write(command="stemgen <examples>").read_text(encoding="utf-8")

    assert (tmp_path / "a&b-1.png").read_bytes().startswith(b"\x89PNG")
    assert 'src="a&amp;b-1.png"' in html
    assert "&lt;odd&gt; &amp; id" in html
    assert "stemgen &lt;examples&gt;" in html


def test_what_was_recorded_live_stands_on_the_page_with_its_picture(model: StemGenerator, tmp_path: Path) -> None:
    for name in ("live-lofi", "live-techno"):
        soundfile.write(tmp_path / f"{name}.ogg", random_piece(1, 2.0)[0].T, 32_000)
    page = ExamplesPage(tmp_path / "page", model, SETTINGS)

    path = write_examples(
        page, pieces=[], clips=[], num_examples=0, command="x", recordings=sorted(tmp_path.glob("*.ogg"))
    )

    html = path.read_text(encoding="utf-8")
    named = re.findall(r'src="([^"]+)"', html)
    assert named == ["live-lofi.ogg", "live-lofi.png", "live-techno.ogg", "live-techno.png"]
    assert all((tmp_path / "page" / file).stat().st_size > 500 for file in named)
    assert "Played live" in html
