"""Who can use the page: axe finds nothing serious, a phone shows all of it, nothing jumps."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.app.browser.conftest import BROWSER_MARKS, Server, Visit
from tests.app.browser.steps import generate, pick, start_from_example

pytestmark = BROWSER_MARKS

AXE = Path(__file__).parents[3] / "node_modules" / "axe-core" / "axe.min.js"
# What axe can't know: an item of a tree is called by its own name, though its children are inside it.
RIGHT_AS_IT_IS = ("label-content-name-mismatch: li[aria-level",)
# Colours on their way are no colours: whatever changes begins by the second frame, and is waited for.
_SERIOUS = """async () => {
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  const isChange = (animation) => animation instanceof CSSTransition;
  await Promise.allSettled(document.getAnimations().filter(isChange).map((change) => change.finished));
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(" | ")}`);
}"""


def _serious(page: Page) -> list[str]:
    return [found for found in page.evaluate(_SERIOUS) if not found.startswith(RIGHT_AS_IT_IS)]


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: npm ci.")
def test_axe_finds_nothing_serious_in_any_state_light_or_dark(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    page.add_script_tag(path=AXE)
    found = {"start": _serious(page)}
    start_from_example(page)
    generate(page, "Bass", 2)
    page.keyboard.press("1")
    found["auditioning"] = _serious(page)
    page.keyboard.press("?")
    found["sheet"] = _serious(page)
    page.keyboard.press("Escape")
    pick(page, "B")
    page.locator("#tree [role=treeitem]").last.focus()
    page.keyboard.press("c")
    found["commenting"] = _serious(page)
    page.keyboard.type("a bit loud")
    page.keyboard.press("Enter")
    expect(page.locator("#tree .comment")).to_be_visible()
    page.get_by_role("button", name="Dark appearance").click()
    found["dark"] = _serious(page)

    assert {state: violations for state, violations in found.items() if violations} == {}


def test_on_a_phone_each_part_has_its_tab_and_nothing_overflows(server: Server, visit: Visit) -> None:
    page = visit(server.url, size=(390, 844))
    start_from_example(page)

    parts = {"Add": "#composer", "Feed": "#feed-column", "Tree": "#tree-column", "Mix": "#dock .strip"}
    for tab in parts:
        page.get_by_role("button", name=tab, exact=True).click()
        for name, part in parts.items():
            expect(page.locator(part)).to_be_visible(visible=name == tab)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    for opener, panel in ((".session-menu .opener", ".session-menu .panel"), (".export-opener", ".export-panel")):
        page.locator(opener).click()
        box = page.locator(panel).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert 300 < box["width"] <= 390 - box["x"]
        page.keyboard.press("Escape")

    page.get_by_role("button", name="Add", exact=True).click()
    page.locator("#count label", has_text="1").click()
    page.locator("#generate").click()
    expect(page.locator("[data-variation]")).to_be_visible()  # the feed comes to the front by itself
    page.locator("[data-variation] .audition").click()
    page.locator("#dock .transport .pick").click()
    expect(page.locator("#dock .strip")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_nothing_jumps_while_a_session_opens_and_variations_arrive(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    start_from_example(page)
    page.wait_for_timeout(500)
    page.evaluate(
        """() => {
          globalThis.shifts = 0;
          new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shifts += entry.value;
          }).observe({ type: "layout-shift" });
        }"""
    )

    generate(page, "Bass", 3)
    page.keyboard.press("2")
    page.wait_for_timeout(500)

    assert page.evaluate("globalThis.shifts") < 0.1  # what web.dev calls good
