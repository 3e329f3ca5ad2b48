"""Listening to live in the page: everything that leaves the engine, block by block, while versions come and go."""

import base64
from dataclasses import dataclass

import numpy as np
from playwright.sync_api import Page

from tests.app.browser.tap import RECORDER

# Records the output of every part and of the whole; `_READ` returns it.
_TAP = """
async () => {
  RECORDER
  const { engine } = stemLive;
  const ids = [...engine.parts.keys()];
  const { node, blocks, begin } = await openRecorder(engine.context, ids.length + 1);
  engine.master.connect(node, 0, 0);
  ids.forEach((id, at) => engine.parts.get(id).level.connect(node, 0, at + 1));
  begin();
  window.liveTap = { ids, blocks, numGaps };
}
""".replace("RECORDER", RECORDER)
_READ = """
() => {
  const { engine } = stemLive;
  const { ids, blocks, numGaps } = window.liveTap;
  const kept = blocks.slice(0, 1 + blocks.findLastIndex((block) => block.isSure));
  const text = (input) => {
    const samples = new Float32Array(128 * kept.length);
    kept.forEach((block, at) => samples.set(block.heard[input], 128 * at));
    const view = new Uint8Array(samples.buffer);
    const pieces = [];
    for (let at = 0; at < view.length; at += 8192) pieces.push(String.fromCharCode(...view.subarray(at, at + 8192)));
    return btoa(pieces.join(""));
  };
  return {
    frame: kept[0].frame, gaps: numGaps(kept), startFrame: engine.clock.startFrame, numFrames: engine.clock.numFrames,
    master: text(0), parts: Object.fromEntries(ids.map((id, at) => [id, text(at + 1)])),
  };
}
"""


@dataclass(frozen=True, slots=True)
class LiveTap:
    """What was heard.

    Attributes:
        frame: audio frame of the page's clock at which it begins.
        num_gaps: places where blocks were left out of the recording; 0 or it proves nothing.
        start_frame: where loop 0 began.
        num_frames: of a loop.
        master: all of it, [L].
        parts: by part id, [L].
    """

    frame: int
    num_gaps: int
    start_frame: int
    num_frames: int
    master: np.ndarray
    parts: dict[str, np.ndarray]

    def loop_of(self, part_id: str, loop: int) -> np.ndarray | None:
        """Return what a part played in a loop; None if it was not recorded whole."""
        begin = self.start_frame + loop * self.num_frames - self.frame
        end = begin + self.num_frames
        recorded = self.parts[part_id]
        return recorded[begin:end] if begin >= 0 and end <= len(recorded) else None

    @property
    def loops(self) -> range:
        """Return the loops that were recorded whole."""
        first = -((self.start_frame - self.frame) // self.num_frames)
        last = (self.frame + len(self.master) - self.start_frame) // self.num_frames
        return range(first, last)

    def longest_silence(self, threshold: float = 1e-5) -> int:
        """Return the most audio samples in a row that were silent."""
        edges = np.flatnonzero(np.diff(np.r_[False, np.abs(self.master) < threshold, False].astype(np.int8)))
        return int((edges[1::2] - edges[::2]).max(initial=0))


def begin_tap(page: Page) -> None:
    """Begin to record everything that live plays."""
    page.evaluate(_TAP)


def read_tap(page: Page) -> LiveTap:
    """Return what was recorded."""
    heard = page.evaluate(_READ)
    return LiveTap(
        frame=heard["frame"],
        num_gaps=heard["gaps"],
        start_frame=heard["startFrame"],
        num_frames=heard["numFrames"],
        master=_samples(heard["master"]),
        parts={name: _samples(text) for name, text in heard["parts"].items()},
    )


def _samples(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.float32).astype(np.float64)
