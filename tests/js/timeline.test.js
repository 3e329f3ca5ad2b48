const test = require("node:test");
const assert = require("node:assert/strict");
require("../../app/ui/static/timeline.js");

const timeline = globalThis.stemTimeline;
const RATE = 44100;
const FOUR_BARS = { tempo_bpm: 94, beats_per_bar: 4, first_downbeat_s: 0, num_bars: 4 };
const FOUR_BARS_FRAMES = Math.round((4 * 4 * 60 * RATE) / 94); // no whole number of frames per bar

function grid(changes = {}, numFrames = FOUR_BARS_FRAMES) {
  return timeline.makeGrid({ ...FOUR_BARS, ...changes }, numFrames, RATE);
}

test("a loop never leaves its region, wherever the run began and however long it lasts", () => {
  const loop = { start: 1000, end: 4567 };
  for (const offsetFrame of [1000, 1001, 3000, 4566]) {
    const run = { startFrame: 77, offsetFrame, loop };
    for (let frame = 0; frame < 40_000; frame += 131) {
      const at = timeline.positionAt(run, frame, 10_000);
      assert.ok(at >= loop.start && at < loop.end, `${at} at ${frame}`);
    }
  }
});

test("the frame after a loop's last is its first", () => {
  const run = { startFrame: 0, offsetFrame: 4566, loop: { start: 1000, end: 4567 } };

  assert.equal(timeline.positionAt(run, 0, 10_000), 4566);
  assert.equal(timeline.positionAt(run, 1, 10_000), 1000);
  assert.equal(timeline.positionAt(run, 1 + 3567, 10_000), 1000);
});

test("without a loop a run goes on to the end and stays there", () => {
  const run = { startFrame: 10, offsetFrame: 5, loop: null };

  assert.equal(timeline.positionAt(run, 20, 100), 15);
  assert.equal(timeline.positionAt(run, 1e6, 100), 100);
});

test("before a run sounds it stands where it will begin", () => {
  assert.equal(timeline.positionAt({ startFrame: 500, offsetFrame: 40, loop: null }, 100, 1000), 40);
});

test("entering a region keeps the distance to the bar line", () => {
  const region = { start: 400, end: 800 };

  assert.equal(timeline.enter(region, 1037), 637);
  assert.equal(timeline.enter(region, 37), 437);
  assert.equal(timeline.enter(region, 500), 500);
  assert.equal(timeline.enter(null, 9000), 9000);
});

test("the bars of a loop fill it exactly, though its tempo is given only roughly", () => {
  const rough = grid({ tempo_bpm: 94.6 });

  assert.equal(rough.barFrames * 4, FOUR_BARS_FRAMES);
  assert.equal(timeline.frameOfBar(rough, 4), FOUR_BARS_FRAMES);
  assert.equal(timeline.barLines(rough).length, 4);
});

test("bars that do not fit the clip are not bent to fit it", () => {
  assert.equal(grid({ num_bars: 3 }).barFrames, (60 / 94) * 4 * RATE);
});

test("without a tempo there is no grid", () => {
  for (const tempo_bpm of [null, undefined, 0, Number.NaN]) assert.equal(grid({ tempo_bpm }), null);
  assert.equal(timeline.makeGrid(null, 1000, RATE), null);
});

test("every bar line is in its own bar, counted as one point one", () => {
  for (const first_downbeat_s of [0, 0.37]) {
    const bars = grid({ first_downbeat_s, num_bars: null }, 5 * FOUR_BARS_FRAMES);
    for (const { bar, frame } of timeline.barLines(bars)) {
      assert.deepEqual(timeline.countAt(bars, frame), { bar, beat: 1 });
      assert.deepEqual(timeline.countAt(bars, frame - 1), { bar: bar - 1, beat: 4 });
    }
  }
});

test("three beats are counted where a bar has three", () => {
  const waltz = grid({ beats_per_bar: 3, num_bars: null });
  const beats = [0, 1, 2].map((beat) => timeline.countAt(waltz, Math.round((beat * waltz.barFrames) / 3)).beat);

  assert.deepEqual(beats, [1, 2, 3]);
});

test("the next bar line comes after the frame and not behind the loop's end", () => {
  const bars = grid();
  const second = timeline.frameOfBar(bars, 1);

  assert.equal(timeline.nextLine(bars, 0, null), second);
  assert.equal(timeline.nextLine(bars, second, null), timeline.frameOfBar(bars, 2));
  assert.equal(timeline.nextLine(bars, 10, { start: 0, end: 5000 }), 5000);
  assert.equal(timeline.nextLine(bars, FOUR_BARS_FRAMES - 1, null), FOUR_BARS_FRAMES);
});

test("stepping goes to bar lines, round the ends, and back to the bar's own beginning first", () => {
  const bars = grid();
  const line = (bar) => timeline.frameOfBar(bars, bar);

  assert.equal(timeline.stepBar(bars, 0, 1, RATE), line(1));
  assert.equal(timeline.stepBar(bars, line(3) + 5, 1, RATE), 0);
  assert.equal(timeline.stepBar(bars, line(2) + RATE, -1, RATE), line(2));
  assert.equal(timeline.stepBar(bars, line(2) + 100, -1, RATE), line(1));
  assert.equal(timeline.stepBar(bars, 0, -1, RATE), line(3));
});

test("a loop of some bars lies where one is, in steps of its own length", () => {
  const bars = grid();

  assert.deepEqual(timeline.regionAround(bars, timeline.frameOfBar(bars, 3) + 9, 2), {
    start: timeline.frameOfBar(bars, 2),
    end: FOUR_BARS_FRAMES,
  });
  assert.equal(timeline.regionAround(bars, 0, 4), null); // that is the whole clip
});

test("dragging takes every bar that was touched, in either direction", () => {
  const bars = grid();
  const [from, to] = [timeline.frameOfBar(bars, 1) + 50, timeline.frameOfBar(bars, 2) + 50];
  const selected = { start: timeline.frameOfBar(bars, 1), end: timeline.frameOfBar(bars, 3) };
  const clip = { numFrames: FOUR_BARS_FRAMES, sampleRateHz: RATE };

  assert.deepEqual(timeline.regionBetween(bars, from, to, clip), selected);
  assert.deepEqual(timeline.regionBetween(bars, to, from, clip), selected);
});

test("without a grid a region is what was dragged over, and never too short to be heard", () => {
  const region = timeline.regionBetween(null, 100, 150, { numFrames: 100_000, sampleRateHz: RATE });

  assert.deepEqual(region, { start: 100, end: 100 + RATE / 4 });
});

test("a loop follows to where one goes, stays inside the clip and keeps its bars", () => {
  const bars = grid();
  const first = { start: 0, end: timeline.frameOfBar(bars, 1) };
  for (let bar = 0; bar < 4; bar += 1) {
    const moved = timeline.follow(bars, first, timeline.frameOfBar(bars, bar) + 3, FOUR_BARS_FRAMES);
    assert.deepEqual(moved, { start: timeline.frameOfBar(bars, bar), end: timeline.frameOfBar(bars, bar + 1) });
  }
  const free = timeline.follow(null, { start: 0, end: 400 }, 990, 1000);
  assert.deepEqual(free, { start: 600, end: 1000 });
});
