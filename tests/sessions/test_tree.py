"""What the tree keeps, and in which order."""

import time
from pathlib import Path

import pytest
from sqlalchemy import event, insert

from sessions.errors import AudioNotFoundError, InvalidActionError
from sessions.models import NodeRow
from sessions.sqlite_database import SqliteDatabase
from sessions.store import SessionStore, open_store
from sessions.tree import AudioRef, Mixer, NodeKind, children_of, mix_nodes
from tests.sessions.scene import OWNER, Scene


def test_lineage_runs_from_the_root_down_and_leaves_siblings_out(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    bass = scene.stem(context, "bass")
    scene.stem(context, "organ")
    piano = scene.stem(bass, "piano")

    lineage = store.lineage(OWNER, piano.id)

    assert [node.id for node in lineage] == [context.id, bass.id, piano.id]
    assert lineage[-1] == store.node(OWNER, piano.id)


def test_tree_has_every_node_once_parents_first(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    bass = scene.stem(context)
    organ = scene.stem(context, "organ")
    piano = scene.stem(bass, "piano")

    nodes = store.tree(OWNER, context.session_id)

    assert [node.id for node in nodes] == [context.id, bass.id, organ.id, piano.id]
    assert [node.id for node in children_of(nodes, context.id)] == [bass.id, organ.id]
    assert [node.id for node in children_of(nodes, None)] == [context.id]


def test_session_may_hold_several_contexts_and_opens_the_last(store: SessionStore, scene: Scene) -> None:
    first = scene.context()
    second = store.add_context(OWNER, first.session_id, scene.audio(b"other"))

    assert [node.id for node in store.tree(OWNER, first.session_id)] == [first.id, second.id]
    assert store.session(OWNER, first.session_id).current_node_id == second.id


def test_lineage_of_a_node_2000_deep_is_quick_and_one_query(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        session = store.create_session(OWNER)
        root = store.add_context(OWNER, session.id, AudioRef(store.blobs.add_bytes(b"x"), 44_100, 100, 1))
    rows = [_deep_row(session.id, depth, root.id) for depth in range(2_000)]
    engine = SqliteDatabase(tmp_path / "sessions.sqlite").engine
    with engine.begin() as connection:
        connection.execute(insert(NodeRow), rows)
    engine.dispose()

    with open_store(tmp_path) as store:
        statements: list[str] = []
        event.listen(store.database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        began = time.perf_counter()
        lineage = store.lineage(OWNER, f"{1_999:032x}")
        seconds = time.perf_counter() - began

    assert [node.id for node in lineage] == [root.id, *(row["id"] for row in rows)]
    assert len([statement for statement in statements if "SELECT" in statement]) == 2  # the owner's node; the path
    assert seconds < 2


def _deep_row(session_id: str, depth: int, root_id: str) -> dict[str, object]:
    return {
        "id": f"{depth:032x}",
        "session_id": session_id,
        "parent_id": root_id if depth == 0 else f"{depth - 1:032x}",
        "kind": "stem",
        "name": "",
        "is_starred": False,
        "audio_sha256": "0" * 64,
        "sample_rate_hz": 44_100,
        "num_audio_samples": 100,
        "num_channels": 1,
        "mixer": {},
        "created_ms": depth,
    }


def test_removal_is_a_node_whose_mix_lacks_the_stem_and_the_stem_stays(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    bass = scene.stem(context)
    piano = scene.stem(bass, "piano")

    removal = store.remove_stem(OWNER, piano.id, bass.id)

    assert (removal.kind, removal.parent_id, removal.audio) == (NodeKind.REMOVAL, piano.id, None)
    mix = mix_nodes(store.lineage(OWNER, removal.id))
    assert [node.id for node in mix] == [context.id, piano.id]
    assert [node.id for node in mix_nodes(store.lineage(OWNER, piano.id))] == [context.id, bass.id, piano.id]
    assert store.session(OWNER, context.session_id).current_node_id == removal.id


def test_only_a_stem_that_sounds_can_be_removed(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    bass = scene.stem(context)
    organ = scene.stem(context, "organ")
    removal = store.remove_stem(OWNER, bass.id, bass.id)

    with pytest.raises(InvalidActionError, match="not the context"):
        store.remove_stem(OWNER, bass.id, context.id)
    for stem in (organ, bass):
        with pytest.raises(InvalidActionError, match="does not sound in this mix"):
            store.remove_stem(OWNER, removal.id, stem.id)


def test_deleting_a_node_hides_what_hangs_below_it_and_restoring_brings_it_back(
    store: SessionStore, scene: Scene
) -> None:
    context = scene.context()
    bass = scene.stem(context)
    piano = scene.stem(bass, "piano")
    before = store.tree(OWNER, context.session_id)

    store.delete_node(OWNER, bass.id)
    hidden = store.tree(OWNER, context.session_id)
    everything = store.tree(OWNER, context.session_id, include_deleted=True)
    store.restore_node(OWNER, piano.id)

    assert [node.id for node in hidden] == [context.id]
    assert [node.id for node in everything] == [context.id, bass.id, piano.id]
    assert store.tree(OWNER, context.session_id) == before


def test_deleting_what_is_open_opens_its_parent(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    bass = scene.stem(context)
    piano = scene.stem(bass, "piano")
    aside = scene.stem(context, "organ")

    store.set_current_node(OWNER, context.session_id, piano.id)
    store.delete_node(OWNER, aside.id)
    assert store.session(OWNER, context.session_id).current_node_id == piano.id

    store.delete_node(OWNER, bass.id)
    assert store.session(OWNER, context.session_id).current_node_id == context.id


def test_nothing_is_built_on_or_opened_below_what_is_in_the_trash(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    bass = scene.stem(context)
    piano = scene.stem(bass, "piano")
    store.delete_node(OWNER, bass.id)

    for refused in (
        lambda: scene.turn(piano),
        lambda: store.remove_stem(OWNER, piano.id, piano.id),
        lambda: store.set_current_node(OWNER, context.session_id, piano.id),
    ):
        with pytest.raises(InvalidActionError, match="node is in the trash"):
            refused()


def test_session_in_the_trash_is_readable_but_not_changed_until_restored(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    session = store.session(OWNER, context.session_id)
    turn = scene.turn(context)

    store.delete_session(OWNER, session.id)

    assert store.sessions(OWNER) == ()
    assert [found.id for found in store.sessions(OWNER, include_deleted=True)] == [session.id]
    assert store.lineage(OWNER, context.id) == (context,)
    with pytest.raises(InvalidActionError, match="session is in the trash"):
        store.rename_node(OWNER, context.id, "x")
    scene.finish(turn.variations[0])  # what is being generated is kept all the same
    assert store.restore_session(OWNER, session.id).deleted_ms is None
    assert [found.id for found in store.sessions(OWNER)] == [session.id]


def test_sessions_are_listed_last_changed_first(store: SessionStore, scene: Scene) -> None:
    first, second = store.create_session(OWNER, "first"), store.create_session(OWNER, "second")
    assert [session.id for session in store.sessions(OWNER)] == [second.id, first.id]

    time.sleep(0.002)
    store.rename_session(OWNER, first.id, "first again")

    assert [session.id for session in store.sessions(OWNER)] == [first.id, second.id]


def test_names_stars_mixer_and_analysis_are_kept(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    mixer = Mixer(gain_db=-3.5, pan=0.25, is_muted=True, nudge_ms=-12.0)

    store.rename_node(OWNER, context.id, "  drum\n\tloop  ")
    store.star_node(OWNER, context.id, True)
    store.set_mixer(OWNER, context.id, mixer)
    store.set_analysis(OWNER, context.id, {"tempo_bpm": 46.0, "key": "A min"})

    node = store.node(OWNER, context.id)
    assert (node.name, node.is_starred, node.mixer) == ("drum loop", True, mixer)
    assert node.analysis == {"tempo_bpm": 46.0, "key": "A min"}


def test_name_longer_than_its_column_is_cut(store: SessionStore) -> None:
    assert store.create_session(OWNER, "x" * 500).name == "x" * 120


def test_numbers_that_browsers_cannot_read_are_refused(store: SessionStore, scene: Scene) -> None:
    context = scene.context()

    with pytest.raises(ValueError, match="not JSON compliant"):
        store.set_analysis(OWNER, context.id, {"tempo_bpm": float("nan")})
    with pytest.raises(ValueError, match="pan must be -1 to 1, got 2"):
        store.set_mixer(OWNER, context.id, Mixer(pan=2))
    assert store.node(OWNER, context.id) == context


def test_row_cannot_name_audio_that_is_not_there(store: SessionStore, scene: Scene) -> None:
    session = store.create_session(OWNER)

    with pytest.raises(AudioNotFoundError, match="must be stored before"):
        store.add_context(OWNER, session.id, AudioRef("0" * 64, 44_100, 100, 1))

    assert store.tree(OWNER, session.id) == ()


def test_reopened_store_gives_the_same_values(tmp_path: Path) -> None:
    def everything(store: SessionStore) -> list[object]:
        session = store.sessions(OWNER)[0]
        nodes = store.tree(OWNER, session.id, include_deleted=True)
        turns = store.turns(OWNER, session.id)
        return [session, nodes, turns, [store.notes(OWNER, node.id) for node in nodes]]

    with open_store(tmp_path) as store:
        scene = Scene(store)
        piano = scene.stem(scene.stem(scene.context()), "piano")
        store.remove_stem(OWNER, piano.id, piano.id)
        store.delete_node(OWNER, piano.id)
        before = everything(store)

    with open_store(tmp_path) as store:
        assert everything(store) == before
