const test = require("node:test");
const assert = require("node:assert/strict");
require("../../app/ui/static/recording.js");

const { countIn, since, join, peaks, wholeBars, firstDownbeat, wavOf } = globalThis.stemRecording;

test("a count-in clicks every beat, the first of a bar marked, and ends on a downbeat without one", () => {
  const { clicks, downbeatFrame } = countIn({
    startFrame: 100,
    bpm: 120,
    beatsPerBar: 3,
    numBars: 2,
    sampleRateHz: 1000,
  });

  assert.deepEqual(
    clicks.map(({ frame }) => frame),
    [100, 600, 1100, 1600, 2100, 2600],
  );
  assert.deepEqual(
    clicks.map(({ word }) => word),
    [1, 2, 3, 1, 2, 3],
  );
  assert.deepEqual(
    clicks.map(({ isFirst }) => isFirst),
    [true, false, false, true, false, false],
  );
  assert.equal(downbeatFrame, 3100);
});

test("of a block only what was played since the beginning is kept", () => {
  const block = Float32Array.from([1, 2, 3, 4]);

  assert.equal(since(block, 10, 14), null);
  assert.deepEqual([...since(block, 10, 13)], [4]);
  assert.deepEqual([...since(block, 10, 10)], [1, 2, 3, 4]);
  assert.deepEqual([...since(block, 10, 3)], [1, 2, 3, 4]);
  assert.deepEqual([...join([since(block, 10, 12), block])], [3, 4, 1, 2, 3, 4]);
});

test("peaks are the largest magnitudes, of sounds shorter than the picture, too", () => {
  assert.equal(Math.max(...peaks(Float32Array.from([0.1, -0.5]))), 0.5);
  assert.equal(peaks(new Float32Array(6000).fill(-0.25)).filter((size) => size === 0.25).length, 600);
});

test("a cut is moved to whole bars: the nearest beginning, the nearest number that the recording has", () => {
  const durationS = 9.2;

  assert.deepEqual(wholeBars({ startS: 0.3, endS: 7.6, durationS, barS: 2 }), { startS: 0, endS: 8 });
  assert.deepEqual(wholeBars({ startS: 1.9, endS: 9.2, durationS, barS: 2 }), { startS: 2, endS: 8 });
  assert.deepEqual(wholeBars({ startS: 0, endS: 0.5, durationS, barS: 2 }), { startS: 0, endS: 2 });
  assert.equal(wholeBars({ startS: 8.1, endS: 9.2, durationS, barS: 2 }), null);
});

test("cutting off the beginning moves the first bar line", () => {
  assert.equal(firstDownbeat(0, 2), 0);
  assert.equal(firstDownbeat(4, 2), 0);
  assert.ok(Math.abs(firstDownbeat(0.5, 2) - 1.5) < 1e-9);
  assert.equal(firstDownbeat(3 * 1.7142857, 1.7142857), 0);
});

test("a WAV file says how long it is and holds every sample, clipped at full scale", () => {
  const bytes = new DataView(wavOf(Float32Array.from([0, 1, -1, 2, 0.5]), 48000));

  assert.equal(bytes.byteLength, 54);
  assert.equal(bytes.getUint32(24, true), 48000);
  assert.equal(bytes.getUint32(40, true), 10);
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((at) => bytes.getInt16(44 + 2 * at, true)),
    [0, 32767, -32767, 32767, 16384],
  );
});
