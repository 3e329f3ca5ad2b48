// The sound of live: every part is a file that loops by itself on the audio clock. A new version is started on a whole
// frame a little before a boundary, at the place of the loop that the others have reached, and faded in until the
// boundary; so its first beat is whole, and nothing is cut. If nothing new comes, what sounds goes on by itself.
// What was handed over too late (handover.js) would stay beside the beat; it turns into a voice that is in place.
(() => {
  const { boundary, loopAt, positionIn, fadeFrames, nextReachable, soonestFrame } = globalThis.stemLiveClock;
  const { isInTime } = globalThis.stemHandover;
  const LEVEL_RAMP_S = 0.02;
  const TOO_LATE_S = 0.03; // before a fade begins, it can't be taken back any more

  class LiveEngine extends EventTarget {
    constructor() {
      super();
      this.context = null;
      this.clock = null;
      this.parts = new Map(); // part id -> {level, gainDb, now, next}; these: {versionId, source, fade, loop, startS}
    }

    get isPlaying() {
      return this.clock !== null;
    }

    get frame() {
      return Math.floor(this.context.currentTime * this.clock.sampleRateHz + 1e-6);
    }

    get loop() {
      return loopAt(this.clock, this.frame);
    }

    get positionS() {
      return positionIn(this.clock, this.frame) / this.clock.sampleRateHz;
    }

    // Inside a click, as browsers demand.
    open(sampleRateHz) {
      this.close();
      this.context = new AudioContext({ sampleRate: sampleRateHz });
      this.master = this.context.createGain();
      this.meter = this.context.createAnalyser();
      this.meter.fftSize = 1024;
      this.wave = new Float32Array(1024);
      this.master.connect(this.context.destination);
      this.master.connect(this.meter);
      return this.context.resume();
    }

    // Loop 0 begins as soon as may be.
    start({ numFrames, numBars, beatsPerBar, sampleRateHz }) {
      const startFrame = Math.ceil((this.context.currentTime + 0.15) * sampleRateHz);
      this.clock = { startFrame, numFrames, numBars, beatsPerBar, sampleRateHz };
    }

    close() {
      for (const part of this.parts.values()) for (const voice of [part.now, part.next]) voice?.source?.stop();
      this.parts.clear();
      this.context?.close();
      this.context = null;
      this.clock = null;
    }

    part(partId) {
      let part = this.parts.get(partId);
      if (!part) {
        part = { level: this.context.createGain(), gainDb: 0, now: null, next: null };
        part.level.connect(this.master);
        this.parts.set(partId, part);
      }
      return part;
    }

    // What a part will play from the next boundary on; null if nothing.
    plannedVersion(partId) {
      this.settle();
      const part = this.parts.get(partId);
      if (!part) return null;
      return (part.next || part.now)?.versionId ?? null;
    }

    // Lets a part play a version (null: nothing) from the beginning of a loop on, or of the first that can still be
    // prepared; returns which, or null if what was planned before is turning up this very moment.
    plan(partId, versionId, buffer, wantedLoop) {
      this.settle();
      const part = this.part(partId);
      const loop = nextReachable(this.clock, this.frame, wantedLoop);
      if (part.next && !this.unplan(part)) return null;
      part.next = this.makeVoice(part, versionId, buffer, loop);
      if (part.now) this.fadeOut(part.now, boundary(this.clock, loop));
      return loop;
    }

    // At a boundary, or at any other frame of the loop: atFrame is where the voice is fully in.
    makeVoice(part, versionId, buffer, loop, atFrame = boundary(this.clock, loop)) {
      if (!buffer) return { versionId: null, source: null, fade: null, loop };
      const isFirst = atFrame === this.clock.startFrame;
      const startFrame = isFirst ? atFrame : atFrame - fadeFrames(this.clock);
      const source = this.context.createBufferSource();
      source.buffer = buffer;
      source.loop = true;
      const fade = this.context.createGain();
      const startS = this.secondsOf(startFrame);
      fade.gain.setValueAtTime(isFirst ? 1 : 0, startS);
      if (!isFirst) fade.gain.linearRampToValueAtTime(1, this.secondsOf(atFrame));
      source.connect(fade).connect(part.level);
      source.start(startS, positionIn(this.clock, startFrame) / this.clock.sampleRateHz);
      const voice = { versionId, source, fade, loop, startS };
      this.makeSure(part, voice);
      return voice;
    }

    // Puts another in place of a voice that may have begun too late, unless it leaves before that could be heard.
    async makeSure(part, voice) {
      if (await isInTime(this.context, voice.startS)) return;
      const isThere = [...this.parts.values()].includes(part) && (part.now === voice || part.next === voice);
      if (!isThere) return;
      const atFrame = soonestFrame(this.clock, this.frame);
      const leaves = part.now === voice && part.next ? boundary(this.clock, part.next.loop) : Infinity;
      if (leaves < atFrame + fadeFrames(this.clock)) return;
      const inPlace = this.makeVoice(part, voice.versionId, voice.source.buffer, voice.loop, atFrame);
      this.fadeOut(voice, atFrame);
      voice.source.stop(this.secondsOf(atFrame));
      if (leaves < Infinity) this.fadeOut(inPlace, leaves);
      if (part.now === voice) part.now = inPlace;
      else part.next = inPlace;
    }

    fadeOut(voice, atFrame) {
      const atS = this.secondsOf(atFrame);
      voice.fade.gain.setValueAtTime(1, atS - this.fadeS);
      voice.fade.gain.linearRampToValueAtTime(0, atS);
    }

    // Takes back what was planned; false if it is too late for that.
    unplan(part) {
      const fadeStart = boundary(this.clock, part.next.loop) - fadeFrames(this.clock);
      if (this.frame + TOO_LATE_S * this.clock.sampleRateHz >= fadeStart) return false;
      part.next.source?.stop();
      part.next.fade?.disconnect();
      part.next = null;
      part.now?.fade.gain.cancelScheduledValues(this.secondsOf(fadeStart - 1));
      return true;
    }

    // What has begun by now is what sounds.
    settle() {
      const { loop } = this;
      for (const part of this.parts.values()) {
        if (part.next && part.next.loop <= loop) {
          part.now?.source.stop();
          part.now = part.next.source ? part.next : null;
          part.next = null;
        }
      }
    }

    // Version by part, of what sounds.
    sounding() {
      this.settle();
      const heard = {};
      for (const [id, part] of this.parts) if (part.now) heard[id] = part.now.versionId;
      return heard;
    }

    gainsDb() {
      return Object.fromEntries([...this.parts].map(([id, part]) => [id, part.gainDb]));
    }

    setGainDb(partId, gainDb) {
      const part = this.part(partId);
      part.gainDb = gainDb;
      part.level.gain.setTargetAtTime(10 ** (gainDb / 20), this.context.currentTime, LEVEL_RAMP_S / 3);
    }

    remove(partId) {
      const part = this.parts.get(partId);
      if (!part) return;
      part.level.gain.setTargetAtTime(0, this.context.currentTime, LEVEL_RAMP_S / 3);
      for (const voice of [part.now, part.next]) voice?.source?.stop(this.context.currentTime + 0.1);
      this.parts.delete(partId);
    }

    // Peak of the last 1024 frames.
    peak() {
      if (!this.context) return 0;
      this.meter.getFloatTimeDomainData(this.wave);
      return this.wave.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0);
    }

    get fadeS() {
      return fadeFrames(this.clock) / this.clock.sampleRateHz;
    }

    secondsOf(frame) {
      return frame / this.clock.sampleRateHz;
    }
  }

  if (!globalThis.stemLiveEngine) globalThis.stemLiveEngine = new LiveEngine();
})();
