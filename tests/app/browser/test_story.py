"""The main job once through, as a visitor does it."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.app.browser.conftest import BROWSER_MARKS, Server, Visit
from tests.app.browser.steps import audible, choose, generate, pick, play, start_from_example

pytestmark = BROWSER_MARKS


@pytest.fixture
def page(server: Server, visit: Visit) -> Page:
    page = visit(server.url)
    start_from_example(page)
    return page


def _tree(page: Page) -> list[str]:
    return page.locator("#tree .name .label").all_text_contents()


def test_from_a_loop_to_a_bass_to_a_piano_to_a_branch_and_all_is_there_after_a_reload(
    server: Server, page: Page
) -> None:
    play(page)
    generate(page, "Bass", 2)
    pick(page, "B")
    expect(page.locator("#adding-to")).to_have_text("Adding to Bass B")
    assert audible(page) == ["Noise loop", "Bass B"]

    generate(page, "Piano", 1)
    pick(page, "A")
    alone, with_bass = (np.asarray(heard.samples) for heard in server.generator.contexts[-2:])
    assert np.abs(with_bass - alone).max() > 0.01  # the piano heard the bass as well
    assert audible(page) == ["Noise loop", "Bass B", "Piano A"]

    page.locator("#tree .name", has_text="Noise loop").click()
    expect(page.locator("#adding-to")).to_have_text("Adding to Noise loop")
    assert page.evaluate("stemEngine.isPlaying")  # going elsewhere does not stop the music
    assert audible(page) == ["Noise loop"]
    generate(page, "Drums", 1)
    pick(page, "A")
    assert _tree(page) == ["Noise loop", "Bass B", "Piano A", "Drums A"]

    page.locator('#tree [role=treeitem][aria-label="Bass B"] > .node .star').click()
    expect(page.locator('#tree .star[aria-pressed="true"]')).to_have_count(1)
    page.reload()

    expect(page.locator("#adding-to")).to_have_text("Adding to Drums A")
    assert _tree(page) == ["Noise loop", "Bass B", "Piano A", "Drums A"]
    expect(page.locator('#tree .star[aria-pressed="true"]')).to_have_count(1)
    expect(page.locator("[data-variation]")).to_have_count(4)
    _scroll_through(page)
    page.wait_for_function(_ALL_DRAWN)
    play(page)


# Bars of a sound fill more of a canvas than its rest line does.
_ALL_DRAWN = """() => [...document.querySelectorAll(".variation.done canvas")].every((canvas) => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return pixels.filter((value, at) => at % 4 === 3 && value > 0).length > 0.05 * canvas.width * canvas.height;
})"""


def _scroll_through(page: Page) -> None:
    for card in page.locator(".turn").all():
        card.scroll_into_view_if_needed()


def test_each_variation_shows_what_was_measured_and_a_poor_one_says_so(page: Page) -> None:
    generate(page, "Bass", 2)

    words = page.locator(".variation .fit-words").all_text_contents()
    badges = page.locator(".variation .badge").all_text_contents()

    assert sorted(badges) == ["best", "in sync", "poor fit"]
    assert sorted(words) == [
        "3 ms late, rhythm 82 %, harmony 74 %, 4 dB quieter",
        "46 ms late, rhythm 11 %, harmony 20 %, 2 dB louder",
    ]


def test_picking_another_variation_later_makes_a_sibling(page: Page) -> None:
    generate(page, "Bass", 2)
    pick(page, "A")

    page.locator(".variation", has=page.get_by_text("B", exact=True)).get_by_role("button", name="Pick").click()

    expect(page.locator("#tree .name")).to_have_count(3)
    assert _tree(page) == ["Noise loop", "Bass A", "Bass B"]
    assert page.locator("#tree [aria-level='2']").count() == 2


def test_hearing_a_variation_made_elsewhere_goes_to_where_it_was_made(page: Page) -> None:
    generate(page, "Bass", 2)
    pick(page, "A")

    page.get_by_role("button", name="Hear variation B in the mix").click()

    expect(page.locator("#adding-to")).to_have_text("Adding to Noise loop")
    page.wait_for_function("stemEngine.isPlaying && stemEngine.candidateId !== null")
    assert audible(page) == ["Noise loop", "Bass B"]


def test_a_stem_taken_out_is_a_new_node_without_it(page: Page) -> None:
    generate(page, "Bass", 1)
    pick(page, "A")

    strip = page.locator("#dock .strip", has_text="Bass A")
    strip.hover()
    strip.get_by_role("button", name="Go on without Bass A").click()

    expect(page.locator("#tree .name")).to_have_count(3)
    assert _tree(page)[-1] == "Without Bass A"
    expect(page.locator("#dock .strip")).to_have_count(1)


def test_settings_of_an_earlier_turn_can_be_used_again_and_give_the_same_sound(server: Server, page: Page) -> None:
    generate(page, "Bass", 1)
    choose(page, "Piano", 4)

    page.get_by_role("button", name="Use settings").click()
    expect(page.locator("#instrument label.selected")).to_have_text("Bass")
    page.locator("#generate").click()
    expect(page.locator("[data-variation]")).to_have_count(2)

    urls = page.evaluate("stemStage.feed.turns.map((turn) => turn.variations[0].url)")
    assert urls[0] == urls[1]  # addresses are hashes of the sound


def test_a_name_with_markup_in_it_stays_text(page: Page) -> None:
    evil = "<img src=x onerror=alert(1)>"

    page.locator("#tree .name").dblclick()
    page.locator("#tree .rename").fill(evil)
    page.keyboard.press("Enter")

    expect(page.locator("#adding-to strong")).to_have_text(evil)
    assert _tree(page) == [evil]
    assert page.locator("img[src=x]").count() == 0


def test_the_whole_way_can_be_gone_with_the_keyboard(page: Page) -> None:
    generate(page, "Bass", 2)
    page.locator("body").click(position={"x": 700, "y": 5})

    page.keyboard.press("Space")
    page.wait_for_function("stemEngine.isPlaying")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.locator("#tree .name")).to_have_count(2)
    page.locator("#tree [role=treeitem]").nth(1).focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")

    expect(page.locator("#adding-to")).to_have_text("Adding to Noise loop")
    page.keyboard.press("Escape")
    assert page.evaluate("stemEngine.isPlaying")
