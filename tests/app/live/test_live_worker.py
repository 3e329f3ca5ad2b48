"""Errands stand in the same line as turns, and give way as they do."""

import threading

from app.errands import Errand
from app.orders import StemOrder
from app.services import Studio
from sessions.tree import Node
from tests.app.waiting import OWNER, finished, wait_for

OTHER = "1" * 32


def errand(owner: str, name: str, done: list[str], gate: threading.Event | None = None) -> Errand:
    def run(must_stop: object) -> None:
        if gate is not None:
            gate.wait(30)
        done.append(name)

    return Errand(owner, name, 1.0, run)


def test_owners_take_turns_whether_they_ask_for_stems_or_play_live(studio: Studio) -> None:
    done: list[str] = []
    gate = threading.Event()
    studio.worker.run_errand(errand(OWNER, "first", done, gate))
    wait_for(lambda: studio.worker._current is not None)
    for name in ("mine 1", "mine 2", "mine 3"):
        studio.worker.run_errand(errand(OWNER, name, done))
    studio.worker.run_errand(errand(OTHER, "theirs", done))
    gate.set()

    wait_for(lambda: len(done) == 5)
    assert done.index("theirs") <= 2


def test_a_turn_is_made_beside_errands(studio: Studio, context: Node) -> None:
    done: list[str] = []
    studio.worker.run_errand(errand(OTHER, "live", done))

    turn = studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "balanced", 0))

    assert finished(studio, turn.id).state.value == "done"
    assert wait_for(lambda: done == ["live"])


def test_an_errand_that_breaks_leaves_the_worker_at_work(studio: Studio, context: Node) -> None:
    def breaks(must_stop: object) -> None:
        raise RuntimeError("as it happens")

    studio.worker.run_errand(Errand(OWNER, "broken", 1.0, breaks))
    turn = studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "balanced", 0))

    assert finished(studio, turn.id).state.value == "done"


def test_an_errand_that_is_dropped_is_told_to_stop_or_never_begun(studio: Studio) -> None:
    done: list[str] = []
    was_told = threading.Event()

    def waits(must_stop: object) -> None:
        assert callable(must_stop)
        wait_for(lambda: must_stop())
        was_told.set()

    studio.worker.run_errand(Errand(OWNER, "running", 1.0, waits))
    wait_for(lambda: studio.worker._current is not None)
    studio.worker.run_errand(errand(OWNER, "waiting", done))
    studio.worker.drop_errand("waiting")
    studio.worker.drop_errand("running")
    studio.worker.drop_errand("unknown")

    assert was_told.wait(30)
    wait_for(lambda: studio.worker._current is None)
    assert done == []
