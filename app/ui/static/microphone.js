// The microphone: counts in, records from the first beat after that, and stops. The arithmetic is in recording.js.
(() => {
  const { countIn, since, join } = globalThis.stemRecording;
  const LEAD_S = 0.15; // before the first click, so that it comes whole
  const CLICK_S = 0.03;
  // What browsers do to speech spoils music.
  const SOUND = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

  // One recording. Events: "beat" (detail: its number in the bar), "begin", "level" (detail: peak), "full".
  class Microphone extends EventTarget {
    constructor(workletUrl, maxS) {
      super();
      this.workletUrl = workletUrl;
      this.maxS = maxS;
      this.blocks = [];
      this.numFrames = 0;
      this.fromFrame = null; // recorded is what was played from here on
      this.timers = [];
    }

    // count: {bpm, beatsPerBar, numBars} or null.
    async start(count) {
      if (!navigator.mediaDevices)
        throw new Error("Browsers lend the microphone to https pages and this machine only.");
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: SOUND });
      this.context = new AudioContext();
      await Promise.all([this.context.resume(), this.context.audioWorklet.addModule(this.workletUrl)]);
      const source = this.context.createMediaStreamSource(this.stream);
      this.recorder = new AudioWorkletNode(this.context, "stem-recorder", { outputChannelCount: [1] });
      this.recorder.port.onmessage = ({ data }) => this.take(data);
      source.connect(this.recorder).connect(this.context.destination); // silent; what leads nowhere is not run
      const startFrame = Math.ceil((this.context.currentTime + LEAD_S) * this.sampleRateHz);
      if (count) this.count(countIn({ ...count, startFrame, sampleRateHz: this.sampleRateHz }));
      else this.fromFrame = startFrame;
    }

    get sampleRateHz() {
      return this.context.sampleRate;
    }

    get durationS() {
      return this.context ? this.numFrames / this.sampleRateHz : 0;
    }

    // A click is heard a little after its frame, and what is played to it comes in a little later still: what is kept
    // begins as much after the first beat. The last click has died away long before.
    count({ clicks, downbeatFrame }) {
      const [track] = this.stream.getAudioTracks();
      const lateS = (this.context.outputLatency || 0) + (track.getSettings().latency || 0);
      this.fromFrame = downbeatFrame + Math.round(lateS * this.sampleRateHz);
      for (const { frame, isFirst, word } of clicks) {
        this.click(frame / this.sampleRateHz, isFirst);
        this.later(frame, () => this.dispatchEvent(new CustomEvent("beat", { detail: word })));
      }
    }

    click(atS, isFirst) {
      const tone = this.context.createOscillator();
      const gain = this.context.createGain();
      tone.frequency.value = isFirst ? 1600 : 1100;
      gain.gain.setValueAtTime(0.4, atS);
      gain.gain.exponentialRampToValueAtTime(0.001, atS + CLICK_S);
      tone.connect(gain).connect(this.context.destination);
      tone.start(atS);
      tone.stop(atS + CLICK_S);
    }

    later(frame, act) {
      const waitS = frame / this.sampleRateHz - this.context.currentTime;
      this.timers.push(setTimeout(act, 1000 * Math.max(0, waitS)));
    }

    take({ frame, block }) {
      const kept = this.fromFrame === null ? null : since(block, frame, this.fromFrame);
      if (!kept || this.isOver) return;
      if (!this.numFrames) this.dispatchEvent(new Event("begin"));
      const room = Math.floor(this.maxS * this.sampleRateHz) - this.numFrames;
      this.blocks.push(kept.subarray(0, room));
      this.numFrames += Math.min(kept.length, room);
      const peak = kept.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
      this.dispatchEvent(new CustomEvent("level", { detail: peak }));
      if (kept.length >= room) this.dispatchEvent(new Event("full"));
    }

    // Ends the recording and gives the microphone back; returns the samples.
    stop() {
      this.isOver = true;
      for (const timer of this.timers) clearTimeout(timer);
      for (const track of this.stream?.getTracks() ?? []) track.stop();
      this.context?.close();
      return join(this.blocks);
    }
  }

  globalThis.stemMicrophone = { Microphone };
})();
