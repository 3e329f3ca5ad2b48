"""What the page is told."""

import pytest

from app.orders import StemOrder
from app.progress import TurnProgress
from app.services import Snapshot, Studio
from app.ui.feed_view import feed_view, fit_view
from app.ui.shelf_views import tree_view
from sessions.tree import Node
from tests.app.waiting import OWNER, finished

GOOD = {
    "offset_ms": 12.4,
    "onset_agreement": 0.816,
    "harmony_agreement": None,
    "level_db": -6.2,
    "is_silent": False,
    "verdict": "good",
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "12 ms late, rhythm 82 %, 6 dB quieter"),
        ({"offset_ms": -30.0, "level_db": 3.0}, "30 ms early, rhythm 82 %, 3 dB louder"),
        ({"offset_ms": 0.2, "level_db": 0.1}, "on the beat, rhythm 82 %, as loud as the mix"),
        ({"offset_ms": None, "onset_agreement": None, "harmony_agreement": 0.5}, "harmony 50 %, 6 dB quieter"),
        ({"onset_agreement": -0.1}, "12 ms late, rhythm 0 %, 6 dB quieter"),
    ],
)
def test_fit_is_said_in_words_and_what_was_not_measured_is_left_out(changes: dict, words: str) -> None:
    assert fit_view(GOOD | changes) == {"verdict": "good", "words": words, "advice": ""}


def test_a_silent_stem_says_so_and_nothing_else() -> None:
    assert fit_view(GOOD | {"is_silent": True}) == {
        "verdict": "silent",
        "words": "Nothing audible came out.",
        "advice": "Try another seed.",
    }


@pytest.fixture
def layered(studio: Studio, context: Node) -> Snapshot:
    turn = finished(studio, studio.request_stem(OWNER, context.id, StemOrder("bass", 2, "fast", 7)).id)
    studio.pick(OWNER, turn.variations[1].id)
    return studio.snapshot(OWNER, context.session_id)


def test_the_tree_says_what_each_node_is_and_where_we_stand(layered: Snapshot) -> None:
    nodes = tree_view(layered)["nodes"]

    assert [(node["label"], node["is_current"], node["is_on_path"]) for node in nodes] == [
        ("Loop", False, True),
        ("Bass B", True, True),
    ]


def test_progress_belongs_to_the_variation_at_work(studio: Studio, context: Node) -> None:
    turn = studio.request_stem(OWNER, context.id, StemOrder("bass", 2, "fast", 7))
    where = TurnProgress(0, turn.variations[1].id, 0.456, 7.4)
    snapshot = Snapshot(
        studio.store.session(OWNER, context.session_id), (context,), (turn,), (context,), {turn.id: where}
    )

    shown = feed_view(snapshot)["turns"][0]

    assert [variation["progress"] for variation in shown["variations"]] == [0.0, 0.46]
    assert (shown["eta_s"], shown["is_active"]) == (7, True)
