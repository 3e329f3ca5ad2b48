"""How a long session feels: python -m benchmarks.session_fluidity [--turns 200].

Fills a session with turns of a generator that answers at once, opens it in Chromium, and prints how long keys take to
show, how long a node takes to come up, and what the page holds in memory.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

from app.main import build_studio, serve
from app.orders import StemOrder
from app.services import Studio
from app.settings import Settings
from sessions.store import open_store
from tests.app.fakes import NoiseBurstGenerator, write_clip

PORT = 7985
# From the key press to the frame that shows what it did.
_KEY_MS = """async (key) => {
  const began = performance.now();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began;
}"""


def fill(studio: Studio, token: str, clip: Path, num_turns: int) -> None:
    """Make a session of `num_turns` turns of two variations; every tenth is picked."""
    node = studio.start_from_file(token, clip, "Long session")
    for at in range(num_turns):
        turn = studio.request_stem(token, node.id, StemOrder("bass", 2, "fast", 2 * at))
        while not studio.store.turn(token, turn.id).state.is_finished:
            time.sleep(0.01)
        if at % 10 == 9:
            node = studio.pick(token, studio.store.turn(token, turn.id).variations[0].id)


def measure(page: Page) -> None:
    """Print how the page answers."""
    keys = [page.evaluate(_KEY_MS, key) for key in ("1", "2") * 15]
    print(f"key to frame, median / worst: {statistics.median(keys):.0f} / {max(keys):.0f} ms")
    names = page.locator("#tree .name")
    began = time.monotonic()
    label = names.nth(1).inner_text()
    names.nth(1).click()
    expect(page.locator("#adding-to")).to_contain_text(label)
    print(f"to another node: {1000 * (time.monotonic() - began):.0f} ms")
    page.keyboard.press("Space")
    page.wait_for_function("stemEngine.isPlaying")
    frames = page.evaluate(
        """async () => {
          let last = performance.now();
          const gaps = [];
          for (let at = 0; at < 120; at += 1) {
            await new Promise(requestAnimationFrame);
            gaps.push(performance.now() - last);
            last = performance.now();
          }
          return gaps;
        }"""
    )
    print(f"frames while playing, median / 95 %: {np.median(frames):.0f} / {np.percentile(frames, 95):.0f} ms")
    heap, nodes = page.evaluate("[performance.memory.usedJSHeapSize, document.querySelectorAll('*').length]")
    decoded = page.evaluate("stemEngine.library.decodedBytes")
    print(f"heap: {heap / 1e6:.0f} MB; decoded sound: {decoded / 1e6:.0f} MB; elements: {nodes}")


def main() -> None:
    """Fill, open, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=200)
    num_turns = parser.parse_args().turns
    chromium = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        settings = Settings(port=PORT, data_path=folder / "data")
        with open_store(settings.data_path) as store:
            generator = NoiseBurstGenerator(seconds_per_step=0.0)
            studio = build_studio(settings, store, load_generators=[lambda: generator])
            served = serve(settings, studio, prevent_thread_lock=True, quiet=True)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.set_default_timeout(180_000)
            expect.set_options(timeout=180_000)
            page.goto(f"http://127.0.0.1:{PORT}")
            page.wait_for_function("localStorage.length > 0")
            page.locator(".example-button").first.click()
            expect(page.locator("#tree .name")).to_have_count(1)
            token = page.evaluate("stemEngine.mediaKey")
            fill(studio, token, write_clip(folder / "loop.wav"), num_turns)
            page.get_by_role("button", name="New session").click()
            page.locator("#session-choice .opener").click()
            began = time.monotonic()
            page.locator("#session-choice .session", has_text="Long session").click()
            expect(page.locator("[data-variation]")).to_have_count(2 * num_turns)
            print(f"{num_turns} turns; opened in {time.monotonic() - began:.1f} s")
            measure(page)
            browser.close()
            served.close()
            studio.worker.close()


if __name__ == "__main__":
    main()
