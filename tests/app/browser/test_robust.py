"""What goes wrong, who may not, and what is still there afterwards."""

import pytest
from playwright.sync_api import Page, expect

from tests.app.browser.conftest import BROWSER_MARKS, Server, Visit
from tests.app.browser.steps import choose, generate, pick, start_from_example

pytestmark = BROWSER_MARKS


def _slowly(server: Server) -> None:
    server.generator.seconds_per_step = 2.0


@pytest.fixture(autouse=True)
def _at_usual_speed(server: Server) -> None:
    server.generator.seconds_per_step = 0.05
    server.generator.stopped.clear()


def test_variations_arrive_one_by_one_with_progress_and_cancel_really_stops_the_model(
    server: Server, visit: Visit
) -> None:
    server.generator.seconds_per_step = 0.2
    page = visit(server.url)
    start_from_example(page)
    choose(page, "Bass", 3)
    page.locator("#generate").click()

    expect(page.locator(".ghost")).to_have_count(3)
    expect(page.locator(".ghost .bar").first).not_to_have_attribute("aria-valuenow", "0")
    expect(page.locator("[data-variation]")).to_have_count(1)
    expect(page.locator(".turn .status")).to_contain_text("left")
    _slowly(server)
    page.get_by_role("button", name="Cancel").click()

    expect(page.locator(".turn .status")).to_have_text("cancelled")
    assert server.generator.stopped.wait(5)
    steps_after_cancel = server.generator.steps_done
    page.wait_for_timeout(800)
    assert server.generator.steps_done == steps_after_cancel
    expect(page.locator("[data-variation]")).to_have_count(1)
    assert server.generator.max_running == 1


def test_a_second_visitor_waits_in_line_and_sees_nothing_of_the_first(server: Server, visit: Visit) -> None:
    first, second = visit(server.url), visit(server.url, is_another=True)
    _slowly(server)
    for page in (first, second):
        start_from_example(page)
        choose(page, "Bass", 1)
        page.locator("#generate").click()

    expect(second.locator(".turn .status")).to_contain_text("next in line")
    server.generator.seconds_per_step = 0.02
    for page in (first, second):
        expect(page.locator("[data-variation]")).to_have_count(1)
    url = first.evaluate("stemStage.feed.turns[0].variations[0].url")
    own = first.evaluate(
        "(url) => fetch(url, {headers: {'X-StemGen-Browser': stemEngine.mediaKey}}).then((a) => a.status)", url
    )
    assert own == 200
    foreign_key = second.evaluate("stemEngine.mediaKey")
    answer = second.request.get(server.url + url, headers={"X-StemGen-Browser": foreign_key})
    assert answer.status == 404


def test_a_reload_in_the_middle_finds_the_work_going_on(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    start_from_example(page)
    server.generator.seconds_per_step = 0.3
    choose(page, "Bass", 2)
    page.locator("#generate").click()
    expect(page.locator(".ghost")).to_have_count(2)

    page.reload()

    expect(page.locator(".variation")).to_have_count(2)
    server.generator.seconds_per_step = 0.02
    expect(page.locator("[data-variation]")).to_have_count(2)


def test_sessions_of_this_browser_can_be_gone_back_to(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    start_from_example(page)
    generate(page, "Bass", 1)

    page.get_by_role("button", name="New session").click()
    expect(page.locator(".example-button")).to_be_visible()
    page.locator("#session-choice .opener").click()
    page.locator("#session-choice .session", has_text="Noise loop").first.click()

    expect(page.locator("[data-variation]")).to_have_count(1)


@pytest.mark.parametrize("width", [768, 1024])  # phones have tabs: test_access.py
def test_no_width_makes_the_page_overflow_sideways(server: Server, visit: Visit, width: int) -> None:
    page = visit(server.url, size=(width, 844))
    _assert_fits(page)
    start_from_example(page)
    generate(page, "Bass", 2)
    page.keyboard.press("1")

    _assert_fits(page)
    pick(page, "B")
    _assert_fits(page)


def _assert_fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
