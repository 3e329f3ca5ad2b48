const test = require("node:test");
const assert = require("node:assert/strict");
globalThis.stemDom = {};
require("../../app/ui/static/tree_item.js");

const { matches, shownNodes, goingOnTidy } = globalThis.stemTree;

function node(id, parent, changes) {
  return {
    node_id: id,
    parent_id: parent,
    label: id,
    detail: "",
    comment: "",
    instrument: "bass",
    is_starred: false,
    is_current: false,
    ...changes,
  };
}

const NODES = [
  node("loop", null, { instrument: null }),
  node("one", "loop"),
  node("two", "one", { comment: "Warm and late" }),
  node("three", "loop", { is_starred: true, instrument: "piano" }),
  node("four", "loop", { is_current: true }),
];
const ALL = { isStarred: false, instrument: "", text: "" };
const ids = (nodes) => nodes.map(({ node_id }) => node_id);

test("what matches is shown with all that it hangs from", () => {
  assert.deepEqual(ids(shownNodes(NODES, { ...ALL, text: "two" })), ["loop", "one", "two"]);
  assert.deepEqual(ids(shownNodes(NODES, { ...ALL, isStarred: true })), ["loop", "three"]);
  assert.deepEqual(ids(shownNodes(NODES, { ...ALL, instrument: "bass", text: "f" })), ["loop", "four"]);
  assert.equal(shownNodes(NODES, ALL), NODES);
});

test("a comment is found by its words", () => {
  assert.deepEqual(ids(NODES.filter((each) => matches(each, { ...ALL, text: "LATE" }))), ["two"]);
});

test("tidying spares contexts, stars, where one stands, and what those are built on", () => {
  assert.deepEqual(ids(goingOnTidy(NODES)), ["one", "two"]);
});
