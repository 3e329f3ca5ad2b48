"""Live as a visitor plays it: proven by recording the audio graph while versions come and go."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page

from stemgen_core.generator import GenerationRequest
from tests.app.browser.conftest import BROWSER_MARKS, Serve, Server, Visit
from tests.app.browser.live_tap import LiveTap, begin_tap, read_tap
from tests.app.browser.steps import expect
from tests.app.waiting import wait_for

pytestmark = BROWSER_MARKS

AXE = Path(__file__).parents[3] / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def server(start_server: Serve) -> Iterator[Server]:
    with start_server(seconds_per_step=0.02, genres=("lofi", "techno")) as running:
        yield running


@pytest.fixture
def page(server: Server, visit: Visit) -> Page:
    page = visit(server.url)
    page.wait_for_function("document.body.dataset.mode === 'studio'")  # the switch is there
    page.locator("#mode-switch [data-mode=live]").click()
    expect(page.locator("#live .go")).to_be_visible()
    return page


def start(page: Page, *, bars: int = 1) -> None:
    page.locator(f"#live .bars [data-key='{bars}']").click()
    page.locator("#live .go").click()
    page.wait_for_function("stemLive.engine.isPlaying && stemLive.engine.loop >= 0")


def swaps(page: Page, number: int) -> None:
    page.wait_for_function(f"stemLive.link.jam.score.num_in_time >= {number}")


def expected(server: Server, page: Page) -> dict[str, np.ndarray]:
    """Return every version of the jam as its file holds it, mono, by id."""
    jam_id = page.evaluate("stemLive.link.jam.id")
    token = page.evaluate("stemLive.link.key")
    live = server.live.find(token, jam_id)
    with live.lock:  # the model goes on, and adds to them
        version_ids = list(live.sounds)
    paths = {version_id: server.live.audio(token, jam_id, version_id) for version_id in version_ids}
    return {version_id: soundfile.read(path, always_2d=True)[0].mean(1) for version_id, path in paths.items()}


def matches(tap: LiveTap, part_id: str, versions: dict[str, np.ndarray]) -> list[tuple[str, float]]:
    """Return for each whole loop which version a part played, and by how much the sound differs from its file."""
    found = []
    for loop in tap.loops:
        heard = tap.loop_of(part_id, loop)
        if heard is None:
            continue
        fade = round(0.0125 * 44_100)  # its end may already be that of the next version
        errors = {name: float(np.abs(heard[:-fade] - file[:-fade]).max()) for name, file in versions.items()}
        best = min(errors, key=lambda name: errors[name])
        found.append((best, errors[best]))
    return found


def test_versions_swap_to_the_sample_and_the_music_never_stops(server: Server, page: Page) -> None:
    start(page)
    swaps(page, 2)  # both players are in
    begin_tap(page)
    before = page.evaluate("stemLive.engine.loop")
    page.wait_for_function(f"stemLive.engine.loop >= {before + 4}")
    tap = read_tap(page)

    versions = expected(server, page)
    assert tap.num_gaps == 0
    assert tap.longest_silence() < 128
    for part_id in tap.parts:
        played = matches(tap, part_id, versions)
        assert len(played) >= 3
        assert max(error for _, error in played) < 1e-3  # at another place by a sample noise would differ everywhere
    changed = [len({name for name, _ in matches(tap, part_id, versions)}) for part_id in tap.parts]
    assert max(changed) >= 2  # somebody had a new version meanwhile


def test_a_part_that_is_switched_off_ends_at_the_boundary_and_comes_back(page: Page) -> None:
    start(page)
    swaps(page, 2)
    part_id = page.evaluate("stemLive.link.jam.parts[1].part_id")

    page.keyboard.press("2")
    page.wait_for_function(f"!stemLive.engine.sounding()['{part_id}']")
    expect(page.locator("#live .part >> nth=1 >> .status")).to_have_text("off")
    page.locator("#live .part >> nth=1 >> .on").click()
    page.wait_for_function(f"stemLive.engine.sounding()['{part_id}']")


def test_hold_undo_join_and_leave_do_what_they_say(page: Page) -> None:
    start(page)
    swaps(page, 3)
    first = page.locator("#live .part >> nth=1")

    first.locator("[title='Back to the version before, and hold it']").click()
    page.wait_for_function("stemLive.link.jam.parts[1].playing?.number === 1")
    expect(first.locator(".status")).to_have_text("held at version 1")
    page.locator("#live .join select").select_option("guitar")
    page.locator("#live .add").click()
    expect(page.locator("#live .part")).to_have_count(4)
    page.locator("#live .part >> nth=3 >> [title='Take it out']").click()
    expect(page.locator("#live .part")).to_have_count(3)


def test_a_change_says_when_it_is_heard_and_is_asked_of_the_model(server: Server, page: Page) -> None:
    start(page)
    swaps(page, 1)

    page.locator("#live [data-control=density]").fill("2")

    expect(page.locator("#live .heard")).to_contain_text("You will hear this change from loop")
    page.wait_for_function("stemLive.link.jam.score.delay_s !== null")
    asked = [request for request in server.generator.requests if request.settings.density == 2]
    assert asked[-1].genre == "lofi"


def test_every_control_of_the_band_reaches_the_model(server: Server, page: Page) -> None:
    page.locator("#live input[aria-label=Tempo]").fill("180")
    page.locator("#live input[aria-label=Tempo]").press("Tab")
    start(page, bars=2)
    swaps(page, 1)

    for name, value in {"temperature": "1.3", "guidance": "3.25", "variation": "0.5", "genre_morph": "0.4"}.items():
        page.locator(f"#live [data-control={name}]").fill(value)
    page.locator("#live [data-control=genre]").select_option("techno")
    page.locator("#live [data-control=genre_to]").select_option("lofi")
    page.locator("#live [data-control=every]").fill("2")
    page.wait_for_function("stemLive.link.jam.controls.every === 2")

    def asked() -> GenerationRequest | None:
        # The first version of a player is made whole; all later ones make half of the bars anew.
        found = [each for each in server.generator.requests if each.genre_morph == 0.4 and each.revision is not None]
        return found[-1] if found else None

    request = wait_for(asked)
    assert (request.genre, request.genre_to) == ("techno", "lofi")
    assert (request.settings.temperature, request.settings.context_guidance_scale) == (1.3, 3.25)
    assert request.revision is not None
    loop_s = page.evaluate("stemLive.link.jam.num_frames / stemLive.link.jam.sample_rate_hz")
    assert request.revision.end_s - request.revision.start_s == pytest.approx(loop_s / 2)


def test_a_take_opens_in_the_studio_and_so_does_what_was_played(page: Page) -> None:
    start(page)
    swaps(page, 1)
    page.locator("#live .record").click()
    page.wait_for_function("stemLive.link.jam.take_s >= 4")
    page.locator("#live .record").click()

    page.locator("#live .take").click()

    expect(page.locator("#tree .name").first).to_be_visible()
    expect(page.locator("#live .stage")).not_to_be_visible()
    assert page.evaluate("document.body.dataset.mode") == "studio"
    page.locator("#mode-switch [data-mode=live]").click()
    page.locator("#live [data-key=node]").click()  # and from there on, live again
    page.locator("#live .go").click()
    page.wait_for_function("stemLive.engine.isPlaying && stemLive.link.jam.parts.length >= 2")


def test_the_microphone_is_listened_to_while_follow_me_is_on(server: Server, page: Page) -> None:
    start(page)
    page.locator("#live .mic").click()
    jam_id, token = page.evaluate("[stemLive.link.jam.id, stemLive.link.key]")
    live = server.live.find(token, jam_id)

    expect(page.locator("#live .mic")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("stemLive.link.jam.score.num_in_time >= 2")
    assert live.microphone.is_open
    assert live.microphone.latest() is not None  # Chromium's microphone beeps
    page.locator("#live .mic").click()
    expect(page.locator("#live .mic")).to_have_attribute("aria-pressed", "false")


def test_silence_begins_with_a_click_that_ends_when_somebody_plays(page: Page) -> None:
    page.locator("#live [data-key=silence]").click()
    start(page)

    click_id = page.evaluate("stemLive.link.jam.parts[0].part_id")
    swaps(page, 1)
    page.wait_for_function(f"!stemLive.engine.sounding()['{click_id}']")
    assert page.evaluate("Object.keys(stemLive.engine.sounding()).length") >= 1


def test_space_stops_and_the_jam_ends_on_the_server(server: Server, page: Page) -> None:
    start(page)
    jam_id, token = page.evaluate("[stemLive.link.jam.id, stemLive.link.key]")
    page.locator("#live .facts").click()

    page.keyboard.press("Space")

    expect(page.locator("#live .go")).to_be_visible()
    page.wait_for_function("stemLive.link.jam === null")
    assert jam_id not in server.live._seats
    assert token


@pytest.mark.parametrize("size", [(1400, 900), (390, 844)])
@pytest.mark.parametrize("is_dark", [False, True])
def test_the_page_of_live_has_no_barrier_that_axe_finds(page: Page, size: tuple[int, int], is_dark: bool) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: make install-dev, with npm.")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    if is_dark != page.evaluate("stemAppearance.isDark()"):
        page.evaluate("stemAppearance.flip()")
    page.evaluate(AXE.read_text("utf-8"))

    def barriers() -> list[str]:
        found = page.evaluate("axe.run('#live').then((result) => result.violations)")
        return [json.dumps([one["id"], [node["html"][:120] for node in one["nodes"]]]) for one in found]

    assert barriers() == []
    start(page)
    swaps(page, 1)
    assert barriers() == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_sheet_names_the_keys_of_live_and_they_do_what_it_says(page: Page) -> None:
    page.locator("#live h2 >> nth=0").click()
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard")
    expect(sheet).to_contain_text("Hold the whole band, or let it go on")
    page.keyboard.press("Escape")
    start(page)
    swaps(page, 2)

    page.keyboard.press("h")
    page.wait_for_function("stemLive.link.jam.parts.every((part) => part.is_fixed || part.is_held)")
    page.keyboard.press("r")
    page.wait_for_function("stemLive.link.jam.is_recording")
    page.keyboard.press("h")
    page.wait_for_function("stemLive.link.jam.parts.every((part) => !part.is_held)")
