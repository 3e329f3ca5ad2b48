const test = require("node:test");
const assert = require("node:assert/strict");
globalThis.stemDom = { remaining: (seconds) => (seconds === null ? "" : `about ${seconds} s`) };
require("../../app/ui/static/context_card.js");
require("../../app/ui/static/turn_card.js");

const { sureness, tappedTempo, addTap, facts } = globalThis.stemContextCard;
const { shownOrder, isBest, statusOf, partNames } = globalThis.stemTurnCard;

const ANALYSIS = {
  tempo_bpm: 92.04,
  beats_per_bar: 3,
  first_downbeat_s: 0.333,
  num_bars: 1,
  key: null,
  confidence: { tempo_bpm: 0.8, beats_per_bar: 0.5, first_downbeat_s: 0.1, key: 0 },
  said: {},
};

function turn(places, changes) {
  const variations = places.map((rank, at) => ({
    label: "ABCD"[at],
    rank,
    state: rank === null ? "failed" : "done",
    fit: { verdict: "good" },
  }));
  return { is_active: false, state: "done", queue_position: 0, eta_s: null, variations, ...changes };
}

const letters = (shown) => shownOrder(shown).map((variation) => variation.label);

test("a fact says how sure it is, and that it is the user's", () => {
  assert.deepEqual(
    [0.9, 0.75, 0.5, 0.1].map((confidence) => sureness(confidence, false)),
    ["sure", "sure", "likely", "a guess"],
  );
  assert.equal(sureness(0.1, true), "set by you");
});

test("the tempo of taps is that of their median distance, from the fourth on", () => {
  assert.equal(tappedTempo([0, 500, 1000]), null);
  assert.equal(tappedTempo([0, 500, 1000, 1500]), 120);
  assert.equal(tappedTempo([0, 500, 1000, 1700, 2200, 2700]), 120); // one came late
  assert.equal(tappedTempo([0, 600, 1250, 1900, 2550]), 92.3);
});

test("after a pause taps are counted anew, and long counts forget their beginning", () => {
  assert.deepEqual(addTap([0, 500], 1000), [0, 500, 1000]);
  assert.deepEqual(addTap([0, 500], 3100), [3100]);
  const many = Array.from({ length: 40 }, (_, at) => at * 500);
  assert.equal(many.reduce(addTap, []).length, 16);
});

test("the facts are what is known, in the words of musicians", () => {
  assert.deepEqual(
    facts(ANALYSIS).map(({ value, sure }) => `${value} ${sure}`.trim()),
    ["92 BPM sure", "3/4 likely", "1 bar", "first downbeat 0.33 s a guess", "no key heard"],
  );
  const said = { ...ANALYSIS, tempo_bpm: null, said: { key: "none" } };
  assert.deepEqual(
    facts(said).map(({ value }) => value),
    ["no tempo heard", "no key"],
  );
});

test("variations stand by letter while they arrive and best first afterwards, what failed last", () => {
  assert.deepEqual(letters(turn([2, 0, 1], { is_active: true })), ["A", "B", "C"]);
  assert.deepEqual(letters(turn([2, 0, 1])), ["B", "C", "A"]);
  assert.deepEqual(letters(turn([1, null, 0])), ["C", "A", "B"]);
});

test("best is said of one of several that are all there, and never of a poor one", () => {
  const two = turn([1, 0]);
  assert.deepEqual(
    two.variations.map((variation) => isBest(two, variation)),
    [false, true],
  );
  const running = turn([1, 0], { is_active: true });
  assert.equal(isBest(running, running.variations[1]), false);
  const one = turn([0]);
  assert.equal(isBest(one, one.variations[0]), false);
  const poor = { ...two.variations[1], fit: { verdict: "poor" } };
  assert.equal(isBest(two, poor), false);
});

test("a turn says its place in line, then how far it is, then nothing", () => {
  const waiting = turn([null, null], { is_active: true, state: "queued", queue_position: 1, eta_s: 12 });
  assert.equal(statusOf(waiting), "next in line, about 12 s left");
  assert.equal(statusOf({ ...waiting, queue_position: 3, eta_s: null }), "3 in line");
  assert.equal(statusOf(turn([0, null], { is_active: true, state: "running", eta_s: 4 })), "2 of 2, about 4 s left");
  assert.equal(statusOf(turn([null], { is_active: true, state: "running" })), "working");
  assert.equal(statusOf(turn([0])), "");
  assert.equal(statusOf(turn([0], { state: "cancelled" })), "cancelled");
});

test("parts are named by bars, or by seconds where no tempo is known", () => {
  assert.deepEqual(partNames({ unit: "bar", edges_s: [0, 2, 4] }), ["Bar 1", "Bar 2"]);
  assert.deepEqual(partNames({ unit: "second", edges_s: [0, 1] }), ["Second 1"]);
});
