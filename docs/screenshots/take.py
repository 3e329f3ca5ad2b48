"""Takes the screenshots beside this file: `make screenshots`.

Runs the studio with the bundled model in a folder of its own, goes through a session as a visitor would, and writes one
PNG per state.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from app.main import build_studio, serve
from app.settings import Settings
from sessions.store import open_store
from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import StemGenerator

FOLDER = Path(__file__).parent
DESKTOP, PHONE = (1400, 900), (390, 844)
SEED = 10213  # the same pictures each time
NUM_COLOURS = 128  # the page has few; it keeps the files small
TIMEOUT_MS = 600_000  # a busy machine takes its time


@dataclass
class FailsWhenTold:
    """The bundled model, but for the one screenshot that shows what an error looks like."""

    model: StemGenerator
    is_failing: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """Generate, or fail as a full memory would."""
        if self.is_failing:
            raise InvalidRequestError("The model ran out of memory. Ask for fewer variations, or a shorter context.")
        return self.model.generate(*args, **kwargs)


@contextmanager
def running_studio(folder: Path) -> Iterator[tuple[str, FailsWhenTold]]:
    """Serve the studio with the bundled model on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = Settings(port=port, data_path=folder)
    model = FailsWhenTold(StemGenerator.load(settings.bundle_path))
    with open_store(settings.data_path) as store:
        studio = build_studio(settings, store, load_generators=[lambda: model])  # pyright: ignore[reportArgumentType]
        page = serve(settings, studio, prevent_thread_lock=True, quiet=True)
        try:
            yield f"http://127.0.0.1:{port}", model
        finally:
            page.close()
            studio.worker.close()


def shoot(page: Page, name: str) -> None:
    """Write one screenshot with few colours."""
    page.mouse.move(2, 2)  # nothing hovered
    page.evaluate("document.querySelector('#composer')?.scrollTo(0, 0)")
    page.wait_for_timeout(700)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    with Image.open(path) as image:
        image.convert("RGB").quantize(NUM_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def generate(page: Page, instrument: str, num_variations: int) -> None:
    """Ask for stems and wait for all of them."""
    before = page.locator("[data-variation]").count()
    ask(page, instrument, num_variations)
    expect(page.locator("[data-variation]")).to_have_count(before + num_variations)


def ask(page: Page, instrument: str, num_variations: int) -> None:
    """Ask for stems."""
    page.locator("#instrument label", has_text=instrument).first.click()
    page.locator("#count label", has_text=str(num_variations)).click()
    page.locator("#seed input").fill(str(SEED))
    page.locator("#generate").click()


def pick(page: Page, key: str) -> None:
    """Pick a variation of the turn on stage."""
    before = page.locator("#tree .name").count()
    page.keyboard.press(key)
    page.locator("#dock .transport .pick").click()
    expect(page.locator("#tree .name")).to_have_count(before + 1)


def go_to(page: Page, label: str) -> None:
    """Stand on a node of the tree."""
    page.locator("#tree .name", has_text=label).first.click()
    expect(page.locator("#adding-to")).to_contain_text(label)


def tell(page: Page, model: FailsWhenTold) -> None:
    """Go through a session, state by state."""
    expect(page.locator("#recorder .record")).to_have_text("Record")
    shoot(page, "empty")
    page.locator(".example-button", has_text="Soul drums").click()
    expect(page.locator("#tree .name")).to_have_count(1)
    ask(page, "Bass", 3)
    expect(page.locator("[data-variation]")).to_have_count(1)
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "generating")
    expect(page.locator("[data-variation]")).to_have_count(3)
    page.locator("#dock .play").click()
    page.keyboard.press("2")
    page.keyboard.press("[")
    page.wait_for_timeout(2500)
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "auditioning")
    page.keyboard.press("Space")
    pick(page, "2")
    generate(page, "Piano", 1)
    pick(page, "1")
    go_to(page, "Bass B")
    generate(page, "Guitar", 1)
    pick(page, "1")
    go_to(page, "Soul drums")
    pick(page, "1")
    page.evaluate("document.querySelector('#feed-column').scrollIntoView()")
    shoot(page, "branching")
    page.emulate_media(color_scheme="dark")
    go_to(page, "Piano A")
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "dark")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.get_by_role("button", name="Feed", exact=True).click()
    shoot(page, "mobile-feed")
    page.get_by_role("button", name="Mix", exact=True).click()
    shoot(page, "mobile-mix")
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    page.emulate_media(color_scheme="light")
    model.is_failing = True
    ask(page, "Brass", 1)
    error = page.locator(".turn .error")
    expect(error).to_be_visible()
    error.evaluate("element => element.scrollIntoView({ block: 'center' })")
    shoot(page, "error")
    model.is_failing = False
    page.locator("#mode-switch [data-mode=live]").click()
    page.locator("#live .go").click()
    page.wait_for_function("stemLive.link.jam && stemLive.link.jam.score.num_in_time >= 2")
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "live")


def main() -> None:
    """Take them all."""
    chromium = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
    expect.set_options(timeout=TIMEOUT_MS)
    with tempfile.TemporaryDirectory() as folder, running_studio(Path(folder)) as (url, model), sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]}, color_scheme="light")
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(url)
        page.wait_for_function("localStorage.length > 0")
        tell(page, model)
        browser.close()


if __name__ == "__main__":
    main()
