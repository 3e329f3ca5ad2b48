"""GPUs lent call by call, with a stand-in for the package that lends them: it copies, and asks whose request it is."""

import asyncio
import contextvars
import copy
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import gradio as gr
import pytest
from gradio.context import LocalContext

from app.errors import SettingsError
from app.main import build_studio
from app.orders import StemOrder
from app.services import Studio
from app.settings import Settings
from app.ui.feed_handlers import FeedHandlers
from app.zero_gpu import HandlerDesk, on_gpu
from sessions.store import open_store
from sessions.tree import Turn, WorkState
from stemgen_core.errors import InvalidRequestError
from tests.app.fakes import NoiseBurstGenerator
from tests.app.waiting import OWNER, finished, wait_for

STRANGER = "f" * 32


@dataclass
class Lender:
    """What `spaces.GPU` does, without a GPU: lends to the request being handled, and computes on copies."""

    asked_s: list[int] = field(default_factory=list)
    visitors: list[object] = field(default_factory=list)

    def decorate(self, *, duration: Callable[..., int]) -> Callable[[Any], Any]:
        def decorator(compute: Callable[..., Generator[object]]) -> Callable[..., Generator[object]]:
            def lent(*args: Any) -> Generator[object]:
                request = LocalContext.request.get(None)
                if request is None:
                    raise gr.Error("No visitor: ZeroGPU quota exceeded")
                self.visitors.append(request)
                self.asked_s.append(duration(*args))
                for told in compute(*copy.deepcopy(args)):
                    yield copy.deepcopy(told)

            return lent

        return decorator


@pytest.fixture
def lender(monkeypatch: pytest.MonkeyPatch) -> Lender:
    lender = Lender()
    module = ModuleType("spaces")
    module.GPU = lender.decorate  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "spaces", module)
    return lender


@pytest.fixture
def generator() -> NoiseBurstGenerator:
    return NoiseBurstGenerator(seconds_per_step=0.01)


@pytest.fixture
def studio(lender: Lender, generator: NoiseBurstGenerator, tmp_path: Path) -> Iterator[Studio]:
    settings = Settings(data_path=tmp_path / "data", is_zero_gpu=True)
    with open_store(settings.data_path) as store:
        studio = build_studio(settings, store, load_generators=[lambda: generator])
        studio.models.wait(30)
        try:
            yield studio
        finally:
            studio.worker.close()


def _ask(studio: Studio, owner: str = OWNER) -> Turn:
    node = studio.start_from_example(owner, next(iter(studio.examples)))
    return studio.request_stem(owner, node.id, StemOrder("bass", 2, "fast", 4))


def _as_visitor(act: Callable[[], Any], request: object = "a visitor's request") -> Any:
    """Act as Gradio's handlers do: in a thread of its own, with the request in the context.

    The main thread has a running event loop once a browser was started in it.
    """
    context = contextvars.copy_context()
    context.run(LocalContext.request.set, request)  # pyright: ignore[reportArgumentType]
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(context.run, act).result()


def test_where_no_gpu_is_lent_the_decorator_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spaces", None)  # importing it would fail

    def compute(*_: object) -> Generator[Any]:
        yield 1.0

    assert on_gpu(is_zero_gpu=False)(compute) is compute
    with pytest.raises(SettingsError, match="install the package `spaces`"):
        on_gpu(is_zero_gpu=True)


def test_stems_are_computed_within_the_request_of_who_asked_for_them(
    studio: Studio, lender: Lender, generator: NoiseBurstGenerator
) -> None:
    def wait() -> Turn:
        with studio.hosting(OWNER):
            return finished(studio, _ask(studio).id)

    turn = _as_visitor(wait)

    assert [each.state for each in turn.variations] == [WorkState.DONE, WorkState.DONE]
    assert lender.visitors == ["a visitor's request"] * 2
    assert all(15 < seconds <= 120 for seconds in lender.asked_s)
    assert [request.seed for request in generator.requests] == [4, 5]  # nobody measured the machine's speed with a GPU


def test_the_page_that_follows_is_the_one_that_computes(
    studio: Studio, lender: Lender, generator: NoiseBurstGenerator
) -> None:
    generator.seconds_per_step = 0.2
    turn = _ask(studio)
    page = {"session_id": turn.session_id, "node_id": turn.node_id}

    async def follow() -> list[Any]:
        return [view async for view in FeedHandlers(studio).on_follow(page, {"token": OWNER})]

    views = _as_visitor(lambda: asyncio.run(follow()))

    assert views[-1]["turns"][0]["state"] == "done"
    assert any(0 < each["progress"] < 1 for view in views for each in view["turns"][0]["variations"])
    assert len(lender.visitors) == 2


def test_without_a_page_the_stem_fails_in_words_and_the_next_in_line_is_served(studio: Studio, lender: Lender) -> None:
    impatient = replace(studio, desk=HandlerDesk(patience_s=0.05))
    alone = finished(impatient, _ask(impatient).id)

    assert [each.state for each in alone.variations] == [WorkState.FAILED, WorkState.FAILED]
    assert "keep it open" in str(alone.variations[0].error)
    assert lender.visitors == []


def test_nobody_computes_for_somebody_else(studio: Studio, lender: Lender) -> None:
    impatient = replace(studio, desk=HandlerDesk(patience_s=0.6))

    def wait() -> Turn:
        with impatient.hosting(STRANGER):
            return finished(impatient, _ask(impatient).id)

    assert _as_visitor(wait).variations[0].state is WorkState.FAILED
    assert lender.visitors == []


def test_a_used_up_quota_is_said_in_its_own_words(studio: Studio) -> None:
    def wait() -> Turn:
        with studio.hosting(OWNER):
            return finished(studio, _ask(studio).id)

    turn = _as_visitor(wait, None)

    assert turn.variations[0].error == "No visitor: ZeroGPU quota exceeded"


def test_a_cancelled_turn_stops_the_model_on_the_lent_gpu(studio: Studio, generator: NoiseBurstGenerator) -> None:
    generator.seconds_per_step = 0.3
    turn = _ask(studio)

    def wait() -> Turn:
        with studio.hosting(OWNER):
            wait_for(lambda: generator.num_running)
            studio.cancel_turn(OWNER, turn.id)
            assert generator.stopped.wait(30)
            return finished(studio, turn.id)

    assert _as_visitor(wait).state is WorkState.CANCELLED
    assert len(generator.requests) == 1


def test_what_goes_wrong_in_the_model_comes_back_as_itself(
    studio: Studio, generator: NoiseBurstGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise InvalidRequestError("Too loud for me.")

    monkeypatch.setattr(generator, "generate", refuse)

    def wait() -> Turn:
        with studio.hosting(OWNER):
            return finished(studio, _ask(studio).id)

    assert _as_visitor(wait).variations[0].error == "Too loud for me."


def test_the_desk_serves_many_owners_at_once_and_each_only_its_own(lender: Lender) -> None:
    desk = HandlerDesk(patience_s=30)
    made: dict[str, set[str]] = {}

    def call_of(owner: str) -> Any:
        made.setdefault(owner, set()).add(threading.current_thread().name)
        return owner

    def ask(owner: str, answers: list[Any]) -> None:
        answers.extend(desk.run(owner, lambda: call_of(owner)) for _ in range(5))

    owners = [f"{number:032x}" for number in range(4)]
    answers: dict[str, list[Any]] = {owner: [] for owner in owners}
    askers = [threading.Thread(target=ask, args=(owner, answers[owner])) for owner in owners]
    with desk.hosting(owners[0]), desk.hosting(owners[1]), desk.hosting(owners[2]), desk.hosting(owners[3]):
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(30)

    assert answers == {owner: [owner] * 5 for owner in owners}
