"""What a visitor does, in words."""

from playwright.sync_api import Page, TimeoutError, expect

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
