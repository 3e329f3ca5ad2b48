"""Two models on one server: a visitor chooses per turn, rows say who made them, and re-rolls ask the same one."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.app.browser.conftest import BROWSER_MARKS, Serve, Visit
from tests.app.browser.steps import generate, start_from_example
from tests.generators import PLAYED, EchoGenerator

pytestmark = BROWSER_MARKS


@pytest.fixture(scope="module")
def other() -> EchoGenerator:
    return EchoGenerator("audio-0123456789ab", instruments=PLAYED[:2], genres=("techno",))


@pytest.fixture
def page(start_server: Serve, other: EchoGenerator, visit: Visit) -> Iterator[Page]:
    with start_server(more_models=[other], model_id="score-ba9876543210") as server:
        page = visit(server.url)
        start_from_example(page)
        yield page


def test_a_visitor_chooses_the_model_of_each_turn_and_a_reroll_asks_the_same_one(
    page: Page, other: EchoGenerator
) -> None:
    models = page.locator("#model label")
    expect(models).to_have_text(["Notes ba98", "Sound 0123"])
    generate(page, PLAYED[0].label, 1)
    expect(page.locator(".made-by")).to_have_text(["Notes ba98"])

    models.nth(1).click()
    expect(page.locator("#instrument label")).to_have_count(2)  # what this one plays
    expect(page.locator("#genre")).to_be_visible()
    generate(page, PLAYED[1].label, 1)
    expect(page.locator(".made-by")).to_have_text(["Notes ba98", "Sound 0123"])
    assert len(other.requests) == 1

    page.locator("article.turn", has_text="Notes ba98").locator(".text-button", has_text="Re-roll").click()
    expect(page.locator(".made-by")).to_have_text(["Notes ba98", "Sound 0123", "Notes ba98"])
    page.locator("article.turn", has_text="Sound 0123").locator(".text-button", has_text="Re-roll").click()
    expect(page.locator(".made-by")).to_have_text(["Notes ba98", "Sound 0123", "Notes ba98", "Sound 0123"])
    assert len(other.requests) == 2

    page.locator("article.turn", has_text="Notes ba98").first.locator(".text-button", has_text="Use settings").click()
    expect(models.nth(0).locator("input")).to_be_checked()
