"""The server goes away and comes back."""

from playwright.sync_api import expect

from tests.app.browser.conftest import BROWSER_MARKS, Serve, Visit
from tests.app.browser.steps import choose, generate, pick, play, start_from_example

pytestmark = BROWSER_MARKS


def test_after_a_restart_the_session_is_there_and_unfinished_work_says_so_with_a_way_to_try_again(
    start_server: Serve, visit: Visit
) -> None:
    with start_server(seconds_per_step=0.02) as server:
        page = visit(server.url)
        start_from_example(page)
        generate(page, "Bass", 2)
        pick(page, "A")
        server.generator.seconds_per_step = 5
        choose(page, "Piano", 1)
        page.locator("#generate").click()
        expect(page.locator(".ghost")).to_have_count(1)
        url = server.url
        page.goto("about:blank")

    with start_server(seconds_per_step=0.02):
        page.goto(url)

        expect(page.locator("#adding-to")).to_have_text("Adding to Bass A")
        expect(page.locator(".turn .error")).to_contain_text("The server stopped")
        play(page)
        page.get_by_role("button", name="Try again, same seed").click()
        expect(page.locator("[data-variation]")).to_have_count(3)
