"""Answers that come out of order, and where a tab stands while they are on their way."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.context import LocalContext
from gradio.route_utils import Request
from gradio.state_holder import SessionState

from app.services import Studio
from app.ui import answer_order
from app.ui.answer_order import AnswerOrder, current_tab, give_in_any_case
from app.ui.feed_handlers import FeedHandlers
from app.ui.wiring import PageWiring, in_order

A, B = {"session_id": "s", "node_id": "a"}, {"session_id": "s", "node_id": "b"}


def test_an_answer_that_a_newer_one_overtook_is_not_given() -> None:
    order = AnswerOrder()
    first, second, third = (order.begin("tab") for _ in range(3))

    assert order.give(second, "tab")
    assert not order.give(first, "tab")
    assert order.newest("tab") == second
    assert order.give(third, "tab")
    assert order.newest("tab") == third


def test_tabs_do_not_overtake_each_other() -> None:
    order = AnswerOrder()
    first, second = order.begin("other"), order.begin("one")

    assert order.give(second, "one")
    assert order.give(first, "other")
    assert order.newest("never seen") == 0


def test_the_tabs_that_were_silent_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_order, "MAX_TABS", 2)
    order = AnswerOrder()
    first = order.begin("")
    for tab in ("one", "two", "one", "three"):
        order.give(order.begin(tab), tab)

    assert not order.give(first, "one")
    assert order.give(first, "two")


def test_of_answers_given_from_many_threads_the_newest_always_gets_through() -> None:
    order = AnswerOrder()
    given: list[int] = []

    def answer() -> None:
        for _ in range(200):
            number = order.begin("tab")
            if order.give(number, "tab"):
                given.append(number)

    threads = [threading.Thread(target=answer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert max(given) == 1600
    assert len(set(given)) == len(given)


def test_a_tab_stands_where_it_was_led_last_though_that_is_not_answered_yet() -> None:
    order = AnswerOrder()
    first = order.begin("tab", A)
    second = order.begin("tab", B)

    order.settle(first, "tab", A)  # the older answer says nothing about the newer
    assert order.place("tab") == B
    order.settle(second, "tab", B | {"share": "link"})
    assert order.place("tab") == B | {"share": "link"}
    assert order.place("other") is None


def test_where_an_answer_could_not_be_read_the_page_says_where_it_stands() -> None:
    order = AnswerOrder()
    order.settle(order.begin("tab", A), "tab", None)

    assert order.place("tab") is None


def _taking_a_while(self: gr.HTML, value: str | None) -> str | None:
    """Make a value ready for the page as slowly as a loaded machine does."""
    time.sleep(random.random() / 100)
    return value


@pytest.mark.filterwarnings("default")  # Gradio's own
@pytest.mark.parametrize("seed", range(12))
def test_the_page_ends_with_the_newest_answer_however_long_each_takes(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gr.HTML, "postprocess", _taking_a_while)
    draw = random.Random(seed)
    delays_s = [draw.random() / 50 for _ in range(6)]
    order = AnswerOrder()
    newest = 0

    def handler(page: dict[str, Any], at: float) -> tuple[Any, ...]:
        nonlocal newest
        time.sleep(delays_s[int(at)])
        number = newest = order.begin(current_tab())
        time.sleep(delays_s[-int(at)])
        return page, *(str(number) for _ in range(4))

    with gr.Blocks() as page:
        state, at, button = gr.State({}), gr.Number(), gr.Button()
        parts = [gr.HTML() for _ in range(4)]
        PageWiring(order, state, [state, *parts]).each(((button.click, handler),), [state, at])
    (function,) = (fn for fn in page.fns.values() if fn.targets)
    on_page = [""] * 4

    async def click(number: int) -> None:
        request = Request(session_hash="tab")
        answer = await page.process_api(function, [None, number], SessionState(page), request=request)
        for place, value in enumerate(answer["data"][1:]):
            if isinstance(value, str):
                on_page[place] = value

    async def clicks() -> None:
        await asyncio.gather(*(click(number) for number in range(6)))

    _run_in_a_thread(clicks)

    assert on_page == [str(newest)] * 4


def test_a_handler_is_given_where_the_tab_stands_and_an_error_is_given_though_overtaken() -> None:
    order = AnswerOrder()
    met: list[Any] = []

    def handler(page: dict[str, Any]) -> tuple[Any, ...]:
        met.append(page)
        order.begin("tab")
        order.give(order.newest("tab") + 100, "tab")  # somebody else's, newer
        if page is B:
            give_in_any_case()
        return (page,)

    answers: list[Any] = []

    async def ask() -> None:
        LocalContext.request.set(Request(session_hash="tab"))
        answer = in_order(order, handler, stands=True)
        answers.append(await answer(A))
        order.begin("tab", B)
        answers.append(await answer(A))

    _run_in_a_thread(ask)

    assert met == [A, B]
    assert answers == [(gr.skip(),), (B,)]


def test_who_follows_brings_no_older_feed_than_an_answer_and_brings_its_own_again_after_one(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers = FeedHandlers(studio)
    order = handlers.answers
    views: list[dict[str, str]] = []
    looks: Iterator[tuple[str, bool]] = iter(
        [("old", True), ("new", False), ("new", False), ("new", True), ("new", False), ("newest", False)]
    )

    def look(*_: str) -> SimpleNamespace:
        name, is_overtaken = next(looks)
        if is_overtaken:  # an answer reads the store after this look and is given before it
            order.give(order.begin(""), "")
        return SimpleNamespace(view={"name": name}, has_work=name != "newest")

    async def follow() -> None:
        views.extend([view async for view in handlers.on_follow({"session_id": "s"}, {})])

    monkeypatch.setattr(Studio, "snapshot", lambda _, *asked: look(*asked))
    monkeypatch.setattr("app.ui.handlers.feed_view", lambda snapshot: snapshot.view)
    monkeypatch.setattr("app.ui.handlers.POLL_S", 0.0)
    _run_in_a_thread(follow)

    assert [view["name"] for view in views] == ["new", "new", "newest"]


def _run_in_a_thread(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine where no event loop is running: browser tests leave one in the main thread."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
