"""What the dock is told, and what it tells back."""

import math
from typing import Any

import gradio as gr
import pytest

from app.mixing import keep_strip
from app.orders import StemOrder
from app.services import Snapshot, Studio
from app.ui.dock_handlers import DockHandlers, read_strips
from app.ui.dock_views import MAX_OTHERS, dock_view, grid_view
from app.ui.feed_view import feed_view
from sessions.errors import NotFoundError
from sessions.tree import Mixer, Node
from stemgen_core.errors import InvalidRequestError
from tests.app.waiting import OWNER, finished

BROWSER = {"token": OWNER}
STRIP = {"gain_db": -6.0, "pan": 0.25, "is_muted": True, "is_soloed": False}


@pytest.fixture
def layered(studio: Studio, context: Node) -> Snapshot:
    turn = finished(studio, studio.request_stem(OWNER, context.id, StemOrder("bass", 2, "fast", 7)).id)
    studio.pick(OWNER, turn.variations[1].id)
    return studio.snapshot(OWNER, context.session_id)


def _mixers(studio: Studio, snapshot: Snapshot, node_id: str | None = None) -> dict[str, Any]:
    return dock_view(studio.snapshot(OWNER, snapshot.session.id, node_id), "key")["mixers"]


def test_a_picked_variation_keeps_its_track_id_so_that_it_sounds_on(layered: Snapshot) -> None:
    variation = layered.turns[0].variations[1]

    tracks = dock_view(layered, "key")["tracks"]

    assert [track["track_id"] for track in tracks] == [layered.lineage[0].id, variation.id]
    assert tracks[1]["url"] == feed_view(layered)["turns"][0]["variations"][1]["url"]
    assert tracks[1]["mixer_id"] == f"turn:{layered.turns[0].id}"


def test_the_dock_counts_in_the_contexts_own_samples(layered: Snapshot) -> None:
    view = dock_view(layered, "key")

    assert (view["sample_rate_hz"], view["num_frames"]) == (44_100, 88_200)


def test_the_bar_grid_takes_common_time_from_the_start_unless_told_otherwise() -> None:
    assert grid_view({"tempo_bpm": 92.0}) == {
        "tempo_bpm": 92.0,
        "beats_per_bar": 4,
        "first_downbeat_s": 0.0,
        "num_bars": None,
        "key": None,
    }
    assert grid_view({"tempo_bpm": None, "key": "A minor"}) is None
    assert grid_view(None) is None


def test_a_strip_moved_on_a_variation_is_there_for_its_siblings_and_for_the_node_it_became(
    studio: Studio, layered: Snapshot
) -> None:
    turn = layered.turns[0]

    DockHandlers(studio).on_mixer(BROWSER, gr.EventData(None, {"strips": [STRIP | {"mixer_id": f"turn:{turn.id}"}]}))

    for node_id in (None, turn.node_id):  # where it was picked, and where it may still be tried
        assert _mixers(studio, layered, node_id)[f"turn:{turn.id}"] == STRIP
    assert studio.snapshot(OWNER, layered.session.id).lineage[1].mixer == Mixer(-6.0, 0.25, True, False)


def test_the_contexts_strip_is_kept_with_its_node(studio: Studio, context: Node, layered: Snapshot) -> None:
    keep_strip(studio.store, OWNER, f"node:{context.id}", Mixer(gain_db=2.0))

    assert _mixers(studio, layered)[f"node:{context.id}"]["gain_db"] == 2.0


def test_nobody_elses_strips_can_be_moved(studio: Studio, layered: Snapshot) -> None:
    for mixer_id in (f"turn:{layered.turns[0].id}", f"node:{layered.lineage[0].id}", "turn:", "nonsense"):
        with pytest.raises(NotFoundError):
            keep_strip(studio.store, "f" * 32, mixer_id, Mixer())

    said = DockHandlers(studio).on_mixer(
        {"token": "f" * 32}, gr.EventData(None, {"strips": [STRIP | {"mixer_id": f"turn:{layered.turns[0].id}"}]})
    )
    assert "There is no such" in said


@pytest.mark.parametrize(
    "data",
    [
        None,
        "strips",
        {"strips": "all"},
        {"strips": [7]},
        {"strips": [{"mixer_id": "node:x"}]},
        {"strips": [STRIP | {"mixer_id": "node:x", "gain_db": math.nan}]},
        {"strips": [STRIP | {"mixer_id": "node:x", "pan": "left"}]},
        {"strips": [STRIP | {"mixer_id": "node:x"}] * 65},
    ],
)
def test_what_is_no_list_of_strips_is_refused_in_words(data: Any) -> None:
    with pytest.raises(InvalidRequestError, match="The mixer could not be saved"):
        read_strips(data)


def test_strips_are_held_within_their_ranges() -> None:
    strips = read_strips({"strips": [STRIP | {"mixer_id": "node:x", "gain_db": 90, "pan": -7}]})

    assert strips == [("node:x", Mixer(gain_db=12.0, pan=-1.0, is_muted=True))]


def test_mixes_to_compare_with_are_the_other_ends_of_the_same_tree(studio: Studio, layered: Snapshot) -> None:
    here, turn = layered.lineage[-1], layered.turns[0]
    sibling = studio.pick(OWNER, turn.variations[0].id)

    others = dock_view(studio.snapshot(OWNER, layered.session.id, here.id), "key")["others"]

    assert [(mix["node_id"], mix["label"]) for mix in others] == [(sibling.id, "Bass A")]
    assert [track["track_id"] for track in others[0]["tracks"]] == [turn.node_id, turn.variations[0].id]


def test_no_more_mixes_are_offered_than_one_can_choose_from(studio: Studio, context: Node) -> None:
    for seed in range(5):
        order = StemOrder("bass", 2, "fast", 2 * seed)
        turn = finished(studio, studio.request_stem(OWNER, context.id, order).id)
        for variation in turn.variations:
            studio.pick(OWNER, variation.id)

    assert len(dock_view(studio.snapshot(OWNER, context.session_id), "key")["others"]) == MAX_OTHERS
