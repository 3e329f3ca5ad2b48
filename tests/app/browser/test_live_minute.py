"""A minute of lofi and a minute of techno with the bundled model: nothing is missing in what leaves the engine."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from app.live.room import LiveRoom
from app.main import build_studio, serve
from app.settings import Settings
from sessions.store import open_store
from tests.app.browser.conftest import BROWSER_MARKS, _free_port
from tests.app.browser.live_tap import begin_tap, read_tap
from tests.app.browser.steps import expect

pytestmark = [*BROWSER_MARKS, pytest.mark.slow]

MINUTE_MS = 60_000


@pytest.mark.parametrize("genre", ["lofi", "techno"])
def test_a_minute_of_live_has_no_underrun(chromium: Browser, tmp_path: Path, genre: str) -> None:
    settings = Settings(port=_free_port(), data_path=tmp_path / "data")
    with open_store(settings.data_path) as store:
        studio = build_studio(settings, store)
        room = LiveRoom(studio)
        server = serve(settings, studio, room=room, prevent_thread_lock=True, quiet=True)
        page = chromium.new_page()
        try:
            page.set_default_timeout(180_000)
            page.goto(f"http://127.0.0.1:{settings.port}")
            page.wait_for_function("document.body.dataset.mode === 'studio'")
            page.locator("#mode-switch [data-mode=live]").click()
            expect(page.locator("#live .go")).to_be_visible(timeout=180_000)
            page.locator("#live select[aria-label=Genre]").select_option(genre)
            page.locator("#live .go").click()
            page.wait_for_function("stemLive.engine.isPlaying && stemLive.engine.loop >= 0")
            begin_tap(page)
            page.wait_for_timeout(MINUTE_MS)  # what is claimed is about this time
            tap = read_tap(page)
            jam = page.evaluate("stemLive.link.jam")
        finally:
            page.close()
            server.close()
            room.close()
            studio.worker.close()

    assert len(tap.master) >= 0.95 * 60 * 44_100
    assert tap.num_gaps == 0
    assert jam["score"]["num_in_time"] + jam["score"]["num_missed"] >= 1
    assert all(part["playing"] for part in jam["parts"] if part["is_fixed"])
