"""What is done in quick succession on a slow machine: nothing is taken back, and everything acts where one went."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from app.services import Snapshot, Studio
from tests.app.browser.conftest import BROWSER_MARKS, Server, Visit
from tests.app.browser.steps import generate, pick, start_from_example

pytestmark = BROWSER_MARKS


@pytest.fixture
def page(server: Server, visit: Visit) -> Page:
    page = visit(server.url)
    start_from_example(page)
    return page


@contextmanager
def _next_answer_held_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let the next answer wait after it has read the store; yields what is set as soon as it waits."""
    reads, may_answer, finished = threading.Event(), threading.Event(), threading.Event()
    real_snapshot = Studio.snapshot

    def snapshot_of_a_slow_machine(self: Studio, token: str, session_id: str, node_id: str | None = None) -> Snapshot:
        snapshot = real_snapshot(self, token, session_id, node_id)
        if node_id and not reads.is_set():
            reads.set()
            may_answer.wait(60)
            finished.set()
        return snapshot

    monkeypatch.setattr(Studio, "snapshot", snapshot_of_a_slow_machine)
    yield reads
    may_answer.set()
    assert finished.wait(60)


def test_a_slow_answer_never_takes_back_what_was_done_after_it(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(page, "Bass", 1)
    with _next_answer_held_back(monkeypatch) as waits:
        page.locator("#tree .name", has_text="Noise loop").click()
        assert waits.wait(60)
        pick(page, "A")
    page.locator('#tree [aria-label="Bass A"] > .node').hover()
    page.locator('#tree [aria-label="Bass A"] > .node .star').click()  # its answer comes after the slow one

    expect(page.locator('#tree .star[aria-pressed="true"]')).to_have_count(1)
    assert page.locator("#tree .name .label").all_text_contents() == ["Noise loop", "Bass A"]
    expect(page.locator("#tree [aria-selected=true]")).to_have_attribute("aria-label", "Bass A")
    expect(page.locator("#adding-to")).to_contain_text("Bass A")


def test_what_is_done_next_is_done_where_one_went_though_that_is_not_answered(
    page: Page, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(page, "Bass", 1)
    pick(page, "A")
    token = page.evaluate("stemEngine.mediaKey")
    root = page.evaluate("stemStage.feed.contexts[0].node_id")
    with _next_answer_held_back(monkeypatch) as waits:
        page.locator("#tree .name", has_text="Noise loop").click()
        assert waits.wait(60)
        page.locator("#tree [role=treeitem]").first.press("s")  # a star moves nobody
        expect(page.locator('#tree .star[aria-pressed="true"]')).to_have_count(1)
        expect(page.locator("#adding-to")).to_contain_text("Noise loop")
        page.locator("#generate").click()
        expect(page.locator("[data-variation]")).to_have_count(2)

    store = server.studio.store
    assert [turn.node_id for turn in store.turns(token, store.node(token, root).session_id)] == [root, root]
