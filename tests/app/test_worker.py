"""Several people at once: limits, places in line, and what they are told."""

import threading

import pytest

from app.errands import Errand, Pilot
from app.errors import BusyError
from app.line import FairLine
from app.orders import StemOrder
from app.services import Studio
from app.worker import MAX_TURNS, MAX_TURNS_PER_OWNER
from sessions.errors import InvalidActionError
from sessions.tree import Turn, WorkState
from stemgen_core.generator import GenerationRequest
from tests.app.conftest import OpenStudio
from tests.app.fakes import GatedGenerator, noise_bursts
from tests.app.waiting import OWNER, finished, wait_for
from tests.generators import EchoGenerator
from tests.slow_reading import SlowToRead

ONE = StemOrder("bass", 1, "fast", 7)
TWO = StemOrder("bass", 2, "fast", 7)
LIGHT = "1" * 32


def _owner(number: int) -> str:
    return f"{number:032x}"


def _ask(studio: Studio, owner: str, order: StemOrder = ONE) -> Turn:
    sessions = studio.sessions(owner)
    node_id = sessions[0].current_node_id if sessions else studio.start_from_example(owner, "loop").id
    assert node_id is not None
    return studio.request_stem(owner, node_id, order)


def _let_through(generator: GatedGenerator, num_variations: int) -> None:
    for _ in range(num_variations):
        generator.gate.release()
        assert generator.entered.acquire(timeout=10)


def test_one_owner_may_have_six_turns_in_line_and_is_told_when_to_come_back(open_studio: OpenStudio) -> None:
    with open_studio(GatedGenerator()) as studio:
        for _ in range(MAX_TURNS_PER_OWNER):
            _ask(studio, OWNER)
        session_id = studio.sessions(OWNER)[0].id

        with pytest.raises(
            BusyError, match=r"6 of your requests are in line already\. Try again in about \d+ s"
        ) as told:
            _ask(studio, OWNER)

        assert told.value.retry_after_s >= 1
        assert len(studio.store.turns(OWNER, session_id)) == MAX_TURNS_PER_OWNER
        assert _ask(studio, LIGHT).state is WorkState.QUEUED  # others are let in


def test_thirty_two_turns_are_the_most_for_everybody_together(open_studio: OpenStudio) -> None:
    with open_studio(GatedGenerator()) as studio:
        for number in range(MAX_TURNS):
            _ask(studio, _owner(number + 1))

        with pytest.raises(BusyError, match=r"The studio is busy: 32 requests are in line\. Try again in about"):
            _ask(studio, _owner(MAX_TURNS + 1))


def test_a_cancelled_turn_makes_room_at_once(open_studio: OpenStudio) -> None:
    with open_studio(GatedGenerator()) as studio:
        turns = [_ask(studio, OWNER) for _ in range(MAX_TURNS_PER_OWNER)]

        studio.cancel_turn(OWNER, turns[-1].id)

        assert _ask(studio, OWNER).state is WorkState.QUEUED


def test_requests_at_the_same_moment_do_not_slip_past_the_limit(open_studio: OpenStudio) -> None:
    with open_studio(GatedGenerator()) as studio:
        context = studio.start_from_example(OWNER, "loop")
        refused: list[BusyError] = []

        def ask() -> None:
            try:
                studio.request_stem(OWNER, context.id, ONE)
            except BusyError as error:
                refused.append(error)

        threads = [threading.Thread(target=ask) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(studio.store.turns(OWNER, context.session_id)) == MAX_TURNS_PER_OWNER
        assert len(refused) == 24 - MAX_TURNS_PER_OWNER


def test_a_turn_that_could_not_be_written_down_gives_its_place_back(open_studio: OpenStudio) -> None:
    with open_studio(GatedGenerator()) as studio:
        context = studio.start_from_example(OWNER, "loop")
        studio.store.delete_session(OWNER, context.session_id)
        for _ in range(MAX_TURNS_PER_OWNER + 1):
            with pytest.raises(InvalidActionError):
                studio.request_stem(OWNER, context.id, ONE)


def test_a_light_user_is_served_between_two_variations_of_a_flooder(open_studio: OpenStudio) -> None:
    generator = GatedGenerator()
    with open_studio(generator) as studio:
        floods = [_ask(studio, OWNER, StemOrder("bass", 4, "fast", 7)) for _ in range(3)]
        assert generator.entered.acquire(timeout=10)

        light = _ask(studio, LIGHT, TWO)
        before = studio.worker.progress(light.id)
        _let_through(generator, 2)
        between = studio.worker.progress(light.id), studio.worker.progress(floods[0].id)
        generator.gate.release(2)
        finished(studio, light.id, LIGHT)

        assert before is not None
        assert before.queue_position == 1  # next, though eleven variations were asked for before
        assert all(progress is not None and progress.queue_position == 0 for progress in between)
        done = sum(v.state is WorkState.DONE for v in studio.store.turn(OWNER, floods[0].id).variations)
        assert done == 2


def test_a_turn_that_was_overtaken_hears_its_own_context_again(open_studio: OpenStudio) -> None:
    generator = GatedGenerator()
    with open_studio(generator) as studio:
        mine = _ask(studio, OWNER, TWO)
        assert generator.entered.acquire(timeout=10)
        picked = _ask(studio, LIGHT, ONE)
        generator.gate.release(3)
        finished(studio, mine.id)
        finished(studio, picked.id, LIGHT)

        assert [context.num_audio_samples for context in generator.contexts] == [88_200] * 3
        assert generator.contexts[0] is not generator.contexts[2]


def test_the_time_to_come_back_is_what_the_first_turn_in_line_still_takes(open_studio: OpenStudio) -> None:
    generator = GatedGenerator()
    with open_studio(generator) as studio:
        first = _ask(studio, OWNER)
        assert generator.entered.acquire(timeout=10)
        generator.gate.release()
        finished(studio, first.id)
        studio.worker._speed._seconds_per_unit = 100.0 / 28  # 2 s of context x 14 steps

        for _ in range(MAX_TURNS_PER_OWNER):
            _ask(studio, OWNER)
        with pytest.raises(BusyError) as told:
            _ask(studio, OWNER)

        assert 90 <= told.value.retry_after_s <= 100


def test_after_a_flood_nothing_of_it_is_kept(open_studio: OpenStudio) -> None:
    with open_studio(EchoGenerator()) as studio:
        for number in range(60):
            try:
                _ask(studio, _owner(number + 1))
            except BusyError:
                continue
        wait_for(lambda: not studio.worker._unfinished and studio.worker._current is None, timeout_s=60)

        assert len(studio.worker._line) == 0
        assert not studio.worker._reserved
        assert studio.worker._loaded is None


def test_measuring_gives_way_to_several_who_come_at_once(
    open_studio: OpenStudio, caplog: pytest.LogCaptureFixture
) -> None:
    generator = GatedGenerator()
    done: list[str] = []

    def errand(number: int) -> Errand:
        return Errand(_owner(number), str(number), 1.0, lambda _: done.append(str(number)))

    with open_studio(generator) as studio:
        worker = studio.worker
        worker.measure_speed(Pilot(generator, noise_bursts(8000, 8000, 1), GenerationRequest("bass", 99)))
        assert generator.entered.acquire(timeout=30)
        with worker._changed:  # two in line before the measuring sees the first
            line = FairLine()
            for each in (errand(1), errand(2)):
                worker._errands[each.id] = each
                line.join(each.owner_token, each.id, [each.units])
            worker._line._ring = ring = SlowToRead(line._ring)
        assert ring.is_being_read.wait(30)

        worker.run_errand(errand(3))

        wait_for(lambda: len(done) == 3)
    assert "could not be measured" not in caplog.text
