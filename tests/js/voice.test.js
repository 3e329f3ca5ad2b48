const test = require("node:test");
const assert = require("node:assert/strict");
require("../../app/ui/static/voice.js");

const { EventParam } = require("./stand_in_audio.js");
const { Ramp, RAMP_S } = globalThis.stemVoice;

function near(actual, expected) {
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);
}

test("a move takes ten milliseconds from the moment asked for, not from the move before", () => {
  const param = new EventParam();
  const ramp = new Ramp(param, 1);

  ramp.moveTo(0, 5, 4.9);

  near(param.valueAt(4.95), 1);
  near(param.valueAt(5), 1);
  near(param.valueAt(5 + RAMP_S / 2), 0.5);
  near(param.valueAt(5 + RAMP_S), 0);
});

test("a crossfade of two voices never gets louder or quieter than one", () => {
  const [one, other] = [new EventParam(), new EventParam()];
  const ramps = [new Ramp(one, 1), new Ramp(other, 0)];
  ramps[0].moveTo(0, 2, 2);
  ramps[1].moveTo(1, 2, 2);

  for (let at = 2; at < 2.02; at += 0.0007) near(one.valueAt(at) + other.valueAt(at), 1);
});

test("a move in the middle of another goes on from where that one has got to", () => {
  const param = new EventParam();
  const ramp = new Ramp(param, 0);
  ramp.moveTo(1, 1, 1);

  ramp.moveTo(0, 1.005, 1.005);

  near(param.valueAt(1.005), 0.5);
  near(param.valueAt(1.01), 0.25);
  near(param.valueAt(1.015), 0);
});

test("what is planned for later leaves a move that is under way as it is", () => {
  const param = new EventParam();
  const ramp = new Ramp(param, 0);
  ramp.moveTo(1, 1, 1);

  ramp.moveTo(0, 2, 1.002);

  near(param.valueAt(1.005), 0.5);
  near(param.valueAt(1.5), 1);
  near(param.valueAt(2.005), 0.5);
  near(param.valueAt(2.01), 0);
});

test("a plan for later is dropped by a later wish", () => {
  const param = new EventParam();
  const ramp = new Ramp(param, 1);
  ramp.moveTo(0, 9, 1);

  ramp.moveTo(0.5, 3, 2);

  near(param.valueAt(2.9), 1);
  near(param.valueAt(3.01), 0.5);
  near(param.valueAt(9.5), 0.5);
});

test("a change now and one planned for later are both kept, and written once", () => {
  const param = new EventParam();
  const ramp = new Ramp(param, 1);
  const planned = [
    { value: 0.5, atS: 1 },
    { value: 0, atS: 3 },
  ];

  ramp.follow(planned, 1);
  ramp.follow(planned, 2);
  ramp.follow(planned, 2.9);

  near(param.valueAt(1.005), 0.75);
  near(param.valueAt(2.99), 0.5);
  near(param.valueAt(3.005), 0.25);
  near(param.valueAt(3.01), 0);
  assert.equal(param.numWritings, 1);
});

test("a change before the planned one leaves the planned one where it was", () => {
  const param = new EventParam();
  const ramp = new Ramp(param, 1);
  const planned = { value: 0.8, atS: 3 };
  ramp.follow([{ value: 1, atS: 1 }, planned], 1);

  ramp.follow([{ value: 0, atS: 2 }, planned], 2);

  near(param.valueAt(2.005), 0.5);
  near(param.valueAt(2.99), 0);
  near(param.valueAt(3.005), 0.4);
  near(param.valueAt(3.01), 0.8);
});

test("what was planned and is no longer wished is taken back", () => {
  const param = new EventParam();
  const ramp = new Ramp(param, 1);
  ramp.follow(
    [
      { value: 1, atS: 1 },
      { value: 0, atS: 3 },
    ],
    1,
  );

  ramp.follow([{ value: 1, atS: 2 }], 2);

  near(param.valueAt(3.5), 1);
});

test("a wish that is told again while a ramp is under way does not slow it down", () => {
  const param = new EventParam();
  const ramp = new Ramp(param, 0);
  ramp.moveTo(1, 1, 1);

  ramp.moveTo(1, 1.005, 1.005);

  near(param.valueAt(1 + RAMP_S), 1);
});
