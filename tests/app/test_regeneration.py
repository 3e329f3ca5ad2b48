"""A take made again from its row says whether it is the same, and brings its lost file back."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from app.commands import upkeep
from app.commands.main import main
from app.orders import StemOrder
from app.regeneration import Regeneration, Sameness, regenerate
from app.row_requests import request_from_row, settings_from_row
from app.services import Studio
from sessions.tree import Node, Turn
from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import GenerationRequest, GenerationResult
from stemgen_core.types import Waveform
from tests.app.conftest import OpenStudio
from tests.app.waiting import OWNER, finished
from tests.generators import Caller, EchoGenerator


@dataclass
class SeedLevelGenerator(EchoGenerator):
    """Answers with the context at a level that its seed, settings and instrument set; `drift` changes it."""

    model_id: str = "seed-level"
    drift: float = 0.0

    def play(self, context: Waveform, request: GenerationRequest, caller: Caller) -> GenerationResult:
        level = 0.1 + 0.01 * (request.seed % 50) + 0.001 * request.settings.num_steps[0] + self.drift
        level += 0.0001 * len(request.instrument)
        result = super().play(context, request, caller)
        stem = Waveform(context.samples * level, context.sample_rate_hz)
        return GenerationResult(stem, result.notes, self.model_id, 0.01, result.fit)


@dataclass(frozen=True)
class Take:
    studio: Studio
    turn: Turn

    def again(self, generator: EchoGenerator | None = None, at: int = 0) -> Regeneration:
        return regenerate(
            self.turn,
            self.turn.variations[at],
            self.studio.store.lineage(OWNER, self.turn.node_id),
            generator=generator or SeedLevelGenerator(),
            sounds=self.studio.sounds,
            build_request=request_from_row,
        )


@pytest.fixture
def take(open_studio: OpenStudio) -> object:
    """Yield a turn of two takes on top of a stem, so that the lineage matters."""
    with open_studio(SeedLevelGenerator()) as studio:
        context: Node = studio.start_from_example(OWNER, "loop")
        first = finished(studio, studio.request_stem(OWNER, context.id, StemOrder("drums", 1, "fast", 3)).id)
        stem = studio.pick(OWNER, first.variations[0].id)
        turn = finished(studio, studio.request_stem(OWNER, stem.id, StemOrder("bass", 2, "balanced", 7)).id)
        yield Take(studio, turn)


def _file(take: Take) -> Path:
    audio = take.turn.variations[0].audio
    assert audio is not None
    return take.studio.sounds.blobs.path(audio.sha256)


@pytest.mark.parametrize("at", [0, 1])
def test_take_made_again_is_identical(take: Take, at: int) -> None:
    assert take.again(at=at) == Regeneration(Sameness.IDENTICAL, "", 0.0)


def test_lost_file_is_there_again(take: Take) -> None:
    place = _file(take)
    content = place.read_bytes()
    place.unlink()

    assert take.again() == Regeneration(Sameness.RESTORED, "its file was missing", None)

    assert place.read_bytes() == content


def test_damaged_file_is_whole_again(take: Take) -> None:
    place = _file(take)
    content = place.read_bytes()
    place.write_bytes(content[:-9])

    assert take.again() == Regeneration(Sameness.RESTORED, "its file was damaged", None)

    assert place.read_bytes() == content


def test_other_samples_are_measured(take: Take) -> None:
    outcome = take.again(SeedLevelGenerator(drift=0.25))

    assert outcome.sameness is Sameness.DIFFERENT
    assert outcome.max_difference == pytest.approx(
        0.25
        * float(take.studio.sounds.mix_at(take.studio.store.lineage(OWNER, take.turn.node_id)).samples.abs().max()),
        abs=1e-5,
    )


def test_another_model_is_not_asked(take: Take) -> None:
    other = SeedLevelGenerator(model_id="other")

    outcome = take.again(other)

    assert outcome.sameness is Sameness.IMPOSSIBLE
    assert "it was made by the model seed-level, and other is loaded" in outcome.why
    assert other.contexts == []


def test_lost_context_is_said(take: Take) -> None:
    context = take.studio.store.lineage(OWNER, take.turn.node_id)[0].audio
    assert context is not None
    take.studio.sounds.blobs.path(context.sha256).unlink()

    outcome = take.again()

    assert (outcome.sameness, outcome.why) == (Sameness.IMPOSSIBLE, "This audio is not stored here (any more).")


@pytest.mark.parametrize("stored", [{}, {"num_steps": 3}, {"num_steps": [8], "mood": "calm"}])
def test_settings_of_another_version_are_an_error_in_words(stored: dict[str, object]) -> None:
    with pytest.raises(InvalidRequestError, match="of another version"):
        settings_from_row(stored)


def test_page_says_which_sound_is_lost_and_shows_the_rest(take: Take) -> None:
    from app.ui.feed_view import feed_view
    from app.ui.shelf_views import tree_view

    _file(take).unlink()
    snapshot = take.studio.snapshot(OWNER, take.turn.session_id)

    first, second = feed_view(snapshot)["turns"][-1]["variations"]
    assert first["fit"]["verdict"] == "missing"
    assert "can't be heard (file missing on the server)" in first["fit"]["words"]
    assert second["fit"]["verdict"] == "good"
    assert all("missing" not in node["detail"] for node in tree_view(snapshot)["nodes"])


def test_command_makes_all_takes_again_and_mends_what_is_lost(
    open_studio: OpenStudio, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_studio(SeedLevelGenerator()) as studio:
        context = studio.start_from_example(OWNER, "loop")
        turn = finished(studio, studio.request_stem(OWNER, context.id, StemOrder("bass", 2, "fast", 7)).id)
        monkeypatch.setattr("stemgen_core.audio.write_flac", studio.sounds.files.write)
        _file(Take(studio, turn)).unlink()
    command = ["sessions", "--data", str(tmp_path / "data"), "check"]
    monkeypatch.setattr(upkeep, "_load_generators", lambda: [EchoGenerator(), SeedLevelGenerator()])

    assert main(command) == 1
    said = capsys.readouterr()
    assert "is missing. Copy audio/ from a backup" in said.out
    assert "1 things are not as they should be" in said.err
    assert main([*command, "--regenerate"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[-3:]] == ["restored", "identical", "all"]
    assert main(command) == 0


def test_waveforms_are_compared_in_full() -> None:
    from app.regeneration import _max_difference

    one = Waveform(torch.zeros(1, 100), 44_100)
    late = torch.zeros(1, 100)
    late[0, 99] = -0.5

    assert _max_difference(one, Waveform(late, 44_100)) == 0.5
    assert _max_difference(one, Waveform(torch.zeros(1, 99), 44_100)) is None
