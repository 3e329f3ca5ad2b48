// Time as the engine counts it: whole audio frames. Pure functions; nothing here knows Web Audio or the page.
//
//   run     {startFrame, offsetFrame, loop}: from frame `startFrame` of the audio clock on, the clip sounds from its
//           frame `offsetFrame`; inside `loop`, or once through where that is null
//   region  {start, end}: frames of the clip, end excluded
//   grid    {barFrames, firstFrame, beatsPerBar, numBars, numFrames}: bar n (from 0) begins at firstFrame + n barFrames
(() => {
  const LOOP_TOLERANCE = 0.02; // a clip that is off by more was not cut to whole bars
  const SAME_PLACE_S = 0.25; // going back from just behind a bar line means the bar before it
  const MIN_REGION_S = 0.25; // where there is no grid

  function wrap(frame, length) {
    return ((frame % length) + length) % length;
  }

  function positionAt(run, frame, numFrames) {
    const at = run.offsetFrame + Math.max(0, frame - run.startFrame);
    const { loop } = run;
    if (!loop) return Math.min(at, numFrames);
    return at < loop.end ? at : loop.start + wrap(at - loop.start, loop.end - loop.start);
  }

  // Where to go on inside a region from outside of it: as far behind a bar line as before.
  function enter(region, frame) {
    if (!region || (frame >= region.start && frame < region.end)) return frame;
    return region.start + wrap(frame - region.start, region.end - region.start);
  }

  function makeGrid(analysis, numFrames, sampleRateHz) {
    const bpm = analysis?.tempo_bpm;
    if (!(bpm > 0) || !numFrames) return null;
    const beatsPerBar = analysis.beats_per_bar || 4;
    const counted = (60 / bpm) * beatsPerBar * sampleRateHz;
    const first = Math.round((analysis.first_downbeat_s || 0) * sampleRateHz);
    const numBars = analysis.num_bars || 0;
    // A loop's bars share its length exactly, so that the last bar line is where the clip begins again.
    const isLoop = numBars > 0 && Math.abs(numBars * counted - numFrames) <= LOOP_TOLERANCE * numFrames;
    const barFrames = isLoop ? numFrames / numBars : counted;
    const after = Math.ceil((numFrames - first) / barFrames - 1e-6);
    return { barFrames, firstFrame: first, beatsPerBar, numBars: Math.max(1, after), numFrames };
  }

  function frameOfBar(grid, bar) {
    return Math.min(Math.max(0, Math.round(grid.firstFrame + bar * grid.barFrames)), grid.numFrames);
  }

  // The bar that a frame is in; -1 is the upbeat before the first downbeat.
  function barOf(grid, frame) {
    return Math.floor((frame - grid.firstFrame + 0.5) / grid.barFrames);
  }

  // As musicians count: bars and beats from 1.
  function countAt(grid, frame) {
    const bar = barOf(grid, frame);
    const within = frame + 0.5 - grid.firstFrame - bar * grid.barFrames;
    const beat = Math.min(grid.beatsPerBar - 1, Math.floor((within / grid.barFrames) * grid.beatsPerBar));
    return { bar: bar + 1, beat: beat + 1 };
  }

  function barLines(grid) {
    const lines = [];
    for (let bar = 0; bar < grid.numBars; bar += 1) {
      const frame = frameOfBar(grid, bar);
      if (frame < grid.numFrames) lines.push({ bar: bar + 1, frame });
    }
    return lines;
  }

  // The first bar line after a frame; the end of the region counts as one.
  function nextLine(grid, frame, region) {
    const end = region ? region.end : grid.numFrames;
    return Math.min(frameOfBar(grid, barOf(grid, frame) + 1), end);
  }

  function stepBar(grid, frame, direction, sampleRateHz) {
    const bar = barOf(grid, frame);
    if (direction > 0) {
      const next = frameOfBar(grid, bar + 1);
      return next < grid.numFrames ? next : 0;
    }
    const isBehind = frame - frameOfBar(grid, bar) > SAME_PLACE_S * sampleRateHz;
    if (isBehind) return frameOfBar(grid, bar);
    return bar > 0 ? frameOfBar(grid, bar - 1) : frame > 0 && bar === 0 ? 0 : frameOfBar(grid, grid.numBars - 1);
  }

  function regionOfBars(grid, firstBar, numBars) {
    const start = Math.max(0, Math.min(firstBar, grid.numBars - numBars));
    return { start: frameOfBar(grid, start), end: frameOfBar(grid, start + numBars) };
  }

  // The n bars that a frame is in, counted in steps of n from the first bar; null if that would be the whole clip.
  function regionAround(grid, frame, numBars) {
    if (numBars >= grid.numBars) return null;
    return regionOfBars(grid, Math.floor(Math.max(0, barOf(grid, frame)) / numBars) * numBars, numBars);
  }

  function barsOf(grid, region) {
    return Math.max(1, Math.round((region.end - region.start) / grid.barFrames));
  }

  // What dragging from one frame to another selects: every bar that was touched.
  function regionBetween(grid, one, other, { numFrames, sampleRateHz }) {
    const [from, to] = one <= other ? [one, other] : [other, one];
    if (!grid) {
      const end = Math.min(numFrames, Math.max(to, from + MIN_REGION_S * sampleRateHz));
      return { start: Math.max(0, Math.round(from)), end: Math.round(end) };
    }
    const first = Math.max(0, barOf(grid, from));
    const last = Math.min(grid.numBars - 1, Math.max(first, barOf(grid, to)));
    return { start: frameOfBar(grid, first), end: frameOfBar(grid, last + 1) };
  }

  // A loop follows to where somebody goes: the region is moved by whole lengths of its own.
  function follow(grid, region, frame, numFrames) {
    if (!region || (frame >= region.start && frame < region.end)) return region;
    const length = region.end - region.start;
    const moved = region.start + Math.floor((frame - region.start) / length) * length;
    const start = Math.max(0, Math.min(moved, numFrames - length));
    if (!grid) return { start, end: start + length };
    return regionOfBars(grid, barOf(grid, start + grid.barFrames / 2), barsOf(grid, region));
  }

  globalThis.stemTimeline = {
    wrap,
    positionAt,
    enter,
    makeGrid,
    frameOfBar,
    barOf,
    countAt,
    barLines,
    nextLine,
    stepBar,
    regionAround,
    regionBetween,
    barsOf,
    follow,
  };
})();
