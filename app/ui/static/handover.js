// Whether a source was handed over to the audio thread in time.
//
// A source is handed over a moment before it must sound. On a busy machine it may be taken up after that moment; the
// browser then begins at once, and what sounds would stay behind everything else for good. A script can't tell at once:
// the clock that it reads may stand still while it runs, and while it holds what the audio thread needs to tell the
// time. A moment later the clock is true again.
(() => {
  const SURE_S = 0.03; // so far ahead of its start, a source that is handed over is in time
  const SURE_AFTER_MS = 50; // by then the audio thread has told the time again

  // Whether what the script that asks has made, and what starts at `startS` of the audio clock, is in time.
  async function isInTime(context, startS) {
    await null; // by the end of this script every browser has handed it over
    const [handedMs, toldS] = [performance.now(), context.currentTime];
    await new Promise((next) => setTimeout(next, SURE_AFTER_MS));
    const handedS = Math.max(toldS, context.currentTime - (performance.now() - handedMs) / 1000);
    return handedS + SURE_S < startS;
  }

  globalThis.stemHandover = { isInTime, SURE_S, SURE_AFTER_MS };
})();
