// One sounding file: source -> gain -> pan. Its parameters move in straight ramps that are remembered, because an
// audio parameter can't be asked what it will be at a moment to come.
//
//   move  {value, atS}: from this moment of the audio clock on
//   wish  {gain, pan, atS}: what a voice is to sound like from then on
(() => {
  const RAMP_S = 0.01; // long enough to hide the click of a switch, short enough to feel instant

  // corners: [{atS, value}] in order of time, with straight lines between them; first and last value go on for ever.
  function valueIn(corners, atS) {
    const next = corners.findIndex((corner) => corner.atS > atS);
    if (next === 0) return corners[0].value;
    if (next < 0) return corners[corners.length - 1].value;
    const [from, to] = [corners[next - 1], corners[next]];
    return from.value + ((to.value - from.value) * (atS - from.atS)) / (to.atS - from.atS);
  }

  // The same way until `fromS`, and from there to a value; what was to come after that moment is dropped.
  function moved(corners, value, fromS) {
    const from = valueIn(corners, fromS);
    const later = corners.filter((corner) => corner.atS > fromS);
    if (later.length ? later.every((corner) => corner.value === value) : from === value) return corners;
    const way = [...corners.filter((corner) => corner.atS < fromS), { atS: fromS, value: from }];
    return from === value ? way : [...way, { atS: fromS + RAMP_S, value }];
  }

  function isSameWay(one, other) {
    return (
      one.length === other.length &&
      one.every(({ atS, value }, at) => atS === other[at].atS && value === other[at].value)
    );
  }

  class Ramp {
    constructor(param, value) {
      this.param = param;
      this.corners = [{ atS: 0, value }];
      param.value = value;
    }

    // Goes from value to value at given moments, each time from wherever it will be then. All of it is written at
    // once, and only if it is news: between two writings the audio thread would go the wrong way.
    follow(moves, nowS) {
      const since = (corners) => corners.filter((corner) => corner.atS > nowS);
      const way = moves.reduce((corners, { value, atS }) => moved(corners, value, Math.max(atS, nowS)), this.corners);
      const isNews = !isSameWay(since(way), since(this.corners)) || valueIn(way, nowS) !== valueIn(this.corners, nowS);
      this.corners = [{ atS: nowS, value: valueIn(way, nowS) }, ...since(way)];
      if (!isNews) return;
      this.param.cancelScheduledValues(0);
      this.param.setValueAtTime(this.corners[0].value, nowS);
      for (const { atS, value } of this.corners.slice(1)) this.param.linearRampToValueAtTime(value, atS);
    }

    moveTo(value, atS, nowS) {
      this.follow([{ value, atS }], nowS);
    }
  }

  class Voice {
    // startS: moment of the audio clock; offsetS: place in the file; loop: {startS, endS} or null.
    constructor(context, buffer, { startS, offsetS, loop, pan, output, onended }) {
      this.context = context;
      this.startS = startS;
      this.source = context.createBufferSource();
      this.source.buffer = buffer;
      if (loop) {
        this.source.loop = true;
        this.source.loopStart = loop.startS;
        this.source.loopEnd = loop.endS;
      }
      this.gain = context.createGain();
      // Mono becomes two equal sides before the panner, so that the middle is no quieter than without one.
      this.gain.channelCount = 2;
      this.gain.channelCountMode = "explicit";
      this.level = new Ramp(this.gain.gain, 0);
      this.panner = context.createStereoPanner();
      this.pan = new Ramp(this.panner.pan, pan);
      this.source.connect(this.gain).connect(this.panner).connect(output);
      this.source.onended = () => onended(this);
      this.source.start(startS, offsetS);
    }

    // wishes: in order of time; what was wished before is dropped.
    follow(wishes) {
      const nowS = this.context.currentTime;
      const moves = (name) => wishes.map((wish) => ({ value: wish[name], atS: Math.max(wish.atS, this.startS) }));
      this.level.follow(moves("gain"), nowS);
      this.pan.follow(moves("pan"), nowS);
    }

    // May be told again, for an earlier or later end, until it has come.
    end(atS, ended) {
      const nowS = this.context.currentTime;
      const lastS = Math.max(atS, nowS);
      this.level.moveTo(0, lastS, nowS);
      this.source.onended = () => {
        this.panner.disconnect();
        ended?.();
      };
      this.source.stop(lastS + 2 * RAMP_S);
    }
  }

  globalThis.stemVoice = { Voice, Ramp, RAMP_S };
})();
