const test = require("node:test");
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
require("../../app/ui/static/live_microphone.js");

const recorder = fs.readFileSync(path.join(__dirname, "../../app/ui/static/recorder_worklet.js"), "utf8");

// The frames that a worklet gives the blocks it is asked for, while the clock says so.
function framesOf(worklet, clock) {
  const frames = [];
  let Processor;
  globalThis.AudioWorkletProcessor = class {
    port = { postMessage: ({ frame }) => frames.push(frame) };
  };
  globalThis.registerProcessor = (_, processor) => (Processor = processor);
  new Function(worklet)();
  const processor = new Processor();
  for (globalThis.currentFrame of clock) processor.process([[new Float32Array(128)]]);
  return frames;
}

for (const [name, worklet] of [
  ["recorder", recorder],
  ["live", globalThis.stemLiveMicrophone.WORKLET],
]) {
  test(`${name}: a block whose clock was told late lies where the one before ended`, () => {
    assert.deepEqual(framesOf(worklet, [128, 256, 256, 256, 640]), [128, 256, 384, 512, 640]);
  });

  test(`${name}: after blocks that were left out the clock is followed`, () => {
    assert.deepEqual(framesOf(worklet, [128, 256, 1024, 1152]), [128, 256, 1024, 1152]);
  });
}

// A context that counts the worklets that it was given.
function contextThat(addModule) {
  const context = { modules: 0 };
  context.audioWorklet = {
    addModule: async (url) => {
      context.modules += 1;
      await addModule(url);
    },
  };
  return context;
}

test("live: the worklet is given to each context once, before the microphone is asked for", async () => {
  const first = contextThat(() => null);
  const engine = { context: first };
  const microphone = new globalThis.stemLiveMicrophone.LiveMicrophone(engine);

  await microphone.prepare();
  await microphone.prepare();
  assert.equal(first.modules, 1);

  engine.context = contextThat(() => null); // the next jam has its own
  await microphone.prepare();
  assert.equal(engine.context.modules, 1);
});

test("live: a worklet that failed is tried again, and a page without worklets goes on", async () => {
  let fails = true;
  const context = contextThat(() => {
    if (fails) throw new Error("not now");
  });
  const microphone = new globalThis.stemLiveMicrophone.LiveMicrophone({ context });

  await assert.rejects(microphone.prepare(), /not now/);
  fails = false;
  await microphone.prepare();
  assert.equal(context.modules, 2);

  await new globalThis.stemLiveMicrophone.LiveMicrophone({ context: {} }).prepare();
});
