"""What Gradio remembers of tabs, by its own queue and state; the module that bounds it is named in each."""

import asyncio
import gc
import tracemalloc
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, TypeVar

import gradio as gr
import pytest
from gradio.queueing import Queue
from gradio.routes import App, file_upload_statuses
from gradio.server_messages import ProcessCompletedMessage
from gradio.state_holder import SessionState, StateHolder
from starlette.exceptions import HTTPException

from app.main import TABS_REMEMBERED
from app.services import Studio
from app.ui.layout import build_page
from app.ui.tab_memory import (
    MAX_MARKS,
    MAX_NAME_CHARS,
    MAX_UNHEARD_BYTES,
    TAB_BYTES,
    LastOf,
    UnheardAnswers,
    bound_marks,
    bound_unheard_answers,
    forget_what_tabs_show,
    keep_little_of_tabs,
    refuse_long_names,
)

LONG = "x" * 100_000
Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def _little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound what Gradio keeps in this process for the time of a test."""
    monkeypatch.setattr(SessionState, "config_values", None, raising=False)
    monkeypatch.setattr(StateHolder, "__getitem__", StateHolder.__getitem__)
    monkeypatch.setattr(file_upload_statuses, "_statuses", {})
    monkeypatch.setattr(file_upload_statuses, "_signals", {})
    monkeypatch.setattr(App, "iterators_to_reset", None, raising=False)
    forget_what_tabs_show()
    refuse_long_names()
    bound_marks()


@pytest.fixture
def page(studio: Studio) -> gr.Blocks:
    page = build_page(studio, browser_secret="s")
    page.queue()
    return page


def _run(what: Coroutine[Any, Any, Result]) -> Result:
    """Run in a thread of its own: in this one the browser of other tests may have left a loop running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, what).result()


def _answer(words: str) -> ProcessCompletedMessage:
    return ProcessCompletedMessage(output={"data": [words]}, success=True)


def _join(queue: Queue, tab: str, event_id: str = "event") -> asyncio.Queue[Any]:
    """Do what the queue does when a tab asks for something, up to the answer."""
    if tab not in queue.pending_messages_per_session:
        queue.pending_messages_per_session[tab] = asyncio.Queue()
    queue.pending_event_ids_session.setdefault(tab, set()).add(event_id)
    queue.event_ids_to_events[event_id] = SimpleNamespace(session_hash=tab, alive=True)  # pyright: ignore
    return queue.pending_messages_per_session[tab]


def test_nothing_that_a_tab_sent_or_was_shown_is_kept(page: gr.Blocks) -> None:
    box = next(block for block in page.blocks.values() if isinstance(block, gr.HTML))
    SessionState(page)  # the first one imports
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tabs = [SessionState(page) for _ in range(10)]
        for number, tab in enumerate(tabs):
            tab._update_value_in_config(box._id, LONG + str(number))
            tab._update_config(box._id)
            tab[box._id] = box
        gc.collect()
        per_tab = (tracemalloc.get_traced_memory()[0] - before) / len(tabs)
    finally:
        tracemalloc.stop()

    assert per_tab < 12_000
    assert per_tab * TABS_REMEMBERED < 6_000_000


def test_a_tab_goes_on_with_what_only_it_knows(page: gr.Blocks) -> None:
    state = next(block for block in page.blocks.values() if isinstance(block, gr.State))
    tab = SessionState(page)

    tab[state._id] = {"session_id": "s", "node_id": "n"}

    assert tab[state._id] == {"session_id": "s", "node_id": "n"}
    assert list(tab.components) == []


def test_names_longer_than_any_tabs_are_refused_and_kept_nowhere(page: gr.Blocks) -> None:
    holder = StateHolder()
    holder.set_blocks(page)

    holder["t" * MAX_NAME_CHARS]
    with pytest.raises(HTTPException, match="at most 128 characters") as refused:
        holder["t" * (MAX_NAME_CHARS + 1)]

    assert refused.value.status_code == 400
    assert [len(name) for name in holder.session_data] == [MAX_NAME_CHARS]


def test_bounding_twice_is_bounding_once(page: gr.Blocks) -> None:
    once = StateHolder.__getitem__

    keep_little_of_tabs(page._queue)

    assert StateHolder.__getitem__ is once
    assert isinstance(page._queue.pending_messages_per_session, UnheardAnswers)


@pytest.mark.parametrize("num_tabs", [1, 200])
def test_answers_that_nobody_takes_have_a_limit_however_many_tabs_ask(page: gr.Blocks, num_tabs: int) -> None:
    queue = page._queue
    bound_unheard_answers(queue, max_bytes=1_000_000)

    async def ask() -> None:
        for number in range(400):
            _join(queue, f"tab {number % num_tabs}", f"event {number}").put_nowait(_answer(LONG))

    _run(ask())

    kept = queue.pending_messages_per_session
    waiting = sum(answers.qsize() for answers in kept.values())
    assert waiting * len(LONG) <= 1_000_000
    assert waiting >= (8 if num_tabs > 1 else 0)
    assert set(queue.pending_event_ids_session) <= set(kept)


def test_who_is_dropped_is_the_one_who_was_deaf_longest_and_nobody_who_listens(page: gr.Blocks) -> None:
    queue = page._queue
    bound_unheard_answers(queue, max_bytes=350_000)

    async def ask() -> list[int]:
        listening = _join(queue, "listens", "first")
        taker = asyncio.create_task(listening.get())
        await asyncio.sleep(0)
        for number in range(5):
            _join(queue, f"deaf {number}", f"event {number}").put_nowait(_answer(LONG))
        listening.put_nowait(_answer(LONG))
        return [len((await taker).output["data"][0])]

    heard = _run(ask())

    assert heard == [len(LONG)]
    assert set(queue.pending_messages_per_session) == {"listens", "deaf 2", "deaf 3", "deaf 4"}
    alive = {event.session_hash for event in queue.event_ids_to_events.values() if event.alive}
    assert alive == {"listens", "deaf 2", "deaf 3", "deaf 4"}


def test_what_was_taken_or_left_is_not_counted_any_more(page: gr.Blocks) -> None:
    queue = page._queue
    bound_unheard_answers(queue)
    kept: Any = queue.pending_messages_per_session

    async def ask() -> None:
        taken, left = _join(queue, "takes"), _join(queue, "leaves")
        taken.put_nowait(_answer(LONG))
        left.put_nowait(_answer(LONG))
        assert kept.num_bytes > 2 * len(LONG) + 2 * TAB_BYTES
        await taken.get()
        del queue.pending_messages_per_session["leaves"]
        left.put_nowait(_answer(LONG))

    _run(ask())

    assert kept.num_bytes == 0


def test_an_answer_to_a_dropped_request_is_not_counted_for_the_tab_that_came_back(page: gr.Blocks) -> None:
    queue = page._queue
    bound_unheard_answers(queue)
    kept: Any = queue.pending_messages_per_session

    async def ask() -> None:
        before = _join(queue, "comes back", "first")
        del queue.pending_messages_per_session["comes back"]
        _join(queue, "comes back", "second")
        before.put_nowait(_answer(LONG))

    _run(ask())

    assert kept.num_bytes == 0


def test_nothing_is_kept_of_tabs_that_have_heard_everything(page: gr.Blocks) -> None:
    queue = page._queue
    bound_unheard_answers(queue)

    async def ask() -> None:
        for number in range(50):
            answers = _join(queue, f"tab {number}")
            answers.put_nowait(_answer("short"))
            await answers.get()
            queue.pending_event_ids_session[f"tab {number}"].discard("event")

    _run(ask())

    assert list(queue.pending_messages_per_session) == ["tab 49"]
    assert list(queue.pending_event_ids_session) == ["tab 49"]


def test_an_open_page_is_far_from_the_limit() -> None:
    assert 100 * (TAB_BYTES + len(LONG)) < MAX_UNHEARD_BYTES


def test_marks_of_uploads_and_cancelled_events_are_the_last_ones_only() -> None:
    app = App.__new__(App)

    async def follow(name: str) -> None:
        following = asyncio.create_task(file_upload_statuses.is_tracked(name))
        await asyncio.sleep(0)
        following.cancel()

    async def mark() -> None:
        for number in range(MAX_MARKS + 5):
            file_upload_statuses.track(f"upload {number}")
            await follow(f"nobody's {number}")
            app.iterators_to_reset.add(f"event {number}")

    _run(mark())

    assert len(file_upload_statuses._statuses) == MAX_MARKS
    assert len(file_upload_statuses._signals) == MAX_MARKS
    assert len(app.iterators_to_reset) == MAX_MARKS
    app.iterators_to_reset.remove(f"event {MAX_MARKS}")
    assert f"event {MAX_MARKS}" not in app.iterators_to_reset


def test_an_upload_is_followed_to_its_end() -> None:
    file_upload_statuses.append("mine", "loop.wav", b"1234")
    file_upload_statuses.append("mine", "loop.wav", b"56")

    assert file_upload_statuses.pop("mine").chunk_size == 6
    file_upload_statuses.set_done("mine")
    assert file_upload_statuses.is_done("mine")
    file_upload_statuses.stop_tracking("mine")
    assert "mine" not in file_upload_statuses._statuses


def test_what_has_no_default_is_missing() -> None:
    with pytest.raises(KeyError):
        LastOf[str, int]()["nothing"]
