// The one Web Audio engine of the page.
//
// Every sounding file is an AudioBufferSourceNode that was started for one common frame zero (`zeroFrame`), and loops
// over the whole clip. Switching, muting and soloing only move gains, so nothing ever restarts and nothing can drift.
// All times are counted in whole audio frames of the context's clock: a voice that joins late starts on a whole frame
// at the whole-frame offset that the others have reached, which puts it in sync to the sample.
(function () {
  "use strict";

  const RAMP_S = 0.01; // long enough to hide the click of a switch, short enough to feel instant
  const LEAD_S = 0.06; // time for the audio thread to take up a new source before it must sound
  const MAX_BUFFERS = 32; // decoded files kept; 8 s of stereo at 44.1 kHz is 2.8 MB each
  const SILENT_MIX = { volume: 1, isMuted: false, isSolo: false };

  class StemEngine extends EventTarget {
    constructor() {
      super();
      this.context = null;
      this.master = null;
      this.tracks = []; // {id, url, role: "mix" | "candidate", mixerId}
      this.voices = new Map(); // track id -> {source, gain}
      this.buffers = new Map(); // url -> {promise, buffer}; oldest first
      this.mixer = new Map(); // mixer id -> {volume, isMuted, isSolo}; outlives the tracks
      this.candidateId = null;
      this.listenMode = "mix"; // "mix" | "context" | "solo"
      this.isLooping = true;
      this.isPlaying = false;
      this.masterVolume = 1;
      this.zeroFrame = 0; // context frame at which the clip's frame 0 sounded
      this.restFrame = 0; // clip frame to go on from while paused
      this.numFrames = 0;
      this.sampleRateHz = 44100;
      this.mediaKey = "";
    }

    // ---- what there is to hear -------------------------------------------------------------------------------

    setScene({ tracks, numFrames, sampleRateHz, mediaKey }) {
      if (sampleRateHz !== this.sampleRateHz || numFrames !== this.numFrames) this.reset(sampleRateHz, numFrames);
      this.mediaKey = mediaKey;
      this.tracks = tracks;
      const wanted = new Set(tracks.map((track) => track.id));
      for (const id of [...this.voices.keys()]) if (!wanted.has(id)) this.endVoice(id);
      if (this.candidateId && !tracks.some((track) => this.isCandidate(track, this.candidateId))) {
        this.candidateId = null;
      }
      tracks.forEach((track) => this.loadTrack(track));
      this.applyGains();
      this.changed();
    }

    reset(sampleRateHz, numFrames) {
      this.pause();
      if (this.context && sampleRateHz !== this.sampleRateHz) {
        this.context.close();
        this.context = null;
        this.buffers.clear();
      }
      this.sampleRateHz = sampleRateHz;
      this.numFrames = numFrames;
      this.restFrame = 0;
    }

    isCandidate(track, id) {
      return track.role === "candidate" && track.id === id;
    }

    async loadTrack(track) {
      try {
        await this.buffer(track.url);
      } catch (error) {
        this.dispatchEvent(new CustomEvent("failure", { detail: { track, error } }));
        return;
      }
      this.dispatchEvent(new CustomEvent("buffer", { detail: track }));
      if (this.isPlaying && this.tracks.includes(track)) this.startVoice(track);
    }

    buffer(url) {
      const known = this.buffers.get(url);
      if (known) {
        this.buffers.delete(url); // to the young end
        this.buffers.set(url, known);
        return known.promise;
      }
      const entry = { buffer: null, promise: null };
      entry.promise = this.fetchBuffer(url).then(
        (buffer) => (entry.buffer = buffer),
        (error) => {
          this.buffers.delete(url); // so that the next scene tries again
          throw error;
        },
      );
      this.buffers.set(url, entry);
      this.forgetOldBuffers();
      return entry.promise;
    }

    async fetchBuffer(url) {
      const answer = await fetch(url, { headers: { "X-StemGen-Browser": this.mediaKey } });
      if (!answer.ok) throw new Error(`The server answered ${answer.status} for this sound.`);
      // An offline context decodes at the clip's own rate and needs no click to be allowed.
      const decoder = new OfflineAudioContext(1, 1, this.sampleRateHz);
      return decoder.decodeAudioData(await answer.arrayBuffer());
    }

    forgetOldBuffers() {
      const used = new Set(this.tracks.map((track) => track.url));
      for (const url of [...this.buffers.keys()]) {
        if (this.buffers.size <= MAX_BUFFERS) return;
        if (!used.has(url)) this.buffers.delete(url);
      }
    }

    decoded(url) {
      const entry = this.buffers.get(url);
      return entry ? entry.buffer : null;
    }

    // ---- transport -------------------------------------------------------------------------------------------

    async play() {
      if (this.isPlaying || !this.numFrames) return;
      this.openContext(); // inside the click, as browsers demand
      const resumed = this.context.resume();
      const mix = this.tracks.filter((track) => track.role === "mix");
      await Promise.allSettled([resumed, ...mix.map((track) => this.buffer(track.url))]);
      if (this.isPlaying) return;
      this.isPlaying = true;
      this.zeroFrame = this.soonFrame() - this.restFrame;
      this.tracks.forEach((track) => this.startVoice(track));
      this.changed();
    }

    pause() {
      if (!this.isPlaying) return;
      this.restFrame = this.positionFrame();
      this.isPlaying = false;
      for (const id of [...this.voices.keys()]) this.endVoice(id);
      this.changed();
    }

    stop() {
      this.pause();
      this.restFrame = 0;
      this.changed();
    }

    toggle() {
      return this.isPlaying ? this.pause() : this.play();
    }

    seek(seconds) {
      const frame = Math.round(seconds * this.sampleRateHz);
      this.restFrame = Math.min(Math.max(0, frame), Math.max(0, this.numFrames - 1));
      if (this.isPlaying) {
        for (const id of [...this.voices.keys()]) this.endVoice(id);
        this.zeroFrame = this.soonFrame() - this.restFrame;
        this.tracks.forEach((track) => this.startVoice(track));
      }
      this.changed();
    }

    setLooping(isLooping) {
      this.isLooping = isLooping;
      for (const voice of this.voices.values()) voice.source.loop = isLooping;
      this.changed();
    }

    get durationS() {
      return this.numFrames / this.sampleRateHz;
    }

    get positionS() {
      return this.positionFrame() / this.sampleRateHz;
    }

    positionFrame() {
      if (!this.isPlaying) return this.restFrame;
      const frame = Math.floor(this.context.currentTime * this.sampleRateHz) - this.zeroFrame;
      return wrap(frame, this.numFrames);
    }

    // ---- voices ----------------------------------------------------------------------------------------------

    openContext() {
      if (this.context) return;
      this.context = new AudioContext({ sampleRate: this.sampleRateHz });
      this.master = this.context.createGain();
      this.master.gain.value = this.masterVolume;
      this.meter = this.context.createAnalyser();
      this.meter.fftSize = 1024;
      this.master.connect(this.meter);
      this.meter.connect(this.context.destination);
    }

    soonFrame() {
      return Math.ceil((this.context.currentTime + LEAD_S) * this.sampleRateHz);
    }

    startVoice(track) {
      const buffer = this.decoded(track.url);
      if (!buffer || this.voices.has(track.id)) return;
      const source = this.context.createBufferSource();
      source.buffer = buffer;
      source.loop = this.isLooping;
      const gain = this.context.createGain();
      gain.gain.value = 0; // a ramp that is cut short before `when` must not begin at the default of 1
      const whenFrame = this.soonFrame();
      const when = whenFrame / this.sampleRateHz;
      gain.gain.setValueAtTime(0, when);
      gain.gain.linearRampToValueAtTime(this.targetGain(track), when + RAMP_S);
      source.connect(gain).connect(this.master);
      source.start(when, wrap(whenFrame - this.zeroFrame, this.numFrames) / this.sampleRateHz);
      source.onended = () => this.voiceEnded(track.id, source);
      this.voices.set(track.id, { source, gain });
    }

    voiceEnded(id, source) {
      const voice = this.voices.get(id);
      if (!voice || voice.source !== source) return; // ended by us
      this.voices.delete(id);
      if (!this.voices.size) this.stop(); // the clip is over and does not loop
    }

    endVoice(id) {
      const { source, gain } = this.voices.get(id);
      this.voices.delete(id);
      const now = this.context.currentTime;
      rampTo(gain.gain, 0, now);
      source.stop(now + 2 * RAMP_S);
      source.onended = () => gain.disconnect();
    }

    // ---- mixing ----------------------------------------------------------------------------------------------

    mixerOf(mixerId) {
      return this.mixer.get(mixerId) || SILENT_MIX;
    }

    setMixer(mixerId, changes) {
      this.mixer.set(mixerId, { ...this.mixerOf(mixerId), ...changes });
      this.applyGains();
      this.changed();
    }

    setCandidate(id) {
      this.candidateId = id;
      this.applyGains();
      this.changed();
    }

    setListenMode(mode) {
      this.listenMode = mode;
      this.applyGains();
      this.changed();
    }

    setMasterVolume(volume) {
      this.masterVolume = volume;
      if (this.context) rampTo(this.master.gain, volume, this.context.currentTime);
      this.changed();
    }

    targetGain(track) {
      const isActive = this.isCandidate(track, this.candidateId);
      if (track.role === "candidate" && !isActive) return 0;
      if (this.candidateId && this.listenMode === "solo" && !isActive) return 0;
      if (this.listenMode === "context" && isActive) return 0;
      const { volume, isMuted, isSolo } = this.mixerOf(track.mixerId);
      if (this.hasSolo()) return isSolo ? volume : 0;
      return isMuted ? 0 : volume;
    }

    hasSolo() {
      return this.tracks.some(
        (track) =>
          this.mixerOf(track.mixerId).isSolo && (track.role === "mix" || this.isCandidate(track, this.candidateId)),
      );
    }

    applyGains() {
      if (!this.context) return;
      const now = this.context.currentTime;
      for (const track of this.tracks) {
        const voice = this.voices.get(track.id);
        if (voice) rampTo(voice.gain.gain, this.targetGain(track), now);
      }
    }

    levels() {
      if (!this.isPlaying) return 0;
      const wave = new Float32Array(this.meter.fftSize);
      this.meter.getFloatTimeDomainData(wave);
      return wave.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0);
    }

    changed() {
      this.dispatchEvent(new Event("change"));
    }
  }

  function wrap(frame, numFrames) {
    return ((frame % numFrames) + numFrames) % numFrames;
  }

  function rampTo(param, value, now) {
    if (param.cancelAndHoldAtTime) {
      param.cancelAndHoldAtTime(now);
    } else {
      const held = param.value;
      param.cancelScheduledValues(now);
      param.setValueAtTime(held, now);
    }
    param.linearRampToValueAtTime(value, now + RAMP_S);
  }

  if (!window.stemEngine) window.stemEngine = new StemEngine();
})();
