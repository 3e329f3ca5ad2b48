"""Whatever is done to a tree can be undone, and nothing is thrown away for good."""

import pytest

from app import editing as editing_module
from app.orders import StemOrder
from app.services import Studio
from sessions.errors import InvalidActionError, NotFoundError
from sessions.tree import Node
from tests.app.waiting import OWNER, finished

STRANGER = "f" * 32


def _stem(studio: Studio, node: Node, seed: int = 7) -> Node:
    turn = studio.request_stem(OWNER, node.id, StemOrder("bass", 1, "fast", seed))
    return studio.pick(OWNER, finished(studio, turn.id).variations[0].id)


def _shown(studio: Studio, node: Node) -> list[str]:
    return [each.id for each in studio.store.tree(OWNER, node.session_id)]


def test_undoing_a_pick_puts_its_node_into_the_trash_and_goes_back(studio: Studio, context: Node) -> None:
    bass = _stem(studio, context)

    assert studio.editing.next_undo(OWNER, context.session_id) == "picking a stem"
    assert studio.editing.undo(OWNER, context.session_id) == context.id

    assert _shown(studio, context) == [context.id]
    assert studio.store.session(OWNER, context.session_id).current_node_id == context.id
    assert [node.id for node, _ in studio.editing.trash(OWNER, context.session_id)] == [bass.id]
    assert studio.editing.next_undo(OWNER, context.session_id) is None


def test_picking_what_is_picked_already_only_goes_there_and_leaves_nothing_to_undo(
    studio: Studio, context: Node
) -> None:
    bass = _stem(studio, context)
    piano = _stem(studio, bass, 8)
    studio.editing.undo(OWNER, context.session_id)

    assert bass.variation_id is not None
    studio.pick(OWNER, bass.variation_id)

    assert studio.editing.undo(OWNER, context.session_id) == context.id  # the first pick, not the second
    assert {node.id for node, _ in studio.editing.trash(OWNER, context.session_id)} == {bass.id, piano.id}


def test_undoing_goes_back_step_by_step_through_everything(studio: Studio, context: Node) -> None:
    bass = _stem(studio, context)
    studio.rename(OWNER, bass.id, "First")
    studio.rename(OWNER, bass.id, "Second")
    without = studio.remove_stem(OWNER, bass.id, bass.id)
    studio.editing.trash_node(OWNER, bass.id)

    assert _shown(studio, context) == [context.id]
    assert studio.editing.undo(OWNER, context.session_id) == without.id
    assert _shown(studio, context) == [context.id, bass.id, without.id]
    assert studio.editing.undo(OWNER, context.session_id) == bass.id
    assert _shown(studio, context) == [context.id, bass.id]
    studio.editing.undo(OWNER, context.session_id)
    assert studio.store.node(OWNER, bass.id).name == "First"
    studio.editing.undo(OWNER, context.session_id)
    assert studio.store.node(OWNER, bass.id).name == ""
    studio.editing.undo(OWNER, context.session_id)
    with pytest.raises(InvalidActionError, match="nothing to undo"):
        studio.editing.undo(OWNER, context.session_id)


def test_a_name_given_again_is_no_change_to_undo(studio: Studio, context: Node) -> None:
    studio.rename(OWNER, context.id, context.name)

    assert studio.editing.next_undo(OWNER, context.session_id) is None


def test_throwing_away_twice_is_undone_once(studio: Studio, context: Node) -> None:
    bass = _stem(studio, context)
    studio.editing.trash_node(OWNER, bass.id)
    studio.editing.trash_node(OWNER, bass.id)

    studio.editing.undo(OWNER, context.session_id)

    assert studio.editing.next_undo(OWNER, context.session_id) == "picking a stem"
    assert _shown(studio, context) == [context.id, bass.id]


def test_tidying_up_keeps_what_is_starred_open_or_needed_and_can_be_undone(studio: Studio, context: Node) -> None:
    loved_trunk = _stem(studio, context, 1)
    loved = _stem(studio, loved_trunk, 2)
    below = _stem(studio, loved, 3)
    lonely = _stem(studio, context, 4)
    lonely_below = _stem(studio, lonely, 5)
    open_trunk = _stem(studio, context, 6)
    opened = _stem(studio, open_trunk, 7)
    studio.star(OWNER, node_id=loved.id, variation_id=None, is_starred=True)
    before = _shown(studio, context)

    assert studio.editing.tidy(OWNER, context.session_id) == 2

    assert _shown(studio, context) == [context.id, loved_trunk.id, loved.id, open_trunk.id, opened.id]
    trash = studio.editing.trash(OWNER, context.session_id)
    assert {node.id: below_it for node, below_it in trash} == {below.id: 0, lonely.id: 1}
    studio.editing.undo(OWNER, context.session_id)
    assert _shown(studio, context) == before
    assert lonely_below.id in before
    studio.editing.tidy(OWNER, context.session_id)
    assert studio.editing.tidy(OWNER, context.session_id) == 0


def test_what_lies_in_the_trash_comes_back_with_what_was_built_on_it(studio: Studio, context: Node) -> None:
    bass = _stem(studio, context)
    piano = _stem(studio, bass, 8)
    studio.editing.trash_node(OWNER, bass.id)

    studio.editing.restore_node(OWNER, bass.id)

    assert _shown(studio, context) == [context.id, bass.id, piano.id]
    assert studio.editing.trash(OWNER, context.session_id) == ()


def test_nobody_else_undoes_tidies_or_looks_into_the_trash(studio: Studio, context: Node) -> None:
    bass = _stem(studio, context)
    share = studio.store.share_session(OWNER, context.session_id).token

    for token in (STRANGER, share):
        with pytest.raises(InvalidActionError, match="nothing to undo"):
            studio.editing.undo(token, context.session_id)
        with pytest.raises(NotFoundError):
            studio.editing.trash_node(token, bass.id)
    with pytest.raises(NotFoundError):
        studio.editing.tidy(STRANGER, context.session_id)
    with pytest.raises(NotFoundError):
        studio.editing.trash(STRANGER, context.session_id)
    assert _shown(studio, context) == [context.id, bass.id]


def test_only_so_many_steps_of_so_many_sessions_are_remembered(
    studio: Studio, context: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing_module, "MAX_SESSIONS", 1)
    for number in range(editing_module.MAX_STEPS + 5):
        studio.rename(OWNER, context.id, str(number))
    other = studio.start_from_example(OWNER, "loop")
    steps = studio.editing._histories

    assert len(steps[OWNER, context.session_id].done) == editing_module.MAX_STEPS
    studio.rename(OWNER, other.id, "new")
    assert list(steps) == [(OWNER, other.session_id)]
