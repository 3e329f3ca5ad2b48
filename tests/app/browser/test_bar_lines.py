"""Going to another node while the music plays: on the bar line whatever the page does, and what one does until then.

What sounds is recorded. A node's view is shown again without asking the server, so that all of it is done in time.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.app.browser.conftest import BROWSER_MARKS, LOOP_S, Server, Visit, visiting
from tests.app.browser.steps import NUM_BARS, generate, pick, play, start_from_bars
from tests.app.browser.tap import Tap, let_sound, listen, make_ready

pytestmark = BROWSER_MARKS

RATE_HZ = 44_100
BAR_FRAMES = round(LOOP_S * RATE_HZ) // NUM_BARS
RAMP_FRAMES = 441

_KEEP_VIEWS = """() => {
  globalThis.views = {};
  const { setDock } = stemStage;
  stemStage.setDock = function (view) {
    if (view?.node_id) views[view.node_id] = view;
    setDock.call(this, view);
  };
}"""
_SHOW_AGAIN = """(views) => {
  globalThis.show = (nodeId) => stemStage.setDock(views[nodeId]);
  // Asks for a node; `line` is the frame of the audio clock that the first of all comes in at.
  globalThis.go = (nodeId) => {
    show(nodeId);
    globalThis.line ??= stemEngine.next.atFrame;
  };
  // Nothing else of the page runs meanwhile; the script that asked is over.
  globalThis.starve = (ms) => {
    const endMs = performance.now() + ms;
    while (performance.now() < endMs);
  };
  // The audio clock goes on between one voice that is begun and the next.
  globalThis.beginSlowly = () => {
    const { voices, context } = stemEngine;
    let lastS = null;
    voices.begin = function (...which) {
      const endMs = performance.now() + 20;
      while (context.currentTime === lastS && performance.now() < endMs);
      lastS = context.currentTime;
      return Object.getPrototypeOf(this).begin.apply(this, which);
    };
  };
  globalThis.msUntilLine = () => 1000 * (line / stemEngine.sampleRateHz - stemEngine.context.currentTime);
}"""
# Early in a bar, so that there is time until the next line.
_EARLY_IN_A_BAR = """
globalThis.line = null;
globalThis.isDone = false;
(async () => {
  while (stemEngine.positionFrame() % BAR > BAR / 4) await new Promise((resolve) => setTimeout(resolve, 2));
  ACT
  isDone = true;
})();
""".replace("BAR", str(BAR_FRAMES))


@dataclass(frozen=True, slots=True)
class Tree:
    """A loop and two stems on it, as one visitor made them.

    Attributes:
        loop: id of its track; the stems' follow.
        at_loop: id of its node; those of the stems' nodes follow.
        views: of the nodes, by id.
        kept: by the visitor's browser.
    """

    loop: str
    bass_a: str
    bass_b: str
    at_loop: str
    at_a: str
    at_b: str
    views: dict[str, Any]
    kept: dict[str, str]


@dataclass(frozen=True, slots=True)
class Band:
    """The tree of a loop and two stems, with a page of its own.

    Attributes:
        server: that has it.
        page: on the loop's node.
        tree: of all tests.
    """

    server: Server
    page: Page
    tree: Tree

    def play_at(self, node_id: str) -> None:
        """Go to a node, then play."""
        self.page.evaluate("show", node_id)
        play(self.page)
        let_sound(self.page, 0.3)

    def listen(self, act: str, seconds: float = 1.2) -> "Heard":
        """Record while something is done early in a bar, and `seconds` from then on.

        Args:
            act: script of what is done; knows `atLoop`, `atA` and `atB`, ids of nodes.
            seconds: to go on for.
        """
        tap = listen(self.page, seconds, act=_EARLY_IN_A_BAR.replace("ACT", act), until="isDone")
        assert tap.num_gaps == 0
        return Heard(self.server, tap, self.page.evaluate("line") - tap.frame)


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording and where in it the bar line lies."""

    server: Server
    tap: Tap
    line: int

    def gain(self, track_id: str, start: int, end: int | None = None, *, zero_frame: int | None = None) -> float:
        """Return how loud a track is heard; fails where it is not its file, in its place, once.

        Args:
            track_id: whose; 0 if it never began.
            start: audio samples from the bar line.
            end: likewise; None is the end of the recording.
            zero_frame: of the run; None for the one that the recording began with.
        """
        if track_id not in self.tap.after_gain:
            return 0.0
        places = np.arange(len(self.tap.after_gain[track_id]))[
            self.line + start : None if end is None else self.line + end
        ]
        heard = self.tap.after_gain[track_id][places]
        zero_frame = self.tap.zero_frame if zero_frame is None else zero_frame
        sha256 = self.tap.urls[track_id].rsplit("/", 1)[1].removesuffix(".flac")
        looped, _ = soundfile.read(self.server.studio.sounds.blobs.path(sha256))
        wanted = looped[(places + self.tap.frame - zero_frame) % len(looped)]
        gain = float(heard @ wanted / (wanted @ wanted))
        assert np.abs(heard - gain * wanted).max() < 1e-3
        return gain

    def before_and_after(self, track_id: str) -> tuple[float, float]:
        """Return how loud a track is in the 60 ms before the line, and from the line's ramp on to the end."""
        return round(self.gain(track_id, -2646, 0), 3), round(self.gain(track_id, RAMP_FRAMES + 2), 3)

    def ramp_s(self, track_id: str) -> float:
        """Return how long after the line a track that ends there is heard, in seconds."""
        return (np.flatnonzero(np.abs(self.tap.after_gain[track_id]) > 0)[-1] - self.line) / RATE_HZ


@pytest.fixture(scope="module")
def tree(server: Server, chromium: Browser, usual_context: BrowserContext) -> Tree:
    with visiting(chromium, usual_context) as visit:
        page = visit(server.url)
        start_from_bars(page, server.studio.store)
        page.evaluate(_KEEP_VIEWS)
        generate(page, "Bass", 2)
        nodes: list[str] = []
        stems: list[str] = []
        for variation in "AB":
            pick(page, variation)
            expect(page.locator("#adding-to")).to_have_text(f"Adding to Bass {variation}")
            nodes.append(page.evaluate("stemStage.dock.node_id"))
            stems.append(page.evaluate("stemStage.dock.tracks[1].track_id"))
            page.evaluate("document.activeElement.blur()")
            page.keyboard.press("u")
            expect(page.locator("#adding-to")).to_have_text("Adding to Noise loop")
        loop, at_loop, views, kept = page.evaluate(
            "[stemStage.dock.tracks[0].track_id, stemStage.dock.node_id, views, { ...localStorage }]"
        )
    return Tree(loop, stems[0], stems[1], at_loop, nodes[0], nodes[1], views, kept)


@pytest.fixture
def band(server: Server, visit: Visit, tree: Tree) -> Band:
    page = visit(server.url, kept=tree.kept)
    page.wait_for_function("globalThis.stemEngine?.grid && stemStage.dock && stemStage.feed")
    make_ready(page)
    page.locator("#tree .name", has_text="Noise loop").click()
    expect(page.locator("#adding-to")).to_have_text("Adding to Noise loop")
    page.wait_for_function(
        "stemEngine.tracks.length === 3 && stemEngine.tracks.every(({url}) => stemEngine.decoded(url))"
    )
    page.evaluate(_SHOW_AGAIN, tree.views)
    page.evaluate(  # what the test before did to strips is kept
        "() => { for (const id of stemEngine.mixer.keys()) stemEngine.setMixer(id, stemMixing.NEUTRAL); }"
    )
    names = {"atLoop": tree.at_loop, "atA": tree.at_a, "atB": tree.at_b}
    page.evaluate("(names) => Object.assign(globalThis, names)", names)
    return Band(server, page, tree)


def test_a_switch_happens_on_its_bar_line_while_the_page_does_nothing_at_all(band: Band) -> None:
    band.play_at(band.tree.at_a)

    heard = band.listen("go(atB); await null; starve(msUntilLine() + 400);")

    assert heard.before_and_after(band.tree.loop) == (1, 1)  # it goes on
    assert heard.before_and_after(band.tree.bass_a) == (1, 0)
    assert heard.before_and_after(band.tree.bass_b) == (0, 1)
    assert heard.ramp_s(band.tree.bass_a) == pytest.approx(0.01, abs=0.002)
    assert band.page.evaluate("stemEngine.zeroFrame") == heard.tap.zero_frame
    assert band.page.evaluate("[stemEngine.next, stemEngine.scene.nodeId]") == [None, band.tree.at_b]
    assert band.page.evaluate("stemEngine.voices.size") == 2


def test_a_strip_that_is_moved_before_the_line_is_heard_at_once_and_stays_so(band: Band) -> None:
    band.play_at(band.tree.at_a)

    heard = band.listen(
        "go(atB); stemEngine.setMixer(stemStage.dock.tracks[0].mixer_id, { gainDb: -12 });"
        "await null; starve(msUntilLine() + 200);"
    )

    quarter = round(10 ** (-12 / 20), 3)
    assert heard.before_and_after(band.tree.loop) == (quarter, quarter)
    assert heard.before_and_after(band.tree.bass_a) == (1, 0)
    assert heard.before_and_after(band.tree.bass_b) == (0, 1)


def test_what_is_muted_before_the_line_does_not_come_in_on_it(band: Band) -> None:
    band.play_at(band.tree.at_loop)

    heard = band.listen("go(atB); stemStage.flip(1, 'isMuted'); await null; starve(msUntilLine() + 200);")

    assert heard.before_and_after(band.tree.loop) == (1, 1)
    assert heard.before_and_after(band.tree.bass_b) == (0, 0)


def test_soloing_what_comes_in_silences_the_others_from_the_line_on(band: Band) -> None:
    band.play_at(band.tree.at_loop)

    heard = band.listen("go(atA); stemStage.flip(1, 'isSolo'); await null; starve(msUntilLine() + 200);")

    assert heard.before_and_after(band.tree.loop) == (1, 0)
    assert heard.before_and_after(band.tree.bass_a) == (0, 1)


def test_a_variation_that_is_chosen_before_the_line_is_heard_from_it_on(band: Band) -> None:
    band.play_at(band.tree.at_a)

    heard = band.listen("go(atLoop); stemStage.auditionIndex(1); await null; starve(msUntilLine() + 200);")

    assert heard.before_and_after(band.tree.loop) == (1, 1)
    assert heard.before_and_after(band.tree.bass_a) == (1, 0)
    assert heard.before_and_after(band.tree.bass_b) == (0, 1)
    assert band.page.evaluate("stemEngine.candidateId") == band.tree.bass_b


def test_a_variation_that_is_picked_before_the_line_is_in_the_mix_from_it_on(band: Band) -> None:
    band.play_at(band.tree.at_a)

    heard = band.listen("go(atLoop); stemStage.auditionIndex(1); go(atB); await null; starve(msUntilLine() + 200);")

    assert heard.before_and_after(band.tree.loop) == (1, 1)
    assert heard.before_and_after(band.tree.bass_a) == (1, 0)
    assert heard.before_and_after(band.tree.bass_b) == (0, 1)
    assert band.page.evaluate("[stemEngine.candidateId, stemEngine.voices.size]") == [None, 2]


def test_of_two_nodes_asked_for_before_one_line_only_the_last_is_heard(band: Band) -> None:
    band.play_at(band.tree.at_a)

    heard = band.listen("go(atB); go(atLoop); await null; starve(msUntilLine() + 200);")

    assert heard.before_and_after(band.tree.loop) == (1, 1)
    assert heard.before_and_after(band.tree.bass_a) == (1, 0)
    assert heard.before_and_after(band.tree.bass_b) == (0, 0)
    assert band.page.evaluate("stemEngine.scene.nodeId") == band.tree.at_loop


def test_going_back_before_the_line_leaves_everything_as_it_was(band: Band) -> None:
    band.play_at(band.tree.at_a)

    heard = band.listen("go(atB); go(atA); await null; starve(msUntilLine() + 200);")

    assert heard.before_and_after(band.tree.loop) == (1, 1)
    assert heard.before_and_after(band.tree.bass_a) == (1, 1)
    assert heard.before_and_after(band.tree.bass_b) == (0, 0)
    assert band.page.evaluate("[stemEngine.next, stemEngine.voices.size]") == [None, 2]


def test_what_is_asked_for_after_a_line_that_the_page_slept_through_waits_for_the_next(band: Band) -> None:
    band.play_at(band.tree.at_a)

    heard = band.listen("go(atB); await null; starve(msUntilLine() + 100); setTimeout(() => go(atA), 0);", 1.6)

    assert heard.gain(band.tree.bass_a, -2646, 0) == pytest.approx(1, abs=1e-3)
    assert heard.gain(band.tree.bass_a, RAMP_FRAMES + 2, BAR_FRAMES) == pytest.approx(0, abs=1e-3)
    assert heard.gain(band.tree.bass_b, RAMP_FRAMES + 2, BAR_FRAMES) == pytest.approx(1, abs=1e-3)
    assert heard.gain(band.tree.bass_a, BAR_FRAMES + RAMP_FRAMES + 2) == pytest.approx(1, abs=1e-3)
    assert heard.gain(band.tree.bass_b, BAR_FRAMES + RAMP_FRAMES + 2) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    "jump",
    [
        "stemEngine.seekFrame(50_000);",
        "stemStage.setLoopBars(2);",
        "beginSlowly(); stemStage.setLoopBars(2);",
    ],
)
def test_a_jump_before_the_line_is_one_to_the_other_node(band: Band, jump: str) -> None:
    band.play_at(band.tree.at_a)

    heard = band.listen(f"go(atB); {jump} await null; starve(msUntilLine() + 200);")

    run = band.page.evaluate("stemEngine.run")
    begun = run["startFrame"] - heard.tap.frame - heard.line
    assert begun < 0
    end = begun + min(BAR_FRAMES, run["loop"]["end"] - run["offsetFrame"])  # before the loop turns back
    zero_frame = run["startFrame"] - run["offsetFrame"]
    # In Chromium the clock goes on by 512 frames: a voice that waited for them would come in after the ramp.
    levels = [
        heard.gain(name, begun + 2 * RAMP_FRAMES, end, zero_frame=zero_frame)
        for name in (band.tree.loop, band.tree.bass_a, band.tree.bass_b)
    ]
    assert levels == pytest.approx([1, 0, 1], abs=1e-3)
    assert band.page.evaluate("[stemEngine.next, stemEngine.scene.nodeId]") == [None, band.tree.at_b]


def test_a_pause_before_the_line_is_silence_and_the_other_node_when_it_goes_on(band: Band) -> None:
    band.play_at(band.tree.at_a)

    heard = band.listen("go(atB); stemEngine.pause(); await null; starve(msUntilLine() + 200);")

    for name in (band.tree.loop, band.tree.bass_a, band.tree.bass_b):
        assert heard.before_and_after(name) == (0, 0)
    play(band.page)
    let_sound(band.page, 0.2)
    tap = listen(band.page, 0.6)
    assert {name for name in tap.after_gain if tap.rms(name) > 0} == {band.tree.loop, band.tree.bass_b}


def test_what_is_asked_for_too_shortly_before_a_line_waits_for_the_next(band: Band) -> None:
    band.play_at(band.tree.at_a)

    heard = band.listen("go(atB); await null; while (msUntilLine() > 40); go(atLoop);", 1.4)

    assert heard.before_and_after(band.tree.bass_a) == (1, 0)
    assert heard.gain(band.tree.bass_b, -2646, 0) == pytest.approx(0, abs=1e-3)
    assert heard.gain(band.tree.bass_b, RAMP_FRAMES + 2, BAR_FRAMES) == pytest.approx(1, abs=1e-3)
    assert heard.gain(band.tree.bass_b, BAR_FRAMES + RAMP_FRAMES + 2) == pytest.approx(0, abs=1e-3)
    assert band.page.evaluate("stemEngine.scene.nodeId") == band.tree.at_loop


def test_a_sound_that_is_loaded_after_the_line_joins_then_in_its_place(band: Band) -> None:
    band.play_at(band.tree.at_a)

    heard = band.listen(
        """
        const { library } = stemEngine;
        const fetchAtOnce = library.fetch;
        library.entries.clear();
        library.fetch = async (url) => {
          await new Promise((next) => setTimeout(next, 900));
          return fetchAtOnce.call(library, url);
        };
        go(atB);
        while (stemEngine.voices.size < 2 || stemEngine.next) await new Promise((next) => setTimeout(next, 5));
        await new Promise((next) => setTimeout(next, 300));
        """,
        0.8,
    )

    assert heard.before_and_after(band.tree.loop) == (1, 1)
    assert heard.before_and_after(band.tree.bass_a) == (1, 0)
    assert heard.gain(band.tree.bass_b, RAMP_FRAMES, BAR_FRAMES // 4) == pytest.approx(0, abs=1e-3)
    end = len(heard.tap.after_gain[band.tree.bass_b]) - heard.line
    assert heard.gain(band.tree.bass_b, end - 20_000) == pytest.approx(1, abs=1e-3)


def test_a_clip_that_ends_on_the_line_ends_and_nothing_is_begun_anew(band: Band) -> None:
    band.play_at(band.tree.at_a)

    heard = band.listen(
        f"stemEngine.setLooping(false); stemEngine.seekFrame({3 * BAR_FRAMES + 2000}); go(atB);"
        "await new Promise((next) => setTimeout(next, msUntilLine() + 300));"
    )

    for name in (band.tree.loop, band.tree.bass_a, band.tree.bass_b):
        assert heard.gain(name, RAMP_FRAMES + 2) == 0
    state = "[stemEngine.isPlaying, stemEngine.restFrame, stemEngine.scene.nodeId, stemEngine.voices.size]"
    assert band.page.evaluate(state) == [False, 0, band.tree.at_b, 0]
