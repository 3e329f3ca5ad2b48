"""The bundled model, once through the page: a stem, some bars of it anew, the mix twice as long."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from app.main import build_studio, serve
from app.services import Studio
from app.settings import Settings
from sessions.store import open_store
from tests.app.browser.conftest import BROWSER_MARKS, Visit, _free_port
from tests.app.browser.steps import choose, start_from_example

pytestmark = BROWSER_MARKS
WAIT_MS = 300_000  # a busy machine takes minutes for what takes seconds


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Studio]]:
    settings = Settings(port=_free_port(), data_path=tmp_path_factory.mktemp("real") / "data")
    with open_store(settings.data_path) as store:
        studio = build_studio(settings, store)
        page = serve(settings, studio, prevent_thread_lock=True, quiet=True)
        studio.models.wait(WAIT_MS / 1000)
        try:
            yield f"http://127.0.0.1:{settings.port}", studio
        finally:
            page.close()
            studio.worker.close()


def _sound(studio: Studio, url: str) -> np.ndarray:
    path: Path = studio.sounds.blobs.path(url.rsplit("/", 1)[1].removesuffix(".flac"))
    return soundfile.read(path, always_2d=True)[0]


def _turns(page: Page) -> list[dict]:
    return page.evaluate("stemStage.feed.turns")


def test_a_stem_some_bars_of_it_anew_and_the_mix_twice_as_long(real: tuple[str, Studio], visit: Visit) -> None:
    url, studio = real
    page = visit(url)
    start_from_example(page)
    context = _sound(studio, page.evaluate("stemStage.dock.tracks[0].url"))
    expect(page.locator("#generate")).to_be_enabled(timeout=WAIT_MS)
    choose(page, "Bass", 1)
    page.locator("#preset label", has_text="Tight").click()
    page.locator("#seed input").fill("7")
    page.locator("#generate").click()
    expect(page.locator("[data-variation]")).to_have_count(1, timeout=WAIT_MS)
    bass = _sound(studio, _turns(page)[0]["variations"][0]["url"])
    assert len(bass) == len(context)
    assert np.abs(bass).max() > 0.01

    page.locator("[data-variation] .pick").click()
    expect(page.locator("#tree .name")).to_have_count(2)
    page.get_by_role("button", name="More for variation A").or_(page.locator(".menu summary")).first.click()
    page.get_by_role("menuitem", name="Make bars anew…").click()
    page.get_by_label("First", exact=True).select_option("Bar 3")
    page.get_by_label("Last", exact=True).select_option("Bar 3")
    page.get_by_role("button", name="Make", exact=True).click()
    expect(page.locator("[data-variation]")).to_have_count(3, timeout=WAIT_MS)

    turn = _turns(page)[1]
    rate_hz = page.evaluate("stemEngine.sampleRateHz")
    start, end = (round(edge * rate_hz) for edge in turn["edges_s"][2:4])
    for variation in turn["variations"]:
        anew = _sound(studio, variation["url"])
        assert len(anew) == len(bass)
        changed = np.flatnonzero(np.abs(anew - bass).max(axis=1))
        assert changed.size  # something was made anew, and nothing before its bar
        assert changed[0] >= start - rate_hz // 50
        heard = np.abs(anew - bass)[end + rate_hz // 50 :]
        assert heard.max(initial=0) == 0  # and nothing after it

    page.locator(".menu summary").first.click()
    page.get_by_role("menuitem", name="Mix twice as long").first.click()
    expect(page.locator("#tree .name")).to_have_count(4, timeout=WAIT_MS)
    tracks = page.evaluate("stemStage.dock.tracks")
    assert len(tracks) == 2
    for track, once in zip(tracks, (context, bass), strict=True):
        assert np.array_equal(_sound(studio, track["url"]), np.concatenate([once, once]))
