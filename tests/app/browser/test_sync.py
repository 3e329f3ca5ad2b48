"""Everything that sounds is in sync to the sample: proven by recording the audio graph, not by asking the engine."""

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page

from tests.app.browser.conftest import BROWSER_MARKS, LOOP_S, Server, Visit
from tests.app.browser.steps import generate, pick, play, start_from_example
from tests.app.browser.tap import RECORDER, WORKLET, Tap, lag, let_sound, listen, make_ready

pytestmark = BROWSER_MARKS


@pytest.fixture
def page(server: Server, visit: Visit) -> Page:
    page = visit(server.url)
    start_from_example(page)
    page.wait_for_function("stemEngine.numFrames > 0")
    make_ready(page)
    return page


def _places(server: Server, tap: Tap, start: int = 0, end: int | None = None) -> dict[str, float]:
    """Return where in its file each track would have stood when the recording began, by a part of what was heard.

    Args:
        server: that has the files.
        tap: the recording.
        start: of the part, audio samples from the beginning.
        end: of the part; None is the end of the recording.
    """
    assert tap.num_gaps == 0
    places = {}
    for track_id, recorded in tap.before_gain.items():
        sha256 = tap.urls[track_id].rsplit("/", 1)[1].removesuffix(".flac")
        looped, _ = soundfile.read(server.studio.sounds.blobs.path(sha256))
        places[track_id] = (lag(recorded[start:end], looped) - start) % len(looped)
    return places


def _lags(server: Server, tap: Tap) -> list[float]:
    """Return where each track stands in its file when the recording begins."""
    return list(_places(server, tap).values())


def test_the_measurement_itself_sees_a_lag_of_a_few_samples(rng: np.random.Generator) -> None:
    looped = rng.standard_normal(44_100)

    assert lag(np.roll(looped, -384)[:20_000], looped) == pytest.approx(384, abs=0.1)


@pytest.mark.parametrize(
    ("clock", "frames", "num_gaps"),
    [
        ([0, 128, 256, 384, 512], [128, 256, 384, 512], 0),
        ([0, 128, 256, 256, 512], [128, 256, 384, 512], 0),  # the clock was told late
        ([0, 128, 128, 128, 512, 640], [128, 256, 384, 512, 640], 0),
        ([0, 128, 256, 512, 640], [128, 256, 512, 640], 1),  # a block was left out
        ([0, 128, 256, 256, 640], [128, 256, 384, 640], 1),  # both
        ([0, 384, 384, 640, 768], [640, 768], 0),  # late from the start: sure from where it goes on by one block
    ],
)
def test_the_recorder_tells_a_late_clock_from_a_block_left_out(
    chromium: Browser, clock: list[int], frames: list[int], num_gaps: int
) -> None:
    page = chromium.new_page()

    told = page.evaluate(
        """([source, clock]) => {
          const blocks = [];
          globalThis.AudioWorkletProcessor = class { port = { postMessage: (block) => blocks.push(block) } };
          let Recorder;
          globalThis.registerProcessor = (_, processor) => (Recorder = processor);
          const numGaps = new Function(source)();
          const recorder = new Recorder();
          recorder.port.onmessage();
          for (globalThis.currentFrame of clock) recorder.process([[]]);
          return [blocks.map((block) => block.frame), numGaps(blocks)];
        }""",
        [f"{WORKLET} {RECORDER} return numGaps;", clock],
    )
    page.close()

    assert told == [frames, num_gaps]


def test_the_recorder_leaves_nothing_out_while_the_page_holds_the_graphs_lock(page: Page) -> None:
    play(page)

    heard = page.evaluate(
        """async () => {
          RECORDER
          const { context } = stemEngine;
          const { node, blocks, begin } = await openRecorder(context, 1);
          const ramp = context.createBuffer(1, 1 << 20, context.sampleRate);
          ramp.getChannelData(0).forEach((_, at, samples) => (samples[at] = at + 1));
          const source = new AudioBufferSourceNode(context, { buffer: ramp });
          source.connect(node);
          source.start();
          begin();
          while (blocks.length < 300) {
            for (let times = 0; times < 100; times += 1) {
              const gain = new GainNode(context);
              gain.connect(context.destination);
              gain.disconnect();
            }
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
          source.disconnect();
          node.disconnect();
          return { gaps: numGaps(blocks), starts: blocks.map((block) => [block.frame, block.heard[0][0]]) };
        }""".replace("RECORDER", RECORDER)
    )

    zero_frames = [frame - at for frame, at in heard["starts"] if at > 0]  # of a ramp that counts frames
    assert heard["gaps"] == 0
    assert len(zero_frames) > 200
    assert set(zero_frames) == {zero_frames[-1]}


def test_all_variations_run_in_sync_early_and_after_four_loops(server: Server, page: Page) -> None:
    generate(page, "Bass", 3)
    play(page)

    early = listen(page)
    let_sound(page, 4 * LOOP_S)
    late = listen(page)

    for tap in (early, late):
        lags = _lags(server, tap)
        assert len(lags) == 4
        assert np.ptp(lags) <= 0.5
        assert lags[0] == pytest.approx((tap.frame - tap.zero_frame) % round(44_100 * LOOP_S), abs=0.5)


def test_a_variation_that_arrives_while_playing_joins_in_sync(server: Server, page: Page) -> None:
    play(page)
    zero_frame = page.evaluate("stemEngine.zeroFrame")

    generate(page, "Bass", 2)
    page.wait_for_function("stemEngine.voices.size === 3")
    tap = listen(page)

    assert tap.zero_frame == zero_frame
    assert np.ptp(_lags(server, tap)) <= 0.5


# Hands each source over so long after its start was chosen that this moment is past.
_HAND_OVER_LATE = """
const { start } = AudioBufferSourceNode.prototype;
AudioBufferSourceNode.prototype.start = function (...when) {
  const endMs = performance.now() + LATE_MS;
  while (performance.now() < endMs);
  return start.apply(this, when);
};
globalThis.handOverInTime = () => (AudioBufferSourceNode.prototype.start = start);
"""


def test_a_run_that_the_browser_began_too_late_is_in_sync_a_moment_later_and_where_it_was_to_be(
    server: Server, page: Page
) -> None:
    generate(page, "Bass", 2)
    play(page)
    page.keyboard.press("1")
    let_sound(page, 0.1)
    late = _HAND_OVER_LATE.replace("LATE_MS", "100") + "stemEngine.seekFrame(30_000); handOverInTime();"

    tap = listen(page, 1.2, act=late)

    assert page.evaluate("[stemEngine.isPlaying, stemEngine.voices.size]") == [True, 3]
    run = page.evaluate("stemEngine.run")
    assert run["offsetFrame"] == 30_000
    faded = run["startFrame"] - tap.frame + 1000  # the run before is not heard any more
    silences = [int(np.flatnonzero(recorded[faded:])[0]) for recorded in tap.before_gain.values()]
    assert max(silences) > 1000  # else nothing was late
    settled = len(tap.before_gain[next(iter(tap.before_gain))]) - 15_000
    due = (tap.frame - run["startFrame"] + 30_000) % round(44_100 * LOOP_S)
    assert list(_places(server, tap, settled).values()) == pytest.approx([due] * 3, abs=0.5)
    for track_id in (page.evaluate("stemStage.dock.tracks[0].track_id"), page.evaluate("stemEngine.candidateId")):
        assert tap.after_gain[track_id][settled:] == pytest.approx(tap.before_gain[track_id][settled:], abs=1e-4)


def test_variations_that_the_browser_began_too_late_join_in_sync(server: Server, page: Page) -> None:
    play(page)
    zero_frame = page.evaluate("stemEngine.zeroFrame")
    page.evaluate("() => {" + _HAND_OVER_LATE.replace("LATE_MS", "120") + "}")

    generate(page, "Bass", 2)
    page.wait_for_function("stemEngine.voices.size === 3")
    page.evaluate("() => handOverInTime()")
    let_sound(page, 0.5)
    tap = listen(page)

    assert tap.zero_frame == zero_frame
    assert np.ptp(_lags(server, tap)) <= 0.5


def test_keys_switch_variations_without_a_restart_and_only_the_chosen_one_sounds(server: Server, page: Page) -> None:
    generate(page, "Bass", 3)
    play(page)
    zero_frame = page.evaluate("stemEngine.zeroFrame")
    ids = page.evaluate("stemStage.candidates().map((variation) => variation.variation_id)")
    context_id = page.evaluate("stemStage.dock.tracks[0].track_id")

    for key, chosen in enumerate(ids, start=1):
        page.keyboard.press(str(key))
        let_sound(page, 0.1)  # ten times the crossfade
        tap = listen(page, 0.36)

        assert tap.zero_frame == zero_frame
        assert tap.rms(chosen) > 0.001  # a burst dies away before the next beat
        assert tap.rms(context_id) > 0.001
        assert [tap.rms(other) for other in ids if other != chosen] == [0.0, 0.0]


def test_picking_while_playing_neither_restarts_nor_doubles_the_stem(server: Server, page: Page) -> None:
    generate(page, "Bass", 2)
    play(page)
    zero_frame = page.evaluate("stemEngine.zeroFrame")

    pick(page, "B")
    let_sound(page, 0.1)
    tap = listen(page)

    assert tap.zero_frame == zero_frame
    assert len(tap.after_gain) == 2  # the context and the stem, once
    assert all(tap.rms(track_id) > 0.01 for track_id in tap.after_gain)
    assert np.ptp(_lags(server, tap)) <= 0.5


def test_solo_mute_and_listening_modes_silence_exactly_the_others(page: Page) -> None:
    generate(page, "Bass", 2)
    play(page)
    page.keyboard.press("1")
    context_id, stem_id = page.evaluate("[stemStage.dock.tracks[0].track_id, stemEngine.candidateId]")

    def heard(press: str) -> tuple[bool, bool]:
        page.locator(press).click()
        let_sound(page, 0.1)
        tap = listen(page, 0.3)
        return tap.rms(context_id) > 0, tap.rms(stem_id) > 0

    assert heard("#dock [data-mode=solo]") == (False, True)
    assert heard("#dock [data-mode=context]") == (True, False)
    assert heard("#dock [data-mode=mix]") == (True, True)
    assert heard("#dock .strip >> nth=0 >> .isSolo") == (True, False)
    assert heard("#dock .strip >> nth=0 >> .isSolo") == (True, True)
    assert heard("#dock .strip >> nth=0 >> .isMuted") == (False, True)
