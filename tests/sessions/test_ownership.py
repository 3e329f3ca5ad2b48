"""A stranger sees nothing, and can't tell somebody else's things from things that aren't there."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sessions.errors import NotFoundError
from sessions.store import SessionStore, open_store
from sessions.tree import Mixer, TurnRequest, VariationResult
from tests.sessions.scene import OWNER, Scene

STRANGER = "a stranger's secret"
ABSENT = "f" * 32

# Method -> its call for some owner, given the ids of a session, a node, a turn, a variation and the audio.
Ids = dict[str, str]
Call = Callable[[SessionStore, Scene, str, Ids], object]
CALLS: dict[str, Call] = {
    "session": lambda store, _, owner, ids: store.session(owner, ids["session"]),
    "rename_session": lambda store, _, owner, ids: store.rename_session(owner, ids["session"], "x"),
    "set_current_node": lambda store, _, owner, ids: store.set_current_node(owner, ids["session"], None),
    "delete_session": lambda store, _, owner, ids: store.delete_session(owner, ids["session"]),
    "restore_session": lambda store, _, owner, ids: store.restore_session(owner, ids["session"]),
    "find_audio": lambda store, _, owner, ids: store.find_audio(owner, ids["audio"]),
    "add_context": lambda store, scene, owner, ids: store.add_context(owner, ids["session"], scene.audio()),
    "remove_stem": lambda store, _, owner, ids: store.remove_stem(owner, ids["node"], ids["node"]),
    "node": lambda store, _, owner, ids: store.node(owner, ids["node"]),
    "notes": lambda store, _, owner, ids: store.notes(owner, ids["node"]),
    "lineage": lambda store, _, owner, ids: store.lineage(owner, ids["node"]),
    "tree": lambda store, _, owner, ids: store.tree(owner, ids["session"]),
    "rename_node": lambda store, _, owner, ids: store.rename_node(owner, ids["node"], "x"),
    "comment_node": lambda store, _, owner, ids: store.comment_node(owner, ids["node"], "x"),
    "hide_turn": lambda store, _, owner, ids: store.hide_turn(owner, ids["turn"], True),
    "star_node": lambda store, _, owner, ids: store.star_node(owner, ids["node"], True),
    "set_mixer": lambda store, _, owner, ids: store.set_mixer(owner, ids["node"], Mixer()),
    "edit_analysis": lambda store, _, owner, ids: store.edit_analysis(owner, ids["node"], lambda _: {}),
    "session_record": lambda store, _, owner, ids: store.session_record(owner, ids["session"]),
    "set_analysis": lambda store, _, owner, ids: store.set_analysis(owner, ids["node"], {}),
    "delete_node": lambda store, _, owner, ids: store.delete_node(owner, ids["node"]),
    "restore_node": lambda store, _, owner, ids: store.restore_node(owner, ids["node"]),
    "create_turn": lambda store, _, owner, ids: store.create_turn(
        owner, ids["node"], TurnRequest("bass", (1,), {}, "model")
    ),
    "turn": lambda store, _, owner, ids: store.turn(owner, ids["turn"]),
    "turns": lambda store, _, owner, ids: store.turns(owner, ids["session"]),
    "variation": lambda store, _, owner, ids: store.variation(owner, ids["variation"]),
    "variation_notes": lambda store, _, owner, ids: store.variation_notes(owner, ids["variation"]),
    "star_variation": lambda store, _, owner, ids: store.star_variation(owner, ids["variation"], True),
    "set_variation_mixer": lambda store, _, owner, ids: store.set_variation_mixer(owner, ids["variation"], Mixer()),
    "start_turn": lambda store, _, owner, ids: store.start_turn(owner, ids["turn"]),
    "start_variation": lambda store, _, owner, ids: store.start_variation(owner, ids["variation"]),
    "finish_variation": lambda store, scene, owner, ids: store.finish_variation(
        owner, ids["variation"], VariationResult(scene.audio(), 1.0)
    ),
    "fail_variation": lambda store, _, owner, ids: store.fail_variation(owner, ids["variation"], "x"),
    "finish_turn": lambda store, _, owner, ids: store.finish_turn(owner, ids["turn"]),
    "cancel_turn": lambda store, _, owner, ids: store.cancel_turn(owner, ids["turn"]),
    "fail_turn": lambda store, _, owner, ids: store.fail_turn(owner, ids["turn"], "x"),
    "retry_variation": lambda store, _, owner, ids: store.retry_variation(owner, ids["variation"]),
    "share_session": lambda store, _, owner, ids: store.share_session(owner, ids["session"]),
    "share": lambda store, _, owner, ids: store.share(owner, ids["session"]),
    "unshare_session": lambda store, _, owner, ids: store.unshare_session(owner, ids["session"]),
    "copy_session": lambda store, _, owner, ids: store.copy_session(owner, ids["session"], owner_token=owner, name="x"),
    "pick_variation": lambda store, _, owner, ids: store.pick_variation(owner, ids["variation"]),
}


def _everything(store: SessionStore) -> list[object]:
    sessions = store.sessions(OWNER, include_deleted=True)
    return [
        [session, store.tree(OWNER, session.id, include_deleted=True), store.turns(OWNER, session.id)]
        for session in sessions
    ]


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionStore]:
    """One store for all calls below, which change nothing; opening one takes longer than the call."""
    with open_store(tmp_path_factory.mktemp("data")) as store:
        yield store


@pytest.mark.parametrize("name", CALLS)
def test_somebody_elses_id_behaves_exactly_like_an_absent_one(shared_store: SessionStore, name: str) -> None:
    store, scene = shared_store, Scene(shared_store)
    stem = scene.stem(scene.context())
    turn = store.turns(OWNER, stem.session_id)[0]
    assert stem.audio is not None
    ids = {
        "session": stem.session_id,
        "node": stem.id,
        "turn": turn.id,
        "variation": turn.variations[0].id,
        "audio": stem.audio.sha256,
    }
    before = _everything(store)

    with pytest.raises(NotFoundError) as foreign:
        CALLS[name](store, scene, STRANGER, ids)
    with pytest.raises(NotFoundError) as absent:
        CALLS[name](store, scene, OWNER, dict.fromkeys(ids, ABSENT))

    assert (type(foreign.value), str(foreign.value)) == (type(absent.value), str(absent.value))
    assert _everything(store) == before


def test_no_method_that_takes_an_owner_is_left_out_above() -> None:
    taking_owner = {
        name
        for name, method in inspect.getmembers(SessionStore, inspect.isfunction)
        if not name.startswith("_") and "owner_token" in inspect.signature(method).parameters
    }

    assert taking_owner - {
        "create_session",
        "add_session",
        "sessions",
        "stem_counts",
        "shared_session_ids",
        "hand_over",
    } == set(CALLS)


def test_stranger_sees_an_empty_list_and_may_use_the_same_audio(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    assert context.audio is not None

    store.share_session(OWNER, scene.stem(context).session_id)

    assert store.sessions(STRANGER, include_deleted=True) == ()
    assert store.stem_counts(STRANGER) == {}
    assert store.shared_session_ids(STRANGER) == frozenset()
    own = store.create_session(STRANGER)
    store.add_context(STRANGER, own.id, context.audio)

    assert store.find_audio(STRANGER, context.audio.sha256) == context.audio
    assert [session.id for session in store.sessions(STRANGER)] == [own.id]


def test_sessions_are_handed_over_but_for_those_being_worked_on(store: SessionStore, scene: Scene) -> None:
    quiet, busy = scene.context(), scene.context()
    turn = scene.turn(busy)

    assert store.hand_over(STRANGER, "new") == 0
    assert store.hand_over(OWNER, "new") == 1

    assert [session.id for session in store.sessions("new")] == [quiet.session_id]
    assert [session.id for session in store.sessions(OWNER)] == [busy.session_id]
    store.cancel_turn(OWNER, turn.id)
    assert store.hand_over(OWNER, "new") == 1
    assert store.sessions(OWNER) == ()


def test_node_of_ones_other_session_cannot_be_opened_or_mixed_in(store: SessionStore, scene: Scene) -> None:
    stem, other = scene.stem(scene.context()), scene.context()

    with pytest.raises(Exception, match="belongs to another session"):
        store.set_current_node(OWNER, other.session_id, stem.id)
    with pytest.raises(Exception, match="does not sound in this mix"):
        store.remove_stem(OWNER, other.id, stem.id)


def test_owners_secret_is_not_in_the_database(store: SessionStore, scene: Scene, tmp_path: Path) -> None:
    scene.context()
    store.database.copy_to(tmp_path / "copy.sqlite")

    assert OWNER.encode() not in (tmp_path / "copy.sqlite").read_bytes()


def test_empty_secret_is_refused(store: SessionStore) -> None:
    with pytest.raises(ValueError, match="owner_token is empty"):
        store.create_session("")
