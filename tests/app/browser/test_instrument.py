"""The dock as an instrument: bars, loops, strips, comparison; what sounds is measured at the audio graph."""

import re

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from tests.app.browser.conftest import BROWSER_MARKS, LOOP_S, Server, Visit
from tests.app.browser.steps import NUM_BARS, audible, generate, pick, play, start_from_bars
from tests.app.browser.tap import Tap, lag, let_sound, listen, make_ready

pytestmark = BROWSER_MARKS

RATE_HZ = 44_100
BAR_FRAMES = round(LOOP_S * RATE_HZ) // NUM_BARS
RAMP_FRAMES = 441


@pytest.fixture
def page(server: Server, visit: Visit) -> Page:
    """Return the page on a loop whose bars are known."""
    page = visit(server.url)
    start_from_bars(page, server.studio.store)
    make_ready(page)
    return page


def _file(server: Server, tap: Tap, track_id: str) -> np.ndarray:
    sha256 = tap.urls[track_id].rsplit("/", 1)[1].removesuffix(".flac")
    return soundfile.read(server.studio.sounds.blobs.path(sha256))[0]


def _gains(tap: Tap, track_id: str) -> np.ndarray:
    """Return the gain that each sample went through, where the sample says anything of it; else NaN."""
    before, after = tap.before_gain[track_id], tap.after_gain[track_id]
    return np.divide(after, before, out=np.full(len(before), np.nan), where=np.abs(before) > 1e-3)


def test_a_loop_of_one_bar_never_leaves_it_and_all_stay_in_sync_early_and_after_many_rounds(
    server: Server, page: Page
) -> None:
    generate(page, "Bass", 2)
    play(page)
    page.keyboard.press("1")
    for _ in range(2):  # all, two bars, one bar
        page.keyboard.press("[")
    region = page.evaluate("stemEngine.region")
    assert region["end"] - region["start"] == BAR_FRAMES
    let_sound(page, 0.2)

    for _ in ("early", "late"):
        tap = listen(page)
        assert tap.num_gaps == 0
        lags = []
        for track_id, recorded in tap.before_gain.items():
            bar = _file(server, tap, track_id)[region["start"] : region["end"]]
            lags.append(lag(recorded[: len(bar)], bar))
        assert len(lags) == 3
        assert np.ptp(lags) <= 0.5
        positions = page.evaluate(
            """async () => {
              const seen = [];
              for (let at = 0; at < 60; at += 1) {
                seen.push(stemEngine.positionFrame());
                await new Promise((resolve) => setTimeout(resolve, 20));
              }
              return seen;
            }"""
        )
        assert region["start"] <= min(positions) <= max(positions) < region["end"]
        assert len(set(positions)) > 20
        let_sound(page, 4 * 0.5)


def test_bars_are_dragged_on_the_ruler_arrows_step_by_bars_and_the_loop_follows(page: Page) -> None:
    ruler = page.locator("#dock .ruler")
    box = ruler.bounding_box()
    assert box is not None
    middle_y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.3 * box["width"], middle_y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], middle_y, steps=5)
    page.mouse.up()
    assert page.evaluate("stemEngine.region") == {"start": BAR_FRAMES, "end": 3 * BAR_FRAMES}

    ruler.dblclick(position={"x": 5, "y": 8})
    assert page.evaluate("stemEngine.region") is None
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("stemEngine.restFrame") == BAR_FRAMES
    expect(page.locator("#dock .count")).to_have_text("2.1")
    page.get_by_role("button", name="Loop one bar").click()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("stemEngine.region") == {"start": 2 * BAR_FRAMES, "end": 3 * BAR_FRAMES}
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("stemEngine.restFrame") == 3 * BAR_FRAMES  # round the beginning to the last bar
    page.keyboard.press("l")
    assert page.evaluate("stemEngine.isLooping") is False


def test_switching_variations_is_a_crossfade_of_ten_milliseconds(server: Server, page: Page) -> None:
    generate(page, "Bass", 2)
    play(page)
    page.keyboard.press("1")
    first, second = page.evaluate("stemStage.candidates().map((variation) => variation.variation_id)")
    let_sound(page, 0.1)

    tap = listen(page, act="stemStage.auditionIndex(1)")

    out, into = _gains(tap, first), _gains(tap, second)
    fading = np.flatnonzero((out > 0.01) & (out < 0.99))
    assert 0.8 * RAMP_FRAMES < np.ptp(fading) <= RAMP_FRAMES + 1
    assert np.nanmax(np.abs(out + into - 1)) < 0.02
    before, after = slice(None, fading[0]), slice(fading[-1] + 1, None)
    for gains, kept, put_away in ((out, before, after), (into, after, before)):
        assert np.nanmin(gains[kept]) > 0.98
        assert np.nanmax(gains[put_away]) < 0.02


def test_going_to_another_node_while_playing_changes_the_mix_on_a_bar_line_without_a_restart(
    server: Server, page: Page
) -> None:
    generate(page, "Bass", 1)
    pick(page, "A")
    play(page)
    let_sound(page, 0.6)
    zero_frame = page.evaluate("stemEngine.zeroFrame")
    bass = page.evaluate("stemStage.dock.tracks[1].track_id")
    page.evaluate("document.activeElement.blur()")

    tap = listen(page, 1.2, act="stemStage.dispatchEvent(new Event('up'))", until="stemStage.dock.tracks.length === 1")

    gains = _gains(tap, bass)
    assert np.nanmin(gains[:2000]) > 0.99
    last = np.flatnonzero(np.abs(tap.after_gain[bass]) > 0)[-1] + tap.frame
    assert (last - zero_frame - RAMP_FRAMES) % BAR_FRAMES in (*range(3), *range(BAR_FRAMES - 60, BAR_FRAMES))
    assert audible(page) == ["Noise loop"]
    assert page.evaluate("stemEngine.isPlaying")
    assert page.evaluate("stemEngine.zeroFrame") == zero_frame


def test_strips_sound_as_they_are_set_and_are_kept_across_nodes_and_reloads(server: Server, page: Page) -> None:
    generate(page, "Bass", 1)
    pick(page, "A")
    _set_slider(page, "Volume of Bass A", 0.375)  # a quarter of the gain
    _set_slider(page, "Pan of Bass A", -1)
    page.keyboard.press("m")
    page.keyboard.press("1")
    play(page)
    bass = page.evaluate("stemStage.dock.tracks[1].track_id")
    tap = listen(page)

    assert np.nanmedian(_gains(tap, bass)) == pytest.approx(0.25, abs=0.003)
    assert [track_id for track_id in tap.after_gain if tap.rms(track_id) > 0] == [bass]
    left, right = page.evaluate(_LOUDEST_SIDES)
    assert left > 0.01
    assert right < 1e-6

    page.keyboard.press("u")
    expect(page.locator("#adding-to")).to_have_text("Adding to Noise loop")
    page.locator("#tree .name", has_text="Bass A").click()
    expect(page.locator("#adding-to")).to_have_text("Adding to Bass A")
    _assert_set(page)
    page.wait_for_timeout(1000)
    page.reload()
    page.wait_for_function("globalThis.stemEngine?.tracks.length === 2")
    _assert_set(page)


_LOUDEST_SIDES = """async () => {
  const loudest = [0, 0];
  for (let at = 0; at < 40; at += 1) {
    stemEngine.sideLevels().forEach((level, side) => (loudest[side] = Math.max(loudest[side], level)));
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return loudest;
}"""


def _set_slider(page: Page, name: str, value: float) -> None:
    page.get_by_label(name, exact=True).evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )


def _assert_set(page: Page) -> None:
    expect(page.get_by_label("Volume of Bass A")).to_have_attribute("aria-valuetext", "\N{MINUS SIGN}12.0 dB")
    expect(page.get_by_label("Pan of Bass A")).to_have_attribute("aria-valuetext", "100 % left")
    expect(page.get_by_label("Mute Noise loop")).to_have_attribute("aria-pressed", "true")


def test_holding_c_lets_the_other_mix_sound_on_the_same_clock(server: Server, page: Page) -> None:
    generate(page, "Bass", 2)
    pick(page, "A")
    page.keyboard.press("u")
    expect(page.locator("#adding-to")).to_have_text("Adding to Noise loop")
    pick(page, "B")
    page.keyboard.press("c")  # fetches the other mix
    page.wait_for_function("stemEngine.tracks.every((track) => stemEngine.decoded(track.url))")
    play(page)
    context, here, other = page.evaluate(
        "[...stemStage.dock.tracks, ...stemStage.others()[0].tracks.slice(1)].map((track) => track.track_id)"
    )
    zero_frame = page.evaluate("stemEngine.zeroFrame")

    heard = []
    for act in (page.keyboard.down, page.keyboard.up):
        act("c")
        let_sound(page, 0.1)
        tap = listen(page)
        assert tap.zero_frame == zero_frame
        lags = [lag(tap.before_gain[name], _file(server, tap, name)) for name in tap.before_gain]
        assert np.ptp(lags) <= 0.5
        heard.append({name for name in tap.after_gain if tap.rms(name) > 0})

    assert heard == [{context, other}, {context, here}]


def test_the_sheet_of_keys_is_a_dialog_and_appearance_is_remembered(page: Page) -> None:
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard")
    expect(sheet).to_be_visible()
    expect(sheet).to_contain_text("Pick the variation you hear")
    page.keyboard.press("Space")  # closes it by its focused button, and does not play
    expect(sheet).to_be_hidden()
    assert not page.evaluate("stemEngine.isPlaying")

    page.get_by_role("button", name="Dark appearance").click()
    page.reload()
    expect(page.get_by_role("button", name="Light appearance")).to_be_visible()
    assert page.evaluate("document.body.classList.contains('dark')")
    colours = "getComputedStyle(document.querySelector('#dock .dock'))"
    ink, paper = page.evaluate(f"[{colours}.color, {colours}.backgroundColor]")
    assert min(map(int, re.findall(r"\d+", ink)[:3])) > max(map(int, re.findall(r"\d+", paper)[:3]))


def test_a_clicked_button_leaves_the_space_key_to_the_transport(page: Page) -> None:
    page.locator("#count label", has_text="1").click()
    page.locator("#generate").click()
    expect(page.locator("[data-variation]")).to_have_count(1)

    page.keyboard.press("1")
    page.keyboard.press("Space")

    page.wait_for_function("stemEngine.isPlaying")
    expect(page.locator(".turn")).to_have_count(1)
