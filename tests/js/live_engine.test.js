const test = require("node:test");
const assert = require("node:assert/strict");
require("../../app/ui/static/live_clock.js");
require("../../app/ui/static/live_engine.js");

const { positionIn, fadeFrames } = globalThis.stemLiveClock;
const engine = globalThis.stemLiveEngine;
const RATE_HZ = 1000;

// An audio context whose clock the test moves on; it writes down when sources were to start and stop.
class StandInContext {
  constructor() {
    this.currentTime = 0;
    this.sources = [];
  }

  createGain() {
    const gain = { setValueAtTime() {}, linearRampToValueAtTime() {}, cancelScheduledValues() {} };
    return { gain, connect: (next) => next, disconnect() {} };
  }

  createBufferSource() {
    const source = {
      connect: (next) => next,
      start: (startS, offsetS) => Object.assign(source, { startS, offsetS }),
      stop: (stopS) => Object.assign(source, { stopS }),
    };
    this.sources.push(source);
    return source;
  }
}

function playing() {
  engine.parts.clear();
  engine.context = new StandInContext();
  engine.master = {};
  engine.clock = { startFrame: 500, numFrames: 2000, numBars: 1, beatsPerBar: 4, sampleRateHz: RATE_HZ };
  return engine.context;
}

const nextScript = () => new Promise((done) => setTimeout(done, 1));

test("a voice that was handed over in time is left alone", async () => {
  const context = playing();
  context.currentTime = 1.0;
  engine.plan("bass", "v1", {}, 1);
  await nextScript();

  assert.equal(context.sources.length, 1);
  assert.equal(context.sources[0].stopS, undefined);
});

test("a voice that the browser learnt of too late is soon in its place of the loop", async () => {
  const context = playing();
  context.currentTime = 2.3;
  engine.plan("bass", "v1", {}, 1); // from 2.5 s on
  context.currentTime = 2.6; // the script took its time
  await nextScript();

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
  await nextScript();

  assert.equal(context.sources.length, 2);
  assert.equal(
    context.sources[1].offsetS,
    positionIn(engine.clock, Math.round(context.sources[1].startS * RATE_HZ)) / RATE_HZ,
  );
});
