const test = require("node:test");
const assert = require("node:assert/strict");
require("../../app/ui/static/timeline.js");
require("../../app/ui/static/handover.js");
require("../../app/ui/static/voice.js");
require("../../app/ui/static/voices.js");

const { StandInContext, lookAgain } = require("./stand_in_audio.js");
const { positionAt } = globalThis.stemTimeline;
const { RAMP_S } = globalThis.stemVoice;
const { Voices, LEAD_S } = globalThis.stemVoices;
const RATE_HZ = 1000;
const LOOP = { start: 0, end: 2000 };

// Whose voices they are; all are wished at 0.8, a little to the left.
function playing({ loop = LOOP, wishes = [{ gain: 0.8, pan: -0.25, atFrame: 0 }] } = {}) {
  const player = {
    context: new StandInContext(),
    master: {},
    sampleRateHz: RATE_HZ,
    run: { startFrame: 500, offsetFrame: 100, loop },
    numFrames: 2000,
    numStops: 0,
    wishesOf: () => wishes,
    stop: () => (player.numStops += 1),
  };
  return player;
}

// Time by the computer's clock stands still unless the test moves it on.
let nowMs = 0;
performance.now = () => nowMs;

const frameOf = (source) => Math.round(source.startS * RATE_HZ);
const placeOf = (player, source) => positionAt(player.run, frameOf(source), player.numFrames) / RATE_HZ;
const levelAt = (voice, atS) => voice.gain.gain.valueAt(atS);

function near(actual, expected) {
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);
}

test("voices that are begun at one frame keep it though the clock goes on between them", () => {
  const player = playing();
  const voices = new Voices(player);
  player.context.currentTime = 0.5;
  const atFrame = voices.soonFrame();
  for (const id of ["bass", "drums", "piano"]) {
    voices.begin(id, {}, atFrame);
    player.context.currentTime += 0.012;
  }

  assert.deepEqual(player.context.sources.map(frameOf), [atFrame, atFrame, atFrame]);
});

test("a frame that the page has come too close to is left for one that is soon enough", () => {
  const player = playing();
  const voices = new Voices(player);
  player.context.currentTime = 0.5;
  const atFrame = voices.soonFrame();
  player.context.currentTime = 0.54; // 20 ms are left
  voices.begin("bass", {}, atFrame);

  assert.equal(frameOf(player.context.sources[0]), voices.soonFrame());
  near(player.context.sources[0].offsetS, placeOf(player, player.context.sources[0]));
});

test("a voice that was handed over in time is left alone", async () => {
  const player = playing();
  const voices = new Voices(player);
  player.context.currentTime = 0.44;
  voices.begin("bass", {}, 500);
  const voice = voices.get("bass");
  player.context.currentTime = 0.46;
  await lookAgain();

  assert.equal(voices.get("bass"), voice);
  assert.deepEqual([voice.source.startS, voice.source.offsetS, voice.source.stopS], [0.5, 0.1, undefined]);
});

test("a voice that was handed over in time is left alone, however long the page is busy then", async () => {
  const player = playing();
  const voices = new Voices(player);
  player.context.currentTime = 0.44;
  voices.begin("bass", {}, 500);
  await null; // the script that began it is over
  player.context.currentTime += 2;
  nowMs += 2000;
  await lookAgain();

  assert.equal(player.context.sources.length, 1);
});

test("one that was handed over so shortly before its start that nobody can be sure is made sure of", async () => {
  const player = playing();
  const voices = new Voices(player);
  player.context.currentTime = 0.44;
  voices.begin("bass", {}, 500);
  player.context.currentTime = 0.48;
  await lookAgain();

  assert.equal(player.context.sources.length, 2);
});

test("a voice that was handed over too late is found out though the clock was told late", async () => {
  const player = playing();
  const voices = new Voices(player);
  player.context.currentTime = 0.44;
  voices.begin("bass", {}, 500);
  await null; // and all this time the clock stood still
  player.context.currentTime = 0.6;
  nowMs += 1000 * 0.05;
  await lookAgain();

  assert.equal(player.context.sources.length, 2);
});

test("a voice that was handed over too late is found out though the audio thread stood still after it", async () => {
  const player = playing();
  const voices = new Voices(player);
  player.context.currentTime = 0.44;
  voices.begin("bass", {}, 500);
  player.context.currentTime = 0.52;
  await null;
  nowMs += 500;
  await lookAgain();

  assert.equal(player.context.sources.length, 2);
});

test("a voice that has ended by then stays so", async () => {
  const player = playing();
  const voices = new Voices(player);
  player.context.currentTime = 0.44;
  voices.begin("bass", {}, 500);
  player.context.currentTime = 0.6;
  voices.end("bass", 0);
  await lookAgain();

  assert.deepEqual([player.context.sources.length, voices.size], [1, 0]);
});

test("of a run that was taken up too late every voice is put in its place, and the run stays as it is", async () => {
  const player = playing();
  const voices = new Voices(player);
  player.context.currentTime = 0.44;
  for (const id of ["bass", "piano"]) voices.begin(id, { id }, 500);
  player.context.currentTime = 0.53;
  await lookAgain();

  const [bass, piano, ...inPlace] = player.context.sources;
  assert.equal(inPlace.length, 2);
  for (const [at, late] of [bass, piano].entries()) {
    assert.equal(inPlace[at].buffer, late.buffer);
    assert.ok(inPlace[at].startS > 0.53 + LEAD_S);
    near(inPlace[at].offsetS, placeOf(player, inPlace[at]));
    assert.deepEqual([inPlace[at].loop, inPlace[at].loopStart, inPlace[at].loopEnd], [true, 0, 2]);
    near(late.stopS, inPlace[at].startS + 2 * RAMP_S);
  }
  assert.deepEqual(player.run, { startFrame: 500, offsetFrame: 100, loop: LOOP });
  assert.deepEqual([...voices.keys()], ["bass", "piano"]);
});

test("one that is put in place takes over level and pan, and both together are as loud as one", async () => {
  const player = playing();
  const voices = new Voices(player);
  player.context.currentTime = 0.44;
  voices.begin("bass", {}, 500);
  const late = voices.get("bass");
  player.context.currentTime = 0.6;
  await lookAgain();

  const inPlace = voices.get("bass");
  assert.equal(inPlace.panner.pan.value, -0.25);
  for (let atS = 0.6; atS < inPlace.startS + 0.05; atS += 0.0007) near(levelAt(late, atS) + levelAt(inPlace, atS), 0.8);
  near(levelAt(late, inPlace.startS + RAMP_S), 0);
});

test("one that is put in place does as was planned for later", async () => {
  const wishes = [
    { gain: 0.8, pan: 0, atFrame: 0 },
    { gain: 0, pan: 0, atFrame: 1500 },
  ];
  const player = playing({ wishes });
  const voices = new Voices(player);
  player.context.currentTime = 0.44;
  voices.begin("bass", {}, 500);
  player.context.currentTime = 0.6;
  await lookAgain();

  near(levelAt(voices.get("bass"), 1.5), 0.8);
  near(levelAt(voices.get("bass"), 1.505), 0.4);
  near(levelAt(voices.get("bass"), 1.51), 0);
});

test("a late voice that was put out of its place counts as no end, and the last one in place does", async () => {
  const player = playing({ loop: null });
  const voices = new Voices(player);
  player.context.currentTime = 0.44;
  voices.begin("bass", {}, 500);
  player.context.currentTime = 0.6;
  await lookAgain();
  const [late, inPlace] = player.context.sources;

  late.onended();
  assert.deepEqual([player.numStops, voices.size], [0, 1]);
  inPlace.onended();
  assert.deepEqual([player.numStops, voices.size], [1, 0]);
});

test("on a page that is always late each try has more time, until one is in time", async () => {
  const player = playing();
  const voices = new Voices(player);
  player.context.currentTime = 0.44;
  voices.begin("bass", {}, 500);
  for (let script = 0; script < 20; script += 1) {
    player.context.currentTime += 0.15; // between any two scripts
    await lookAgain();
  }

  assert.ok(player.context.sources.length > 2);
  assert.ok(player.context.sources.length < 6);
  near(player.context.sources.at(-1).offsetS, placeOf(player, player.context.sources.at(-1)));
});

test("of a clip that is over by then nothing is begun anew", async () => {
  const player = playing({ loop: null });
  const voices = new Voices(player);
  player.context.currentTime = 2.2;
  voices.begin("bass", {}, 500); // from 2.26 s on; the clip ends at 2.4 s
  player.context.currentTime = 2.3;
  await lookAgain();

  assert.equal(player.context.sources.length, 1);
  assert.equal(player.context.sources[0].stopS, undefined);
  player.context.currentTime = 2.5;
  voices.begin("piano", {}, 500);
  assert.deepEqual([...voices.keys()], ["bass"]);
});

test("when all end, so does what was to sound for a moment only", async () => {
  const player = playing();
  const voices = new Voices(player);
  player.context.currentTime = 0.44;
  voices.begin("bass", {}, 500);
  player.context.currentTime = 0.6;
  await lookAgain();

  player.context.currentTime = 0.61;
  voices.endAll(0);

  for (const source of player.context.sources) near(source.stopS, 0.61 + 2 * RAMP_S);
  assert.equal(voices.size, 0);
});
