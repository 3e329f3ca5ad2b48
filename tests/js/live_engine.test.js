const test = require("node:test");
const assert = require("node:assert/strict");
require("../../app/ui/static/live_clock.js");
require("../../app/ui/static/handover.js");
require("../../app/ui/static/live_engine.js");

const { StandInContext, lookAgain } = require("./stand_in_audio.js");
const { boundary, positionIn, fadeFrames } = globalThis.stemLiveClock;
const engine = globalThis.stemLiveEngine;
const RATE_HZ = 1000;

function playing() {
  engine.parts.clear();
  engine.context = new StandInContext();
  engine.master = {};
  engine.clock = { startFrame: 500, numFrames: 2000, numBars: 1, beatsPerBar: 4, sampleRateHz: RATE_HZ };
  return engine.context;
}

// Plans a version for 2.5 s, in a script that is over at 2.6 s.
function planTooLate() {
  const context = playing();
  context.currentTime = 2.3;
  engine.plan("bass", "v1", {}, 1);
  context.currentTime = 2.6;
  return context;
}

// Time by the computer's clock stands still unless the test moves it on.
let nowMs = 0;
performance.now = () => nowMs;

test("a voice that was handed over in time is left alone", async () => {
  const context = playing();
  context.currentTime = 1.0;
  engine.plan("bass", "v1", {}, 1);
  await lookAgain();

  assert.equal(context.sources.length, 1);
  assert.equal(context.sources[0].stopS, undefined);
});

test("a voice that the browser learnt of too late is soon in its place of the loop", async () => {
  const context = playing();
  context.currentTime = 2.3;
  engine.plan("bass", "v1", {}, 1); // from 2.5 s on
  context.currentTime = 2.6; // the script took its time
  await lookAgain();

  const [late, inPlace] = context.sources;
  assert.equal(context.sources.length, 2);
  assert.ok(inPlace.startS > 2.6);
  assert.equal(inPlace.offsetS, positionIn(engine.clock, Math.round(inPlace.startS * RATE_HZ)) / RATE_HZ);
  assert.ok(Math.abs(late.stopS - inPlace.startS - fadeFrames(engine.clock) / RATE_HZ) < 1e-9);
  assert.equal(engine.sounding().bass, "v1");
});

test("a first voice that came too late is put in its place, too", async () => {
  const context = playing();
  context.currentTime = 0.35;
  engine.plan("groove", "v1", {}, 0); // from 0.5 s on
  assert.deepEqual([context.sources[0].startS, context.sources[0].offsetS], [0.5, 0]);
  context.currentTime = 0.7;
  await lookAgain();

  assert.equal(context.sources.length, 2);
  assert.equal(
    context.sources[1].offsetS,
    positionIn(engine.clock, Math.round(context.sources[1].startS * RATE_HZ)) / RATE_HZ,
  );
});

test("a voice that came too late is found out though the clock was told late", async () => {
  const context = playing();
  context.currentTime = 2.3;
  engine.plan("bass", "v1", {}, 1);
  await null; // and all this time the clock stood still
  context.currentTime = 2.6;
  nowMs += 1000 * 0.05;
  await lookAgain();

  assert.equal(context.sources.length, 2);
});

test("a voice that was handed over in time is left alone, however long the page is busy then", async () => {
  const context = playing();
  context.currentTime = 1.0;
  engine.plan("bass", "v1", {}, 1);
  await null; // the script that began it is over
  context.currentTime += 2;
  nowMs += 2000;
  await lookAgain();

  assert.equal(context.sources.length, 1);
});

test("what is put in place leaves at the boundary that the next version was planned for meanwhile", async () => {
  const context = planTooLate();
  await null;
  engine.plan("bass", "v2", {}, 2); // from 4.5 s on
  await lookAgain();

  const { now, next } = engine.part("bass");
  assert.deepEqual([now.versionId, next.versionId, context.sources.length], ["v1", "v2", 3]);
  assert.equal(now.source, context.sources[2]);
  const leaves = boundary(engine.clock, 2);
  const levelAt = (frame) => now.fade.gain.valueAt(frame / RATE_HZ);
  assert.deepEqual([levelAt(3000), levelAt(leaves - fadeFrames(engine.clock)), levelAt(leaves)], [1, 1, 0]);
});

test("a voice that leaves before another could be in its place is left alone", async () => {
  const context = planTooLate();
  await null;
  engine.plan("bass", "v2", {}, 2);
  context.currentTime = 4.45;
  await lookAgain();

  assert.equal(context.sources.length, 2);
});

test("a part that was taken out, or a jam that is over, gets no other voice", async () => {
  for (const leave of [
    () => engine.remove("bass"),
    () => {
      const { clock, context, master } = engine;
      engine.close();
      Object.assign(engine, { clock, context, master }); // the next jam has begun
    },
  ]) {
    const context = planTooLate();
    context.close = () => {};
    leave();
    await lookAgain();

    assert.equal(context.sources.length, 1);
  }
});
