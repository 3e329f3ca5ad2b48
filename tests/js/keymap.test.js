const test = require("node:test");
const assert = require("node:assert/strict");
require("../../app/ui/static/keymap.js");

const { BINDINGS, LIVE_BINDINGS, CHORD_MS, KeyReader, bindingOf } = globalThis.stemKeymap;

test("no key means two things, neither in the studio nor live", () => {
  for (const bindings of [BINDINGS, LIVE_BINDINGS]) {
    const keys = bindings.flatMap((binding) => binding.keys);

    assert.equal(new Set(keys).size, keys.length);
  }
});

test("the same key does one thing in the studio and another live", () => {
  assert.equal(bindingOf(" ").action, "toggle");
  assert.equal(bindingOf(" ", LIVE_BINDINGS).action, "stop");
  assert.equal(bindingOf("R", LIVE_BINDINGS).action, "record");
  assert.equal(bindingOf("g", LIVE_BINDINGS), null);
});

test("numbers choose variations, and after S or M tracks", () => {
  const reader = new KeyReader();

  assert.deepEqual(reader.read("3", 0), { action: "variation", number: 2 });
  assert.deepEqual(reader.read("s", 10), { action: "await", number: null });
  assert.deepEqual(reader.read("3", 20), { action: "solo", number: 2 });
  assert.deepEqual(reader.read("3", 30), { action: "variation", number: 2 });
  reader.read("M", 40);
  assert.deepEqual(reader.read("9", 50), { action: "mute", number: 8 });
});

test("S and M do not wait for ever, nor past another key", () => {
  const reader = new KeyReader();
  reader.read("s", 0);
  assert.equal(reader.read("1", CHORD_MS + 1).action, "variation");
  reader.read("s", 0);
  reader.read("l", 1);
  assert.equal(reader.read("1", 2).action, "variation");
});

test("keys that mean nothing are left to the browser", () => {
  for (const key of ["9", "q", "F5", "Tab", "Escape"]) assert.equal(new KeyReader().read(key, 0), null);
});

test("capital letters mean the same", () => {
  assert.equal(new KeyReader().read("L", 0).action, "loop");
});
