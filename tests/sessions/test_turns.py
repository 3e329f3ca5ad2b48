"""Turns and variations: from the request to the pick."""

from pathlib import Path

import pytest

from sessions.errors import AudioNotFoundError, InvalidActionError
from sessions.store import SessionStore, open_store
from sessions.tree import AudioRef, Mixer, NodeKind, TurnRequest, VariationResult, WorkState
from tests.sessions.scene import OWNER, Scene

QUEUED, RUNNING, DONE, FAILED, CANCELLED = WorkState


def test_new_turn_has_a_queued_variation_per_seed_in_order(store: SessionStore, scene: Scene) -> None:
    context = scene.context()

    turn = scene.turn(context, (41, 7, 42))

    assert [(v.index, v.seed, v.state) for v in turn.variations] == [(0, 41, QUEUED), (1, 7, QUEUED), (2, 42, QUEUED)]
    assert (turn.node_id, turn.instrument, turn.preset, turn.first_seed) == (context.id, "bass", "balanced", 41)
    assert turn.settings == {"num_steps": [8, 4], "temperature": 0.9}
    assert store.turns(OWNER, context.session_id) == (turn,)


@pytest.mark.parametrize("seeds", [(), tuple(range(17)), (-1,), (2**31,)])
def test_turn_needs_1_to_16_seeds_of_31_bits(seeds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="seed"):
        TurnRequest("bass", seeds, {}, "model")


def test_variations_arrive_one_by_one_and_keep_what_was_measured(store: SessionStore, scene: Scene) -> None:
    turn = scene.turn(scene.context())
    store.start_turn(OWNER, turn.id)
    store.start_variation(OWNER, turn.variations[0].id)

    scene.finish(turn.variations[0])

    turn = store.turn(OWNER, turn.id)
    first, second = turn.variations
    assert (turn.state, first.state, second.state) == (RUNNING, DONE, QUEUED)
    assert (first.seconds_spent, first.num_notes) == (3.5, 2)
    assert first.fit == {"offset_ms": -2.0, "verdict": "in sync"}
    assert store.variation_notes(OWNER, first.id) == ((0.0, 40, 0.5, 100), (0.5, 43, 0.25, 90))


def test_picking_makes_a_child_with_all_it_takes_to_make_the_stem_again(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    turn = scene.turn(context)
    done = scene.finish(turn.variations[1])
    store.star_variation(OWNER, done.id, True)
    store.set_variation_mixer(OWNER, done.id, Mixer(gain_db=-6.0))

    node = store.pick_variation(OWNER, done.id)

    assert (node.parent_id, node.kind, node.instrument) == (context.id, NodeKind.STEM, "bass")
    assert (node.seed, node.settings, node.model_id) == (42, turn.settings, "model")
    assert (node.audio, node.fit, node.variation_id) == (done.audio, done.fit, done.id)
    assert (node.is_starred, node.mixer) == (True, Mixer(gain_db=-6.0))
    assert store.notes(OWNER, node.id) == store.variation_notes(OWNER, done.id)
    assert store.variation(OWNER, done.id).picked_node_id == node.id
    assert store.session(OWNER, context.session_id).current_node_id == node.id


def test_picking_twice_makes_one_node_and_two_picks_of_a_turn_are_siblings(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    turn = scene.turn(context)
    a, b = (scene.finish(variation, bytes([variation.index])) for variation in turn.variations)

    first, sibling, again = (store.pick_variation(OWNER, variation.id) for variation in (a, b, a))

    assert first == again
    assert sibling.parent_id == first.parent_id
    assert len(store.tree(OWNER, context.session_id)) == 3
    assert store.session(OWNER, context.session_id).current_node_id == first.id


def test_picking_what_was_deleted_brings_the_same_node_back(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    done = scene.finish(scene.turn(context).variations[0])
    node = store.pick_variation(OWNER, done.id)
    store.delete_node(OWNER, node.id)

    assert store.pick_variation(OWNER, done.id) == node
    assert node in store.tree(OWNER, context.session_id)


def test_unfinished_variation_cannot_be_picked(store: SessionStore, scene: Scene) -> None:
    turn = scene.turn(scene.context())

    with pytest.raises(InvalidActionError, match="this one is queued"):
        store.pick_variation(OWNER, turn.variations[0].id)


def test_cancel_keeps_finished_variations_and_one_that_finishes_just_after(store: SessionStore, scene: Scene) -> None:
    turn = scene.turn(scene.context(), (1, 2, 3))
    store.start_turn(OWNER, turn.id)
    scene.finish(turn.variations[0], b"one")
    store.start_variation(OWNER, turn.variations[1].id)

    cancelled = store.cancel_turn(OWNER, turn.id)
    scene.finish(turn.variations[1], b"two")

    assert [v.state for v in cancelled.variations] == [DONE, CANCELLED, CANCELLED]
    after = store.turn(OWNER, turn.id)
    assert [v.state for v in after.variations] == [DONE, DONE, CANCELLED]
    assert after.state is CANCELLED
    assert after.finished_ms is not None
    assert store.cancel_turn(OWNER, turn.id) == store.finish_turn(OWNER, turn.id) == after


def test_turn_cancelled_while_it_waits_is_not_started(store: SessionStore, scene: Scene) -> None:
    turn = scene.turn(scene.context())
    store.cancel_turn(OWNER, turn.id)

    with pytest.raises(InvalidActionError, match="it is cancelled"):
        store.start_turn(OWNER, turn.id)
    with pytest.raises(InvalidActionError, match="it is cancelled"):
        store.start_variation(OWNER, turn.variations[0].id)


def test_finished_turn_is_failed_only_if_every_variation_failed(store: SessionStore, scene: Scene) -> None:
    context = scene.context()
    half, none = scene.turn(context), scene.turn(context)
    scene.finish(half.variations[0])
    for variation in (half.variations[1], *none.variations):
        store.fail_variation(OWNER, variation.id, "It came out silent.")

    half, none = store.finish_turn(OWNER, half.id), store.finish_turn(OWNER, none.id)

    assert (half.state, half.error) == (DONE, None)
    assert (none.state, none.error) == (FAILED, "It came out silent.")


def test_turn_with_work_left_cannot_be_finished(store: SessionStore, scene: Scene) -> None:
    turn = scene.turn(scene.context())
    scene.finish(turn.variations[0])

    with pytest.raises(InvalidActionError, match="not finished"):
        store.finish_turn(OWNER, turn.id)


def test_done_variation_is_never_overwritten_or_failed(store: SessionStore, scene: Scene) -> None:
    done = scene.finish(scene.turn(scene.context()).variations[0])

    with pytest.raises(InvalidActionError, match="done already"):
        scene.finish(done, b"something else")
    with pytest.raises(InvalidActionError, match="can't fail any more"):
        store.fail_variation(OWNER, done.id, "x")
    assert store.variation(OWNER, done.id) == done


def test_result_without_its_file_is_refused(store: SessionStore, scene: Scene) -> None:
    variation = scene.turn(scene.context()).variations[0]

    with pytest.raises(AudioNotFoundError, match="must be stored before"):
        store.finish_variation(OWNER, variation.id, VariationResult(AudioRef("0" * 64, 1, 1, 1), 1.0))

    assert store.variation(OWNER, variation.id) == variation


def test_failed_variation_is_tried_again_with_its_seed(store: SessionStore, scene: Scene) -> None:
    turn = scene.turn(scene.context())
    scene.finish(turn.variations[0])
    with pytest.raises(InvalidActionError, match="it is queued"):
        store.retry_variation(OWNER, turn.variations[1].id)
    store.fail_turn(OWNER, turn.id, "Out of memory.")

    again = store.retry_variation(OWNER, turn.variations[1].id)

    assert (again.state, again.error, again.finished_ms) == (QUEUED, None, None)
    assert [(v.state, v.seed, v.error) for v in again.variations] == [(DONE, 41, None), (QUEUED, 42, None)]


def test_restart_marks_unfinished_turns_failed_with_a_clear_word_and_keeps_what_was_done(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        scene = Scene(store)
        context = scene.context()
        running, queued, cancelled, all_done = (scene.turn(context) for _ in range(4))
        store.start_turn(OWNER, running.id)
        scene.finish(running.variations[0])
        store.start_variation(OWNER, running.variations[1].id)
        store.cancel_turn(OWNER, cancelled.id)
        for variation in all_done.variations:
            scene.finish(variation)

    with open_store(tmp_path) as store:
        turns = store.turns(OWNER, context.session_id)

        assert [turn.state for turn in turns] == [FAILED, FAILED, CANCELLED, DONE]
        assert [v.state for v in turns[0].variations] == [DONE, FAILED]
        assert [v.state for v in turns[1].variations] == [FAILED, FAILED]
        assert "The server stopped before this was finished" in str(turns[0].error)
        assert turns[0].variations[1].error == turns[0].error
        assert turns[1].id == queued.id
        retried = store.retry_variation(OWNER, turns[0].variations[1].id)
        assert store.fail_interrupted_turns() == 0  # this run's own turns are not interrupted
        assert store.turn(OWNER, retried.id).state is QUEUED
