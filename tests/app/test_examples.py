"""The clips and the finished session that come with the studio."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from app.examples import Example, load_examples
from app.examples.finished import SESSION_FOLDER, load_finished
from app.services import Studio
from app.settings import Settings
from app.starting import start_from_finished
from sessions.tree import WorkState
from stemgen_core.audio import mix_waveforms
from stemgen_core.errors import InvalidRequestError
from tests.app.conftest import OpenStudio
from tests.app.waiting import OWNER

EXAMPLES = list(load_examples().values())


def test_there_are_drums_chords_and_a_melody_to_start_from() -> None:
    assert [example.id for example in EXAMPLES] == ["drums", "chords", "melody"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_each_is_whole_bars_small_and_neither_silent_nor_clipped(example: Example) -> None:
    samples, sample_rate_hz = soundfile.read(example.path)
    tempo_bpm, num_bars = (int(number) for number in re.findall(r"(\d+) (?:BPM|bars)", example.detail))

    num_bars_heard = len(samples) / sample_rate_hz / (4 * 60 / tempo_bpm)

    assert num_bars_heard == pytest.approx(num_bars, rel=0.01)  # the label's tempo is rounded
    assert example.path.stat().st_size < 600_000
    assert 0.3 < abs(samples).max() < 0.99


def test_the_finished_session_becomes_a_visitors_own_copy_with_everything_in_it(open_studio: OpenStudio) -> None:
    with open_studio() as opened:
        studio = replace(opened, finished=load_finished(), examples=load_examples())
        assert studio.finished is not None

        first, second = (start_from_finished(studio, owner) for owner in (OWNER, "f" * 32))

        assert first.session_id != second.session_id
        turns = studio.store.turns(OWNER, first.session_id)
        assert [turn.instrument for turn in turns] == ["bass", "piano", "guitar"]
        variations = [variation for turn in turns for variation in turn.variations]
        assert all(variation.state is WorkState.DONE and variation.num_notes for variation in variations)
        lineage = studio.store.lineage(OWNER, first.id)
        assert len(lineage) == 3
        shapes = {(node.audio.sample_rate_hz, node.audio.num_audio_samples) for node in lineage if node.audio}
        assert len(shapes) == 1  # one rate and one length: they play in sync
        assert (
            mix_waveforms([studio.sounds.read(node.audio) for node in lineage if node.audio]).samples.abs().max() > 0.05
        )
        assert lineage[0].analysis is not None
        assert lineage[0].analysis["num_bars"] == 4


def test_the_finished_session_was_made_by_the_bundled_model() -> None:
    finished = load_finished()
    manifest = json.loads((Settings().bundle_path / "bundle.json").read_text("utf-8"))

    assert finished is not None
    assert finished.content["model_id"] == manifest["model_id"], (
        "make the example session again with the new bundle: python -m app.examples.record"
    )


def test_the_finished_session_is_small() -> None:
    assert sum(path.stat().st_size for path in SESSION_FOLDER.iterdir()) < 1_650_000


def test_without_a_finished_session_none_is_offered(studio: Studio, tmp_path: Path) -> None:
    assert load_finished(tmp_path) is None
    with pytest.raises(InvalidRequestError, match="no finished session"):
        start_from_finished(studio, OWNER)
