"""A link opens one session for reading and nothing else; a copy is a session of its own."""

import dataclasses
import re
from pathlib import Path

import pytest

from sessions.errors import InvalidActionError, NotFoundError, ShareNotFoundError
from sessions.store import SessionStore, open_store
from sessions.tree import Mixer, Node, TurnRequest, VariationResult, WorkState
from tests.sessions.scene import OWNER, Scene
from tests.sessions.test_ownership import ABSENT, CALLS

VISITOR = "a visitor's secret"
READING = {
    "session", "find_audio", "node", "notes", "lineage", "tree", "turn", "turns", "variation", "variation_notes",
    "share",
}  # fmt: skip
COPYING = {"copy_session"}


@pytest.fixture
def stem(scene: Scene) -> Node:
    return scene.stem(scene.context())


def _ids(store: SessionStore, stem: Node) -> dict[str, str]:
    turn = store.turns(OWNER, stem.session_id)[0]
    assert stem.audio is not None
    return {
        "session": stem.session_id,
        "node": stem.id,
        "turn": turn.id,
        "variation": turn.variations[0].id,
        "audio": stem.audio.sha256,
    }


@pytest.mark.parametrize("name", CALLS)
def test_a_link_opens_what_reads_and_nothing_that_writes(
    store: SessionStore, scene: Scene, stem: Node, name: str
) -> None:
    token = store.share_session(OWNER, stem.session_id).token
    ids = _ids(store, stem)

    if name in READING | COPYING:
        CALLS[name](store, scene, token, ids)
    else:
        with pytest.raises(NotFoundError):
            CALLS[name](store, scene, token, ids)


def test_a_link_opens_no_other_session_of_the_same_owner(store: SessionStore, scene: Scene, stem: Node) -> None:
    token = store.share_session(OWNER, scene.context().session_id).token

    for name in READING | COPYING:
        with pytest.raises(NotFoundError):
            CALLS[name](store, scene, token, _ids(store, stem))
    assert store.sessions(token) == ()


def test_a_link_is_unguessable_and_the_same_until_it_is_taken_back(store: SessionStore, stem: Node) -> None:
    first = store.share_session(OWNER, stem.session_id)

    assert re.fullmatch(r"share-[0-9a-f]{32}", first.token)
    assert store.share_session(OWNER, stem.session_id) == first
    assert store.share(OWNER, stem.session_id) == first
    assert store.shared_session(first.token).id == stem.session_id


def test_a_link_taken_back_is_dead_for_good(store: SessionStore, scene: Scene, stem: Node) -> None:
    old = store.share_session(OWNER, stem.session_id).token

    store.unshare_session(OWNER, stem.session_id)
    store.unshare_session(OWNER, stem.session_id)
    assert store.share(OWNER, stem.session_id) is None
    new = store.share_session(OWNER, stem.session_id).token

    assert new != old
    with pytest.raises(ShareNotFoundError, match="leads nowhere"):
        store.shared_session(old)
    for name in READING | COPYING:
        with pytest.raises(NotFoundError):
            CALLS[name](store, scene, old, _ids(store, stem))


def test_a_link_sleeps_while_its_session_is_in_the_trash(store: SessionStore, stem: Node) -> None:
    token = store.share_session(OWNER, stem.session_id).token

    store.delete_session(OWNER, stem.session_id)
    with pytest.raises(ShareNotFoundError):
        store.shared_session(token)
    with pytest.raises(NotFoundError):
        store.node(token, stem.id)
    store.restore_session(OWNER, stem.session_id)

    assert store.node(token, stem.id).id == stem.id


def test_what_is_in_the_trash_gets_no_link(store: SessionStore, stem: Node) -> None:
    store.delete_session(OWNER, stem.session_id)

    with pytest.raises(InvalidActionError, match="in the trash"):
        store.share_session(OWNER, stem.session_id)


def test_no_token_made_up_opens_a_link(store: SessionStore, stem: Node) -> None:
    store.share_session(OWNER, stem.session_id)

    for token in ("share-", "share-" + ABSENT, "%", "share-%"):
        with pytest.raises(ShareNotFoundError):
            store.shared_session(token)


# ---- copies --------------------------------------------------------------------------------------------------------


def _shape(store: SessionStore, owner: str, session_id: str) -> list[tuple]:
    """Return all of a session but its ids."""
    nodes = store.tree(owner, session_id)
    place = {node.id: at for at, node in enumerate(nodes)}
    turns = store.turns(owner, session_id)
    variations = {each.id: (at, each.index) for at, turn in enumerate(turns) for each in turn.variations}
    told = [
        (
            place.get(node.parent_id or ""), node.kind, node.name, node.is_starred, node.audio, node.instrument,
            place.get(node.removed_node_id or ""), variations.get(node.variation_id or ""), node.seed, node.settings,
            node.model_id, node.fit, node.analysis, node.mixer, node.comment,
            store.notes(owner, node.id),
        )
        for node in nodes
    ]  # fmt: skip
    asked = [
        (
            place[turn.node_id], turn.instrument, turn.preset, turn.settings, turn.model_id, turn.state,
            [
                (
                    each.index, each.seed, each.state, each.audio, each.fit, each.is_starred, each.mixer,
                    place.get(each.picked_node_id or ""), store.variation_notes(owner, each.id),
                )
                for each in turn.variations
            ],
        )
        for turn in turns
    ]  # fmt: skip
    return [*told, *asked]


def test_a_copy_holds_all_that_the_original_holds_and_shares_no_id(
    store: SessionStore, scene: Scene, stem: Node
) -> None:
    store.set_mixer(OWNER, stem.id, Mixer(gain_db=-6.0, pan=0.5))
    store.comment_node(OWNER, stem.id, "warm")
    store.star_node(OWNER, stem.id, True)
    store.remove_stem(OWNER, stem.id, stem.id)

    copy = store.copy_session(OWNER, stem.session_id, owner_token=VISITOR, name=" Mine ")

    assert copy.name == "Mine"
    assert _shape(store, VISITOR, copy.id) == _shape(store, OWNER, stem.session_id)
    originals = {node.id for node in store.tree(OWNER, stem.session_id)}
    assert not originals & {node.id for node in store.tree(VISITOR, copy.id)}
    assert copy.current_node_id == store.tree(VISITOR, copy.id)[-1].id


def test_settings_that_name_a_variation_name_its_copy_in_the_copy(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    first = scene.turn(context, (7,)).variations[0]
    scene.finish(first)
    settings = {"part": {"variation_id": first.id, "parts": [first.id, 3, None]}, "temperature": 0.9}
    store.create_turn(OWNER, context.id, TurnRequest("bass", (8,), settings, "model"))

    copy = store.copy_session(OWNER, context.session_id, owner_token=VISITOR, name="x")

    copied, revised = store.turns(VISITOR, copy.id)
    its_id = copied.variations[0].id
    assert revised.settings == {"part": {"variation_id": its_id, "parts": [its_id, 3, None]}, "temperature": 0.9}


def test_the_list_knows_how_many_stems_a_session_holds_and_whether_it_is_shared(
    store: SessionStore, scene: Scene, stem: Node
) -> None:
    empty = scene.context()
    scene.stem(stem, "piano")
    store.delete_node(OWNER, scene.stem(stem, "drums").id)
    store.share_session(OWNER, empty.session_id)

    assert store.stem_counts(OWNER) == {stem.session_id: 2}
    assert store.shared_session_ids(OWNER) == {empty.session_id}
    store.unshare_session(OWNER, empty.session_id)
    assert store.shared_session_ids(OWNER) == frozenset()


def test_a_copy_and_its_original_go_separate_ways(store: SessionStore, scene: Scene, stem: Node) -> None:
    copy = store.copy_session(OWNER, stem.session_id, owner_token=VISITOR, name="x")
    before = _shape(store, OWNER, stem.session_id)

    context, bass = store.tree(VISITOR, copy.id)
    store.rename_node(VISITOR, bass.id, "other")
    store.create_turn(VISITOR, context.id, TurnRequest("bass", (1,), {}, "model"))
    store.delete_node(VISITOR, bass.id)

    assert _shape(store, OWNER, stem.session_id) == before
    with pytest.raises(NotFoundError):
        store.node(OWNER, bass.id)


def test_the_trash_is_not_copied_nor_what_was_asked_for_on_it(store: SessionStore, scene: Scene, stem: Node) -> None:
    scene.stem(stem, "piano")
    store.delete_node(OWNER, stem.id)

    copy = store.copy_session(OWNER, stem.session_id, owner_token=VISITOR, name="x")

    assert [node.kind for node in store.tree(VISITOR, copy.id, include_deleted=True)] == ["context"]
    assert [turn.instrument for turn in store.turns(VISITOR, copy.id)] == ["bass"]


def test_unfinished_work_is_copied_as_far_as_it_is_finished(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    turn = scene.turn(context)
    store.start_turn(OWNER, turn.id)
    scene.finish(turn.variations[0])

    copy = store.copy_session(OWNER, context.session_id, owner_token=VISITOR, name="x")

    copied = store.turns(VISITOR, copy.id)[0]
    assert copied.state is WorkState.CANCELLED
    assert copied.finished_ms is not None
    assert [each.state for each in copied.variations] == [WorkState.DONE, WorkState.CANCELLED]
    assert store.turn(OWNER, turn.id).state is WorkState.RUNNING
    store.finish_variation(OWNER, turn.variations[1].id, VariationResult(scene.audio(), 1.0))


def test_a_turn_that_was_taken_back_is_not_copied(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    kept, hidden = scene.turn(context), scene.turn(context)
    store.hide_turn(OWNER, hidden.id, True)

    copy = store.copy_session(OWNER, context.session_id, owner_token=VISITOR, name="x")

    assert [turn.id for turn in store.turns(OWNER, context.session_id)] == [kept.id]
    assert len(store.turns(VISITOR, copy.id)) == 1
    store.hide_turn(OWNER, hidden.id, False)
    assert [turn.id for turn in store.turns(OWNER, context.session_id)] == [kept.id, hidden.id]


def test_a_restart_leaves_links_and_copies_as_they_were(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        stem = Scene(store).stem(Scene(store).context())
        token = store.share_session(OWNER, stem.session_id).token
        copy = store.copy_session(token, stem.session_id, owner_token=VISITOR, name="x")
        before = _shape(store, VISITOR, copy.id)

    with open_store(tmp_path) as store:
        assert store.shared_session(token).id == stem.session_id
        assert _shape(store, VISITOR, copy.id) == before


def test_no_field_of_a_node_is_forgotten_above() -> None:
    looked_at = {"id", "session_id", "created_ms", "deleted_ms", "num_notes"} | {
        "parent_id", "kind", "name", "is_starred", "audio", "instrument", "removed_node_id", "variation_id", "seed",
        "settings", "model_id", "fit", "analysis", "mixer", "comment",
    }  # fmt: skip

    assert {field.name for field in dataclasses.fields(Node)} == looked_at
