"""What was undone can be done again, until something else is done."""

import pytest

from app.services import Studio
from sessions.errors import InvalidActionError
from sessions.tree import MAX_COMMENT_LENGTH, Node
from tests.app.test_editing import STRANGER, _shown, _stem
from tests.app.waiting import OWNER


def _undo(studio: Studio, node: Node) -> str | None:
    return studio.editing.undo(OWNER, node.session_id)


def _redo(studio: Studio, node: Node) -> str | None:
    return studio.editing.redo(OWNER, node.session_id)


def _open(studio: Studio, node: Node) -> str | None:
    return studio.store.session(OWNER, node.session_id).current_node_id


def test_everything_that_was_undone_is_done_again_in_its_order(studio: Studio, context: Node) -> None:
    bass = _stem(studio, context)
    studio.rename(OWNER, bass.id, "First")
    studio.editing.comment(OWNER, bass.id, "a bit loud")
    without = studio.remove_stem(OWNER, bass.id, bass.id)
    studio.editing.trash_node(OWNER, bass.id)
    for _ in range(5):
        _undo(studio, context)
    assert _shown(studio, context) == [context.id]
    assert _open(studio, context) == context.id

    assert studio.editing.next_redo(OWNER, context.session_id) == "picking a stem"
    assert _redo(studio, context) == bass.id
    assert _open(studio, context) == bass.id
    assert studio.store.node(OWNER, bass.id).name == ""
    _redo(studio, context)
    assert studio.store.node(OWNER, bass.id).name == "First"
    assert studio.editing.next_redo(OWNER, context.session_id) == "writing a comment"
    _redo(studio, context)
    assert studio.store.node(OWNER, bass.id).comment == "a bit loud"
    assert _redo(studio, context) == without.id
    assert _shown(studio, context) == [context.id, bass.id, without.id]
    assert _redo(studio, context) == context.id
    assert _shown(studio, context) == [context.id]
    assert studio.editing.next_redo(OWNER, context.session_id) is None
    assert studio.editing.next_undo(OWNER, context.session_id) == "moving to the trash"


def test_tidying_up_is_undone_and_done_again_as_often_as_one_likes(studio: Studio, context: Node) -> None:
    first = _stem(studio, context, 1)
    second = _stem(studio, context, 2)
    studio.editing.tidy(OWNER, context.session_id)

    for _ in range(3):
        _undo(studio, context)
        assert _shown(studio, context) == [context.id, first.id, second.id]
        _redo(studio, context)
        assert _shown(studio, context) == [context.id, second.id]


def test_after_something_else_was_done_nothing_is_left_to_do_again(studio: Studio, context: Node) -> None:
    bass = _stem(studio, context)
    _undo(studio, context)
    studio.rename(OWNER, context.id, "Groove")

    assert studio.editing.next_redo(OWNER, context.session_id) is None
    with pytest.raises(InvalidActionError, match="nothing to do again"):
        _redo(studio, context)
    _undo(studio, context)
    assert bass.id not in _shown(studio, context)


def test_nobody_else_does_it_again(studio: Studio, context: Node) -> None:
    _stem(studio, context)
    _undo(studio, context)

    with pytest.raises(InvalidActionError, match="nothing to do again"):
        studio.editing.redo(STRANGER, context.session_id)
    assert _shown(studio, context) == [context.id]


def test_a_comment_is_one_line_of_limited_length_and_goes_when_it_is_empty(studio: Studio, context: Node) -> None:
    studio.editing.comment(OWNER, context.id, "  two\n lines  ")
    assert studio.store.node(OWNER, context.id).comment == "two lines"
    studio.editing.comment(OWNER, context.id, "x" * 1000)
    assert len(studio.store.node(OWNER, context.id).comment) == MAX_COMMENT_LENGTH

    studio.editing.comment(OWNER, context.id, "")

    assert studio.store.tree(OWNER, context.session_id)[0].comment == ""
    studio.editing.comment(OWNER, context.id, "")  # changes nothing, so there is nothing more to undo
    _undo(studio, context)
    assert len(studio.store.node(OWNER, context.id).comment) == MAX_COMMENT_LENGTH
