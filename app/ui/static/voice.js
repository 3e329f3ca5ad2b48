// One sounding file: source -> gain -> pan. Its parameters move in straight ramps that are remembered, because an
// audio parameter can't be asked what it will be at a moment to come.
(() => {
  const RAMP_S = 0.01; // long enough to hide the click of a switch, short enough to feel instant

  // ramp: {from, to, startS, endS} of the audio clock.
  function rampValue(ramp, atS) {
    if (atS <= ramp.startS) return ramp.from;
    if (atS >= ramp.endS) return ramp.to;
    return ramp.from + ((ramp.to - ramp.from) * (atS - ramp.startS)) / (ramp.endS - ramp.startS);
  }

  class Ramp {
    constructor(param, value) {
      this.param = param;
      this.moves = { from: value, to: value, startS: 0, endS: 0 };
      param.value = value;
    }

    // Goes to a value from a moment on, from wherever it will be then; what was to come after that moment is dropped.
    moveTo(value, atS, nowS) {
      const fromS = Math.max(atS, nowS);
      const from = rampValue(this.moves, fromS);
      if (from === value && this.moves.to === value) return;
      this.param.cancelScheduledValues(0);
      this.param.setValueAtTime(rampValue(this.moves, nowS), nowS);
      // The way until then once more, corner by corner.
      const corners = [this.moves.startS, this.moves.endS, fromS].filter(
        (atCorner) => atCorner > nowS && atCorner <= fromS,
      );
      for (const corner of corners) this.param.linearRampToValueAtTime(rampValue(this.moves, corner), corner);
      this.param.linearRampToValueAtTime(value, fromS + RAMP_S);
      this.moves = { from, to: value, startS: fromS, endS: fromS + RAMP_S };
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

    setLevel(gain, atS) {
      this.level.moveTo(gain, Math.max(atS, this.startS), this.context.currentTime);
    }

    setPan(pan, atS) {
      this.pan.moveTo(pan, Math.max(atS, this.startS), this.context.currentTime);
    }

    end(atS) {
      const nowS = this.context.currentTime;
      const lastS = Math.max(atS, nowS);
      this.level.moveTo(0, lastS, nowS);
      this.source.onended = () => this.panner.disconnect();
      this.source.stop(lastS + 2 * RAMP_S);
    }
  }

  globalThis.stemVoice = { Voice, Ramp, RAMP_S, rampValue };
})();
