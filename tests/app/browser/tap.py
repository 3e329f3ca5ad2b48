"""Listening to the page's audio graph, to prove what sounds and when (not what the page says about it)."""

import base64
from dataclasses import dataclass

import numpy as np
from playwright.sync_api import Page

# Hands on what all inputs heard, 128 audio samples at a time, each block with the frame that it began at.
#
# Chromium tells a worklet the clock's frame only where it gets the graph's lock at once. Where the page holds it (it
# makes, connects or lets go of a node) a block comes in its turn with the frame of the one before, or of several
# before, and a later one has caught up. The clock is never ahead, so a block began at the later of what the clock says
# and of where the block before ended: that jumps where a block was left out, and only there. A recording begins where
# the clock went on by one block, once the page says that all is connected, and ends where the clock is sure again.
WORKLET = """
registerProcessor("tap", class extends AudioWorkletProcessor {
  constructor() {
    super();
    // Told once it begins, told twice it ends: one that is let go would go on for as long as the page is there.
    this.port.onmessage = () => {
      this.isOver = this.isAsked;
      this.isAsked = true;
    };
  }
  process(inputs) {
    if (this.isOver) return false;
    const nextFrame = this.frame + 128;
    this.frame = Math.max(currentFrame, nextFrame || 0);
    this.isOn ||= this.isAsked && currentFrame === nextFrame;
    if (!this.isOn) return true;
    const heard = inputs.map((input) => (input[0] ? Float32Array.from(input[0]) : new Float32Array(128)));
    this.port.postMessage({ frame: this.frame, isSure: this.frame === currentFrame, heard });
    return true;
  }
});
"""
RECORDER = """
const loadRecorder = async (context) => {
  if (context.hasRecorder) return;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([`WORKLET`], { type: "text/javascript" })));
  context.hasRecorder = true;
};
const openRecorder = async (context, numInputs) => {
  await loadRecorder(context);
  const node = new AudioWorkletNode(context, "tap", {
    numberOfInputs: numInputs, numberOfOutputs: 1, channelCount: 1, channelCountMode: "explicit",
  });
  // What leads to no output is asked by Chromium only where it gets a lock at once: a busy machine left blocks out.
  node.connect(context.destination); // and adds silence
  const blocks = [];
  node.port.onmessage = (event) => blocks.push(event.data);
  const end = () => {
    node.port.postMessage("enough was heard");
    node.port.onmessage = null;
    node.disconnect();
  };
  return { node, blocks, begin: () => node.port.postMessage("all is connected"), end };
};
const numGaps = (blocks) => blocks.filter((block, at) => at && block.frame !== blocks[at - 1].frame + 128).length;
""".replace("WORKLET", WORKLET)
# Records every source of the engine before and after its gain, with the frame that the recording began at. Voices that
# begin meanwhile are recorded from their beginning, where a track has several, their sum.
_TAP = """
async ([seconds, act, until]) => {
  RECORDER
  const engine = stemEngine;
  const { voices } = engine;
  const { node, blocks, begin, end } = await openRecorder(engine.context, 2 * (voices.size + NUM_MORE));
  const [inputs, taps, urls] = [new Map(), [], {}];
  const tap = (id, voice) => {
    if (!inputs.has(id)) inputs.set(id, 2 * inputs.size);
    [voice.source, voice.gain].forEach((output, at) => output.connect(node, 0, inputs.get(id) + at));
    taps.push(voice.source, voice.gain);
    for (const track of [...engine.scene.tracks, ...engine.tracks]) urls[track.id] = track.url;
  };
  for (const [id, voice] of voices) tap(id, voice);
  voices.set = (id, voice) => {
    tap(id, voice);
    return Map.prototype.set.call(voices, id, voice);
  };
  begin();
  const zeroFrame = engine.zeroFrame;
  // As many blocks as asked for, however long a busy machine takes to render them.
  const wait = async (isEnough) => {
    while (!isEnough()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const wanted = Math.floor((seconds * engine.sampleRateHz) / 128);
  let numBlocks = wanted;
  if (act) {
    await wait(() => blocks.length > wanted / 4);
    new Function(act)();
    await wait(new Function(`return ${until}`));
    numBlocks = blocks.length + wanted;
  }
  await wait(() => blocks.slice(numBlocks - 1).some((block) => block.isSure));
  delete voices.set;
  taps.forEach((output) => output.disconnect(node));
  end();
  const kept = blocks.slice(0, 1 + blocks.findIndex((block, at) => at >= numBlocks - 1 && block.isSure));
  const text = (input) => {
    const samples = new Float32Array(128 * kept.length);
    kept.forEach((block, at) => samples.set(block.heard[input], 128 * at));
    let bytes = "";
    new Uint8Array(samples.buffer).forEach((byte) => (bytes += String.fromCharCode(byte)));
    return btoa(bytes);
  };
  const channels = {};
  for (const [id, input] of inputs) channels[id] = { source: text(input), gained: text(input + 1) };
  return { frame: kept[0].frame, zeroFrame, gaps: numGaps(kept), channels, urls };
}
""".replace("RECORDER", RECORDER).replace("NUM_MORE", "6")


@dataclass(frozen=True, slots=True)
class Tap:
    """What was recorded.

    Attributes:
        frame: audio frame of the page's clock at which the recording begins.
        zero_frame: the engine's frame zero when it began.
        num_gaps: places where blocks were left out of the recording; 0 or it proves nothing.
        before_gain: by track id, float32 [L].
        after_gain: by track id, float32 [L]: what is sent to the loudspeaker.
        urls: by track id, address of the file.
    """

    frame: int
    zero_frame: int
    num_gaps: int
    before_gain: dict[str, np.ndarray]
    after_gain: dict[str, np.ndarray]
    urls: dict[str, str]

    def rms(self, track_id: str) -> float:
        """Return the level of a track as it leaves the engine."""
        return float(np.sqrt(np.mean(self.after_gain[track_id] ** 2)))


def make_ready(page: Page) -> None:
    """Load the recorder before anything plays.

    Where it was loaded while voices sounded, these were sometimes all three blocks behind what began later, three times
    in some fifty. The likely cause: with its first worklet Chromium restarts rendering on another thread
    (`BaseAudioContext::NotifyWorkletIsReady`), and the clock goes on meanwhile by blocks that no source plays.
    """
    page.evaluate(
        "async () => { RECORDER stemEngine.openContext(); await loadRecorder(stemEngine.context); }".replace(
            "RECORDER", RECORDER
        )
    )


def listen(page: Page, seconds: float = 0.6, *, act: str = "", until: str = "true") -> Tap:
    """Record the running engine.

    Args:
        page: with the studio playing.
        seconds: of sound to record.
        act: script to run early in the recording.
        until: what is to come of it, as an expression; `seconds` more are recorded from then on.
    """
    heard = page.evaluate(_TAP, [seconds, act, until])
    channels = heard["channels"]
    return Tap(
        frame=heard["frame"],
        zero_frame=heard["zeroFrame"],
        num_gaps=heard["gaps"],
        before_gain={name: _samples(channel["source"]) for name, channel in channels.items()},
        after_gain={name: _samples(channel["gained"]) for name, channel in channels.items()},
        urls=heard["urls"],
    )


def let_sound(page: Page, seconds: float) -> None:
    """Wait until so much more has sounded by the audio clock, which lags on a busy machine."""
    page.evaluate(
        """async (seconds) => {
          const end = stemEngine.context.currentTime + seconds;
          while (stemEngine.context.currentTime < end) await new Promise((resolve) => setTimeout(resolve, 5));
        }""",
        seconds,
    )


def lag(recorded: np.ndarray, looped: np.ndarray) -> float:
    """Return where in a looped file a recording begins, in audio samples with a fraction.

    Args:
        recorded: float [N], N at most L.
        looped: float [L], the file.
    """
    padded = np.zeros(len(looped))
    padded[: len(recorded)] = recorded
    match = np.fft.irfft(np.fft.rfft(looped) * np.conj(np.fft.rfft(padded)), len(looped))
    peak = int(match.argmax())
    before, at, after = match[peak - 1], match[peak], match[(peak + 1) % len(match)]
    return peak + 0.5 * (before - after) / (before - 2 * at + after)


def _samples(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.float32).astype(np.float64)
