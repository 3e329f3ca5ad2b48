// Time of live: whole frames of the audio clock. Pure functions; the same arithmetic as app/live/clock.py.
//
//   clock  {startFrame, numFrames, numBars, beatsPerBar, sampleRateHz}: loop k begins at startFrame + k numFrames
(() => {
  const LIVE_FADE_S = 0.012; // before a boundary, over which one version turns into the next; as in app/live/take.py
  const LEAD_S = 0.08; // time for the audio thread to take up a new source

  function boundary(clock, loop) {
    return clock.startFrame + loop * clock.numFrames;
  }

  // The loop that a frame is in; below 0 before the start.
  function loopAt(clock, frame) {
    return Math.floor((frame - clock.startFrame) / clock.numFrames);
  }

  function positionIn(clock, frame) {
    return frame - boundary(clock, loopAt(clock, frame));
  }

  function fadeFrames(clock) {
    return Math.round(LIVE_FADE_S * clock.sampleRateHz);
  }

  // The first frame at which a voice that is prepared now can be fully in.
  function soonestFrame(clock, frame) {
    return frame + Math.ceil(LEAD_S * clock.sampleRateHz) + fadeFrames(clock);
  }

  // The first loop, `wanted` or later, whose beginning can still be prepared at a frame.
  function nextReachable(clock, frame, wanted) {
    const soonest = Math.ceil((soonestFrame(clock, frame) - clock.startFrame) / clock.numFrames);
    return Math.max(wanted, soonest, 0);
  }

  // As musicians count: bars of the loop and beats from 1.
  function countAt(clock, frame) {
    const beats = clock.numBars * clock.beatsPerBar;
    const beat = Math.min(beats - 1, Math.floor((positionIn(clock, frame) * beats) / clock.numFrames));
    return { bar: Math.floor(beat / clock.beatsPerBar) + 1, beat: (beat % clock.beatsPerBar) + 1 };
  }

  // Seconds from a frame until a loop begins.
  function secondsUntil(clock, frame, loop) {
    return (boundary(clock, loop) - frame) / clock.sampleRateHz;
  }

  globalThis.stemLiveClock = {
    LIVE_FADE_S,
    LEAD_S,
    boundary,
    loopAt,
    positionIn,
    fadeFrames,
    soonestFrame,
    nextReachable,
    countAt,
    secondsUntil,
  };
})();
