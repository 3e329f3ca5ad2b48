const test = require("node:test");
const assert = require("node:assert/strict");
globalThis.stemDom = {};
globalThis.stemMixing = {};
require("../../app/ui/static/live_clock.js");
require("../../app/ui/static/live_parts.js");
require("../../app/ui/static/live_controls.js");
require("../../app/ui/static/live_start.js");

const { boundary, loopAt, positionIn, nextReachable, countAt, secondsUntil, fadeFrames } = globalThis.stemLiveClock;
const { statusOf } = globalThis.stemLiveParts;
const { heardWords, numberWords } = globalThis.stemLiveControls;
const { easyBars, loopSeconds } = globalThis.stemLiveStart;

const CLOCK = { startFrame: 1000, numFrames: 352801, numBars: 4, beatsPerBar: 4, sampleRateHz: 44100 };

test("a boundary is whole loops from the start, after a day as after a minute", () => {
  const loops = 10800;
  assert.equal(boundary(CLOCK, loops), 1000 + 352801 * loops);
  assert.equal(loopAt(CLOCK, boundary(CLOCK, loops)), loops);
  assert.equal(loopAt(CLOCK, boundary(CLOCK, loops) - 1), loops - 1);
  assert.equal(positionIn(CLOCK, boundary(CLOCK, loops) + 7), 7);
  assert.equal(loopAt(CLOCK, 999), -1);
});

test("what can't be prepared for the next loop is for the one after", () => {
  const lead = Math.ceil(0.08 * 44100) + fadeFrames(CLOCK);
  assert.equal(nextReachable(CLOCK, boundary(CLOCK, 5) - lead, 5), 5);
  assert.equal(nextReachable(CLOCK, boundary(CLOCK, 5) - lead + 1, 5), 6);
  assert.equal(nextReachable(CLOCK, boundary(CLOCK, 5), 9), 9);
  assert.equal(nextReachable(CLOCK, -90000, 0), 0);
});

test("bars and beats are counted from 1 to the last of the loop", () => {
  assert.deepEqual(countAt(CLOCK, 1000), { bar: 1, beat: 1 });
  assert.deepEqual(countAt(CLOCK, 1000 + 352800), { bar: 4, beat: 4 });
  assert.deepEqual(countAt(CLOCK, 1000 + 352801), { bar: 1, beat: 1 });
  assert.equal(secondsUntil(CLOCK, 1000, 1), 352801 / 44100);
});

const PART = { part_id: "a", is_on: true, is_held: false, is_fixed: false, coming: null, playing: { number: 3 } };
const until = (loop) => loop - 4;

test("a part says what it does and when it is heard", () => {
  assert.equal(statusOf({ ...PART, coming: { number: 4, loop: 6.5 } }, null, until), "version 4 comes in 2.5 s");
  assert.equal(statusOf(PART, { part_id: "a", loop: 6 }, until), "making the next, for in 2.0 s");
  assert.equal(statusOf({ ...PART, playing: null }, { part_id: "a", loop: 6 }, until), "making its first version");
  assert.equal(statusOf({ ...PART, playing: null }, null, until), "waits for its turn");
  assert.equal(statusOf({ ...PART, is_held: true }, null, until), "held at version 3");
  assert.equal(statusOf({ ...PART, is_on: false }, null, until), "off");
  assert.equal(statusOf(PART, { part_id: "b", loop: 6 }, until), "plays version 3");
  assert.equal(
    statusOf({ ...PART, is_fixed: true, is_timekeeper: true }, null, until),
    "keeps time until somebody plays",
  );
});

test("a change of a control says when it is heard", () => {
  assert.match(heardWords(0, until), /next version/);
  assert.match(heardWords(10, until), /loop 11, in 6 s/);
  assert.equal(heardWords(3, until), "");
  assert.equal(numberWords("variation", 0.25), "25 %");
  assert.equal(numberWords("density", 1), "+1");
  assert.equal(numberWords("every", 1), "loop");
});

test("the loop that is offered first lasts long enough for a small machine", () => {
  assert.equal(loopSeconds(120, 4), 8);
  assert.deepEqual([60, 90, 134, 180].map(easyBars), [2, 4, 4, 8]);
});
