"""Comments on nodes, a stem moved in time, and the ways back and forth."""

import pytest
from playwright.sync_api import Page, expect

from tests.app.browser.conftest import BROWSER_MARKS, Server, Visit
from tests.app.browser.steps import generate, start_from_example

pytestmark = BROWSER_MARKS


@pytest.fixture
def page(server: Server, visit: Visit) -> Page:
    page = visit(server.url)
    start_from_example(page)
    return page


def test_a_comment_is_text_stays_and_is_undone_and_done_again_with_ctrl_z(page: Page) -> None:
    evil = "late? <img src=x onerror=alert(1)>"
    page.locator("#tree [role=treeitem]").focus()
    page.keyboard.press("c")
    page.locator("#tree .of-comment").fill(evil)
    page.keyboard.press("Enter")
    comment = page.locator("#tree .comment")
    expect(comment).to_have_text(evil)
    assert page.locator("img[src=x]").count() == 0

    page.reload()
    expect(comment).to_have_text(evil)
    page.keyboard.press("Control+z")
    expect(comment).to_have_count(0)
    page.keyboard.press("Control+Shift+Z")
    expect(comment).to_have_text(evil)
    page.get_by_role("button", name="Undo writing a comment").click()
    expect(comment).to_have_count(0)
    expect(page.get_by_role("button", name="Redo writing a comment")).to_be_enabled()


def test_a_late_stem_is_moved_back_from_its_menu_and_the_move_is_undone_and_done_again(page: Page) -> None:
    page.locator("#seed input").fill("41")  # the stand-in measures 46 ms on odd seeds
    generate(page, "Bass", 1)

    page.locator(".menu summary").click()
    page.get_by_role("menuitem", name="Move 46 ms earlier").click()

    turns = page.locator(".turn")
    expect(turns).to_have_count(2)
    expect(turns.last).to_contain_text("moved 46 ms earlier")
    page.get_by_role("button", name="Undo moving a stem in time").click()
    expect(turns).to_have_count(1)
    page.get_by_role("button", name="Redo moving a stem in time").click()
    expect(turns).to_have_count(2)
    turns.last.get_by_role("button", name="Pick").click()
    expect(page.locator("#tree .name")).to_have_count(2)
    page.get_by_role("button", name="Undo picking a stem").click()
    expect(page.locator("#tree .name")).to_have_count(1)
