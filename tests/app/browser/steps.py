"""What a visitor does, in words."""

from playwright.sync_api import Page, TimeoutError, expect

from sessions.store import SessionStore
from tests.app.browser.conftest import LOOP_S

NUM_BARS = 4  # of half a second each, so that nobody waits long for the next

expect.set_options(timeout=60_000)  # a busy machine takes its time; what is quick stays quick


def start_from_example(page: Page) -> None:
    # The button is redrawn when the model is ready: a click that meets that moment is made again, as people do.
    for _ in range(5):
        try:
            page.locator(".example-button").first.click(timeout=12_000)
            break
        except TimeoutError:
            if page.locator("#tree .name").count():
                break
    expect(page.locator("#tree .name")).to_have_count(1)


def start_from_bars(page: Page, store: SessionStore) -> None:
    """Begin with a loop whose bars are known.

    Args:
        page: of a visitor who was never there.
        store: of the server.
    """
    start_from_example(page)
    page.wait_for_function("stemStage.dock")
    token, node_id = page.evaluate("[stemEngine.mediaKey, stemStage.dock.node_id]")
    analysis = {"tempo_bpm": 60 * 4 * NUM_BARS / LOOP_S, "beats_per_bar": 4, "num_bars": NUM_BARS}
    analysis |= {"first_downbeat_s": 0.0, "key": "A minor"}
    store.set_analysis(token, node_id, analysis)
    page.reload()
    page.wait_for_function("globalThis.stemEngine?.grid && stemStage.dock && stemStage.feed")
    expect(page.locator("#dock .mark")).to_have_count(NUM_BARS)


def play(page: Page) -> None:
    page.locator("#dock .play").click()
    page.wait_for_function("stemEngine.isPlaying && stemEngine.levels() > 0.001")


def choose(page: Page, instrument: str, num_variations: int = 2) -> None:
    page.locator("#instrument label", has_text=instrument).click()
    page.locator("#count label", has_text=str(num_variations)).click()


def generate(page: Page, instrument: str = "Bass", num_variations: int = 2) -> None:
    """Ask for stems and wait until all are there."""
    before = page.locator("[data-variation]").count()
    choose(page, instrument, num_variations)
    page.locator("#generate").click()
    expect(page.locator("[data-variation]")).to_have_count(before + num_variations)


def pick(page: Page, variation: str) -> None:
    """Try a variation of the turn on stage and pick it; waits until it is a node."""
    before = page.locator("#tree .name").count()
    page.keyboard.press(str("ABCD".index(variation) + 1))
    page.locator("#dock .transport .pick").click()
    expect(page.locator("#tree .name")).to_have_count(before + 1)


def audible(page: Page) -> list[str]:
    """Return the labels of the strips that are not silent."""
    return page.eval_on_selector_all(
        "#dock .strip:not(.is-quiet) .strip-name", "names => names.map((name) => name.textContent)"
    )
