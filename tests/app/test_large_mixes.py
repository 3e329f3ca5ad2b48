"""A mix that holds more than memory does."""

from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.exporting.desk import ExportDesk
from app.exporting.tickets import DownloadTickets
from app.orders import StemOrder
from app.services import Studio
from app.sounds import MAX_MIX_BYTES, SoundShelf, audible_sounds
from app.ui.export_routes import build_export_routes
from app.ui.routes import KEY_HEADER
from sessions.tree import Node
from stemgen_core.errors import InvalidRequestError
from stemgen_core.types import Waveform
from tests.app.waiting import OWNER, finished

WORDS = "3 sounds of this length are more than can be mixed here"


@pytest.fixture
def deep(studio: Studio, context: Node) -> Node:
    """Return the third of three sounds that play together."""
    node = context
    for seed in (1, 2):
        turn = finished(studio, studio.request_stem(OWNER, node.id, StemOrder("bass", 1, "fast", seed)).id)
        node = studio.editing.pick(OWNER, turn.variations[0].id)
    return node


@pytest.fixture
def _little_memory(deep: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    assert deep.audio is not None
    monkeypatch.setattr("app.sounds.MAX_MIX_BYTES", 3 * 4 * deep.audio.num_audio_samples - 1)


@pytest.mark.usefixtures("_little_memory")
def test_a_stem_for_more_than_memory_holds_fails_in_words_and_an_earlier_node_works(studio: Studio, deep: Node) -> None:
    order = StemOrder("bass", 1, "fast", 3)

    too_much = finished(studio, studio.request_stem(OWNER, deep.id, order).id)
    earlier = finished(studio, studio.request_stem(OWNER, str(deep.parent_id), order).id)

    assert (too_much.state, earlier.state) == ("failed", "done")
    assert WORDS in str(too_much.error)


@pytest.mark.usefixtures("_little_memory")
def test_nothing_is_read_for_an_export_of_more_than_memory_holds(studio: Studio, deep: Node) -> None:
    def read(_: Path) -> Waveform:
        raise AssertionError("a sound was read")

    shelf = SoundShelf(studio.sounds.blobs, replace(studio.sounds.files, read=read))
    routes = build_export_routes(ExportDesk(studio.store, shelf), DownloadTickets())
    client = TestClient(Starlette(routes=routes))

    for what in ("mix.wav", "package.wav", "settings.json", "midi.mid"):
        answer = client.get(f"/export/{deep.id}/{what}", headers={KEY_HEADER: OWNER})
        assert (answer.status_code, WORDS in answer.text) == (422, True)


def test_both_sides_of_a_sound_count(deep: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    assert deep.audio is not None
    stereo = replace(deep, parent_id=None, audio=replace(deep.audio, num_channels=2))
    monkeypatch.setattr("app.sounds.MAX_MIX_BYTES", 2 * 4 * deep.audio.num_audio_samples - 1)

    with pytest.raises(InvalidRequestError, match="more than can be mixed here"):
        audible_sounds([stereo])

    monkeypatch.setattr("app.sounds.MAX_MIX_BYTES", 2 * 4 * deep.audio.num_audio_samples)
    assert audible_sounds([stereo]) == [stereo.audio]


def test_forty_stems_of_two_minutes_are_no_matter() -> None:
    two_minutes = 4 * 44_100 * 120  # bytes

    assert two_minutes * 40 < MAX_MIX_BYTES
