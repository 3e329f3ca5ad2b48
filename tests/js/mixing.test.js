const test = require("node:test");
const assert = require("node:assert/strict");
require("../../app/ui/static/mixing.js");

const mixing = globalThis.stemMixing;
const DRUMS = { id: "drums", role: "mix", mixerId: "d" };
const BASS = { id: "bass", role: "mix", mixerId: "b", isCompared: true };
const [A, B] = ["a", "b"].map((id) => ({ id, role: "candidate", mixerId: "turn" }));
const OTHER = { id: "keys", role: "compare", mixerId: "k", isCompared: true };
const TRACKS = [DRUMS, BASS, A, B, OTHER];

function heard(scene, strips = {}) {
  const whole = { tracks: TRACKS, candidateId: null, listenMode: "mix", isComparing: false, ...scene };
  const mixerOf = (id) => ({ ...mixing.NEUTRAL, ...strips[id] });
  return TRACKS.filter((track) => mixing.targetGain(track, whole, mixerOf) > 0).map((track) => track.id);
}

test("of the variations only the chosen one sounds, and none unless one is chosen", () => {
  assert.deepEqual(heard({}), ["drums", "bass"]);
  assert.deepEqual(heard({ candidateId: "a" }), ["drums", "bass", "a"]);
  assert.deepEqual(heard({ candidateId: "b" }), ["drums", "bass", "b"]);
});

test("context is the mix without the variation, solo the variation without the mix", () => {
  assert.deepEqual(heard({ candidateId: "a", listenMode: "context" }), ["drums", "bass"]);
  assert.deepEqual(heard({ candidateId: "a", listenMode: "solo" }), ["a"]);
  assert.deepEqual(heard({ listenMode: "solo" }), ["drums", "bass"]); // there is none to be alone
});

test("comparing lets exactly the other mix sound", () => {
  assert.deepEqual(heard({ candidateId: "a", isComparing: true }), ["bass", "keys"]);
});

test("solo silences the others, mute only itself, and solo wins over mute", () => {
  assert.deepEqual(heard({ candidateId: "a" }, { d: { isSolo: true } }), ["drums"]);
  assert.deepEqual(heard({ candidateId: "a" }, { d: { isMuted: true } }), ["bass", "a"]);
  assert.deepEqual(heard({}, { d: { isSolo: true, isMuted: true } }), ["drums"]);
});

test("the solo of a strip that is not heard silences nobody", () => {
  assert.deepEqual(heard({}, { turn: { isSolo: true }, k: { isSolo: true } }), ["drums", "bass"]);
  assert.deepEqual(heard({ isComparing: true }, { d: { isSolo: true } }), ["bass", "keys"]);
});

test("gains follow the fader's decibels, silent at its lower end", () => {
  const scene = { tracks: [DRUMS], candidateId: null, listenMode: "mix", isComparing: false };
  const at = (gainDb) => mixing.targetGain(DRUMS, scene, () => ({ ...mixing.NEUTRAL, gainDb }));

  assert.equal(at(0), 1);
  assert.ok(Math.abs(at(-6.0206) - 0.5) < 1e-5);
  assert.equal(at(mixing.SILENT_DB), 0);
});

test("a fader comes back to where it was left", () => {
  for (let way = 0; way <= 1; way += 0.05) {
    assert.ok(Math.abs(mixing.faderOfDb(mixing.dbOfFader(way)) - way) < 0.01, String(way));
  }
  assert.equal(mixing.dbOfFader(0), mixing.SILENT_DB);
  assert.equal(mixing.dbOfFader(mixing.faderOfDb(0)), 0);
});

test("a meter is full at full scale, empty far below, and never leaves its box", () => {
  assert.equal(mixing.meterFill(1), 1);
  assert.equal(mixing.meterFill(3), 1);
  assert.equal(mixing.meterFill(0), 0);
  assert.equal(mixing.meterFill(1e-6), 0);
  assert.ok(Math.abs(mixing.meterFill(10 ** (-24 / 20)) - 0.5) < 1e-9);
});

test("levels and sides are said in words", () => {
  assert.deepEqual([0, -3, 2.5, -60].map(mixing.dbWords), ["0.0 dB", "−3.0 dB", "+2.5 dB", "silent"]);
  assert.deepEqual([0, -1, 0.5].map(mixing.panWords), ["centre", "100 % left", "50 % right"]);
});
