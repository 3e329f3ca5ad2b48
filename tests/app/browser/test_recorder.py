"""The microphone: Chromium's stand-in for one beeps once a second."""

import pytest
from playwright.sync_api import Page, expect

from tests.app.browser.conftest import BROWSER_MARKS, Server, Visit

pytestmark = BROWSER_MARKS

# Notes when each click of a count-in begins, on its own clock, and when recording does.
_WATCH_CLICKS = """() => {
  globalThis.clicks = [];
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (at) {
    globalThis.clicks.push(at);
    return start.call(this, at);
  };
  const build = stemMicrophone.Microphone.prototype.take;
  stemMicrophone.Microphone.prototype.take = function (block) {
    globalThis.microphone = this;
    return build.call(this, block);
  };
}"""


@pytest.fixture
def page(server: Server, visit: Visit) -> Page:
    page = visit(server.url)
    expect(page.locator("#recorder .record")).to_have_text("Record")  # its script has run
    return page


def _record(page: Page, seconds: float) -> None:
    page.evaluate(_WATCH_CLICKS)
    page.locator("#recorder .record").click()
    page.wait_for_function("(seconds) => globalThis.microphone?.durationS > seconds", arg=seconds)
    page.locator("#recorder .stop").click()
    expect(page.locator("#recorder .review")).to_be_visible()


def _kept_s(page: Page) -> float:
    return float(page.locator("#recorder .kept").inner_text().split(" s")[0])


def test_a_recording_is_trimmed_and_becomes_the_context_with_exactly_what_was_kept(page: Page) -> None:
    _record(page, 2.0)
    assert page.evaluate("globalThis.clicks") == []
    recorded_s = _kept_s(page)
    assert recorded_s >= 2.0

    page.locator("#recorder .from").fill("0.5")
    page.locator("#recorder .to").fill("1.75")
    assert _kept_s(page) == 1.25
    page.locator("#recorder .listen").click()
    expect(page.locator("#recorder .listen")).to_have_text("Stop")
    expect(page.locator("#recorder .listen")).to_have_text("Listen")  # it ends by itself
    page.locator("#recorder .use").click()

    expect(page.locator("#adding-to")).to_have_text("Adding to Recording")
    page.wait_for_function("stemEngine.durationS > 0")
    assert page.evaluate("stemEngine.durationS") == pytest.approx(1.25, abs=0.001)


def test_a_count_in_is_heard_but_not_recorded_and_its_tempo_holds(page: Page) -> None:
    recorder = page.locator("#recorder")
    recorder.locator(".count-in").select_option("1 bar of 3")
    recorder.locator(".bpm").fill("240")

    _record(page, 1.6)

    clicks, began_s = page.evaluate("[clicks, microphone.fromFrame / microphone.sampleRateHz]")
    assert [round(click - clicks[0], 3) for click in clicks] == [0, 0.25, 0.5]
    assert began_s >= clicks[-1] + 0.25 - 1e-3  # on the beat after the last click, and not before
    recorder.locator(".bars").click()
    assert _kept_s(page) in (1.5, 2.25, 3.0)  # bars of three beats at 240
    recorder.locator(".use").click()

    expect(page.locator("#adding-to")).to_have_text("Adding to Recording")
    expect(page.locator("[data-fact=tempo_bpm]")).to_have_text("240 BPM set by you")
    expect(page.locator("[data-fact=beats_per_bar]")).to_contain_text("3/4")
    expect(page.locator("[data-fact=first_downbeat_s]")).to_have_text("first downbeat 0 s set by you")


def test_the_tempo_of_a_count_in_can_be_tapped_and_a_recording_thrown_away(page: Page) -> None:
    recorder = page.locator("#recorder")
    recorder.locator(".count-in").select_option("2 bars of 4")
    page.evaluate(
        """() => {
          const now = performance.now;
          for (const time of [0, 500, 1000, 1500]) {
            performance.now = () => time;
            document.querySelector("#recorder .tap").click();
          }
          performance.now = now;
        }"""
    )
    assert recorder.locator(".bpm").input_value() == "120"

    recorder.locator(".count-in").select_option("None")
    _record(page, 0.6)
    recorder.locator(".record").click()

    expect(recorder.locator(".review")).to_be_hidden()
    expect(recorder.locator(".record")).to_have_text("Record")
    expect(page.locator("#workspace")).to_be_hidden()


def test_without_a_microphone_the_recorder_says_why(page: Page) -> None:
    page.evaluate(
        """() => {
          navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("Permission denied"));
        }"""
    )

    page.locator("#recorder .record").click()

    expect(page.locator("#recorder .status")).to_contain_text("can't be used. Permission denied")
    expect(page.locator("#recorder .record")).to_be_visible()
