"""Part of a stem anew, a stem moved in time, a mix twice as long."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from app.errors import BusyError, NothingToDoError
from app.orders import StemOrder
from app.revising import extend, nudge, nudge_ms, revise_part, shift
from app.services import Studio
from app.ui.feed_view import feed_view
from app.worker import MAX_TURNS_PER_OWNER
from sessions.errors import NotFoundError
from sessions.tree import Node, NodeKind, Turn
from stemgen_core.errors import InvalidRequestError
from stemgen_core.types import Waveform
from tests.app.conftest import OpenStudio
from tests.app.fakes import NoiseBurstGenerator
from tests.app.waiting import OWNER, finished
from tests.generators import GOOD_FIT, POOR_FIT, EchoGenerator

STRANGER = "f" * 32


@pytest.fixture
def generator() -> NoiseBurstGenerator:
    return NoiseBurstGenerator(seconds_per_step=0.0)


@pytest.fixture
def studio(open_studio: OpenStudio, generator: NoiseBurstGenerator) -> Iterator[Studio]:
    with open_studio(generator) as opened:
        yield opened


def _bass(studio: Studio, node: Node, num_variations: int = 1, seed: int = 40) -> Turn:
    order = StemOrder("bass", num_variations, "tight", seed)
    return finished(studio, studio.request_stem(OWNER, node.id, order).id)


def _revise(studio: Studio, variation_id: str, open_node_id: str, parts: tuple[int, int] = (0, 0)) -> Turn:
    turn = revise_part(
        studio, OWNER, variation_id, parts=parts, first_seed=900, num_variations=2, open_node_id=open_node_id
    )
    return finished(studio, turn.id)


def test_a_part_made_anew_is_a_turn_on_the_same_mix_that_says_which_part(
    studio: Studio, context: Node, generator: NoiseBurstGenerator
) -> None:
    studio.correct_context(OWNER, context.id, {"tempo_bpm": 240, "beats_per_bar": 4, "first_downbeat_s": 0})
    turn = _bass(studio, context, 2)
    second = turn.variations[1]

    again = _revise(studio, second.id, context.id, (1, 1))

    revision = generator.requests[-1].revision
    assert revision is not None
    assert (revision.start_s, revision.end_s, revision.sound_seed) == (1.0, 2.0, 41)
    assert second.audio is not None
    torch.testing.assert_close(revision.stem.samples, studio.sounds.read(second.audio).samples)
    assert [request.seed for request in generator.requests[-2:]] == [900, 901]
    assert (again.node_id, again.instrument, again.preset) == (context.id, "bass", "tight")
    view = feed_view(studio.snapshot(OWNER, context.session_id))["turns"][-1]
    assert view["how"] == "bar 2 of B · Tight"


def test_a_part_of_a_part_keeps_the_sound_of_the_first(
    studio: Studio, context: Node, generator: NoiseBurstGenerator
) -> None:
    first = _revise(studio, _bass(studio, context).variations[0].id, context.id)

    _revise(studio, first.variations[0].id, context.id)

    revision = generator.requests[-1].revision
    assert revision is not None
    assert revision.sound_seed == 40


def test_notes_go_along_with_the_stem(open_studio: OpenStudio) -> None:
    generator = EchoGenerator()
    with open_studio(generator) as studio:
        context = studio.start_from_example(OWNER, "loop")
        _revise(studio, _bass(studio, context).variations[0].id, context.id)

    revision = generator.requests[-1].revision
    assert revision is not None
    assert revision.notes is not None
    assert [note.pitch for note in revision.notes] == [40]


def test_a_stem_deep_in_the_open_mix_is_made_anew_for_what_came_later(
    studio: Studio, context: Node, generator: NoiseBurstGenerator
) -> None:
    bass = _bass(studio, context).variations[0]
    bass_node = studio.pick(OWNER, bass.id)
    piano = finished(studio, studio.request_stem(OWNER, bass_node.id, StemOrder("piano", 1, "wild", 3)).id)
    open_node = studio.pick(OWNER, piano.variations[0].id)

    turns = [_revise(studio, bass.id, open_node.id) for _ in range(2)]

    base = studio.store.node(OWNER, turns[0].node_id)
    assert (base.kind, base.parent_id, base.removed_node_id) == (NodeKind.REMOVAL, open_node.id, bass_node.id)
    assert turns[1].node_id == base.id  # no second removal of the same
    heard = studio.sounds.mix_at([*studio.store.lineage(OWNER, open_node.id)][:1])
    assert (generator.contexts[-1].samples - heard.samples).abs().max() > 0.01  # the piano is heard
    assert len(studio.store.tree(OWNER, context.session_id)) == 4


def test_the_newest_stem_is_made_anew_beside_itself(studio: Studio, context: Node) -> None:
    bass = _bass(studio, context).variations[0]
    node = studio.pick(OWNER, bass.id)

    assert _revise(studio, bass.id, node.id).node_id == context.id


@pytest.mark.parametrize("parts", [(-1, 0), (1, 0), (0, 2), (7, 9)])
def test_bars_that_are_not_there_are_refused(studio: Studio, context: Node, parts: tuple[int, int]) -> None:
    studio.correct_context(OWNER, context.id, {"tempo_bpm": 240, "beats_per_bar": 4, "first_downbeat_s": 0})
    bass = _bass(studio, context).variations[0]

    with pytest.raises(NothingToDoError, match="bars from 1 to 2"):
        _revise(studio, bass.id, context.id, parts)


def test_too_many_variations_and_other_peoples_stems_are_refused(studio: Studio, context: Node) -> None:
    bass = _bass(studio, context).variations[0]

    with pytest.raises(InvalidRequestError, match="1 to 4"):
        revise_part(studio, OWNER, bass.id, parts=(0, 0), first_seed=1, num_variations=5, open_node_id=context.id)
    with pytest.raises(NotFoundError):
        nudge(studio, STRANGER, bass.id)
    with pytest.raises(NotFoundError):
        extend(studio, STRANGER, context.id)


def test_a_stem_that_plays_late_is_moved_back_by_what_was_measured(studio: Studio, context: Node) -> None:
    late = _bass(studio, context, seed=41).variations[0]  # the fake measures 46 ms on odd seeds
    assert late.audio is not None

    turn = nudge(studio, OWNER, late.id)

    moved = turn.variations[0]
    assert moved.audio is not None
    before, after = studio.sounds.read(late.audio).samples, studio.sounds.read(moved.audio).samples
    by = round(0.046 * 44_100)
    torch.testing.assert_close(after[:, :-by], before[:, by:])
    assert float(after[:, -by:].abs().max()) == 0
    assert (turn.state.value, turn.node_id, moved.seed) == ("done", context.id, 41)
    view = feed_view(studio.snapshot(OWNER, context.session_id))["turns"][-1]
    assert (view["how"], view["is_copy"]) == ("moved 46 ms earlier", True)


def test_a_stem_in_time_is_not_moved(studio: Studio, context: Node) -> None:
    in_time = _bass(studio, context, seed=40).variations[0]
    studio_fit = GOOD_FIT.to_json() | {"offset_ms": 1.0}

    assert nudge_ms(POOR_FIT.to_json()) == 46.0
    assert nudge_ms(studio_fit) is None
    assert nudge_ms(studio_fit | {"offset_ms": None}) is None
    assert nudge_ms(POOR_FIT.to_json() | {"is_silent": True}) is None
    assert in_time.fit is not None


@pytest.mark.parametrize("by_ms", [-30.0, 0.0, 12.5])
def test_shifting_there_and_back_keeps_the_middle(by_ms: float) -> None:
    wave = Waveform(torch.randn(2, 8000, generator=torch.Generator().manual_seed(0)), 8000)

    back = shift(shift(wave, by_ms), -by_ms)

    edge = round(abs(by_ms) * 8)
    torch.testing.assert_close(back.samples[:, edge : 8000 - edge], wave.samples[:, edge : 8000 - edge])
    assert shift(wave, by_ms).samples.shape == wave.samples.shape


def test_twice_as_long_is_a_new_tree_in_which_everything_plays_twice(studio: Studio, context: Node) -> None:
    bass = studio.pick(OWNER, _bass(studio, context).variations[0].id)
    piano_turn = finished(studio, studio.request_stem(OWNER, bass.id, StemOrder("piano", 1, "wild", 3)).id)
    piano = studio.pick(OWNER, piano_turn.variations[0].id)
    before = studio.sounds.mix_at(studio.store.lineage(OWNER, piano.id)).samples

    longer = extend(studio, OWNER, piano.id)

    lineage = studio.store.lineage(OWNER, longer.id)
    after = studio.sounds.mix_at(lineage).samples
    torch.testing.assert_close(after, before.repeat(1, 2))
    assert [node.instrument for node in lineage] == [None, "bass", "piano"]
    assert lineage[0].analysis is not None
    assert lineage[0].analysis["duration_s"] == 4.0
    assert studio.store.session(OWNER, context.session_id).current_node_id == longer.id
    again = _revise(studio, str(longer.variation_id), longer.id)
    assert again.node_id == lineage[1].id


def test_longer_than_a_context_may_be_is_refused(studio: Studio, context: Node) -> None:
    short = replace(studio, max_context_s=3.0)

    with pytest.raises(NothingToDoError, match="more than 3 seconds"):
        extend(short, OWNER, context.id)
    assert len(studio.store.tree(OWNER, context.session_id)) == 1


def test_a_moved_stem_is_undone_out_of_the_feed_and_done_again(studio: Studio, context: Node) -> None:
    late = _bass(studio, context, seed=41).variations[0]
    moved = nudge(studio, OWNER, late.id)

    def told() -> list[str]:
        return [turn["turn_id"] for turn in feed_view(studio.snapshot(OWNER, context.session_id))["turns"]]

    assert studio.editing.next_undo(OWNER, context.session_id) == "moving a stem in time"
    studio.editing.undo(OWNER, context.session_id)
    assert told() == [late.turn_id]
    studio.editing.redo(OWNER, context.session_id)
    assert told() == [late.turn_id, moved.id]


def test_twice_as_long_is_undone_with_all_that_was_repeated_and_done_again(studio: Studio, context: Node) -> None:
    bass = studio.pick(OWNER, _bass(studio, context).variations[0].id)
    short = [node.id for node in studio.store.tree(OWNER, context.session_id)]
    longer = extend(studio, OWNER, bass.id)
    long = [node.id for node in studio.store.tree(OWNER, context.session_id)]
    assert len(feed_view(studio.snapshot(OWNER, context.session_id))["turns"]) == 2

    assert studio.editing.undo(OWNER, context.session_id) == bass.id
    view = feed_view(studio.snapshot(OWNER, context.session_id))
    assert [node.id for node in studio.store.tree(OWNER, context.session_id)] == short
    assert (len(view["contexts"]), len(view["turns"])) == (1, 1)
    assert studio.editing.redo(OWNER, context.session_id) == longer.id
    assert [node.id for node in studio.store.tree(OWNER, context.session_id)] == long


def test_bars_that_are_refused_for_want_of_a_place_leave_no_node_behind(
    studio: Studio, context: Node, generator: NoiseBurstGenerator
) -> None:
    bass = _bass(studio, context).variations[0]
    bass_node = studio.pick(OWNER, bass.id)
    piano = finished(studio, studio.request_stem(OWNER, bass_node.id, StemOrder("piano", 1, "wild", 3)).id)
    open_node = studio.pick(OWNER, piano.variations[0].id)
    before = studio.store.tree(OWNER, context.session_id)
    generator.seconds_per_step = 2.0
    waiting = [
        studio.request_stem(OWNER, open_node.id, StemOrder("bass", 1, "tight", 50)) for _ in range(MAX_TURNS_PER_OWNER)
    ]

    with pytest.raises(BusyError, match="in line already"):
        revise_part(studio, OWNER, bass.id, parts=(0, 0), first_seed=9, num_variations=1, open_node_id=open_node.id)

    assert studio.store.tree(OWNER, context.session_id) == before
    assert studio.editing.next_undo(OWNER, context.session_id) == "picking a stem"
    for turn in waiting:
        studio.cancel_turn(OWNER, turn.id)
