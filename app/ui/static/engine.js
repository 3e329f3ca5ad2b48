// The one Web Audio engine of the page; the arithmetic is in timeline.js and mixing.js.
//
// Every sounding file is an AudioBufferSourceNode that was started on a whole frame of the audio clock, at the whole
// frame of the clip that all the others have reached. Switching, muting and soloing only move gains, so nothing
// restarts and nothing can drift. Only a jump or another loop begins a new run: all voices anew at one common frame,
// crossfaded from the old ones. What sounds from a bar line on is told to the audio clock when it is asked for, so that
// no script need be in time for it; until shortly before, it can be taken back.
(() => {
  const { positionAt, enter, follow, nextLine } = globalThis.stemTimeline;
  const { NEUTRAL, gainOfDb, targetGain } = globalThis.stemMixing;
  const { SoundLibrary } = globalThis.stemLibrary;
  const { Ramp } = globalThis.stemVoice;
  const { Voices } = globalThis.stemVoices;

  const FROZEN_MS = 300; // a clock that stands still for so long after coming back is dead (iOS)
  const EMPTY_SCENE = { nodeId: null, clipId: null, tracks: [], grid: null, candidateId: null };

  class StemEngine extends EventTarget {
    constructor() {
      super();
      this.context = null;
      this.master = null;
      this.library = new SoundLibrary();
      this.scene = EMPTY_SCENE; // what sounds
      this.next = null; // {scene, atFrame, timer}: what sounds from the next bar line on
      this.voices = new Voices(this); // of the tracks of both, as far as they are decoded
      this.mixer = new Map(); // mixer id -> mixer; outlives the tracks
      this.listenMode = "mix"; // "mix" | "context" | "solo"
      this.isComparing = false;
      this.isLooping = true;
      this.region = null; // what is looped; null is the whole clip
      this.isPlaying = false;
      this.masterDb = 0;
      this.run = { startFrame: 0, offsetFrame: 0, loop: null };
      this.restFrame = 0; // clip frame to go on from while paused
      this.holdFrame = 0; // gains may not move before this frame of the audio clock
      this.numFrames = 0;
      document.addEventListener("visibilitychange", () => this.revive());
    }

    // ---- what there is to hear -------------------------------------------------------------------------------

    // What is shown: the scene of the next bar line if one waits.
    get shownScene() {
      return this.next ? this.next.scene : this.scene;
    }

    get tracks() {
      return this.shownScene.tracks;
    }

    get candidateId() {
      return this.shownScene.candidateId;
    }

    get grid() {
      return this.shownScene.grid;
    }

    get sampleRateHz() {
      return this.library.sampleRateHz;
    }

    get mediaKey() {
      return this.library.mediaKey;
    }

    // scene: {nodeId, clipId, tracks, grid, numFrames, sampleRateHz, mediaKey, mixers}. Another node of the same clip
    // comes in on the next bar line while the music plays; everything else at once.
    setScene({ numFrames, sampleRateHz, mediaKey, mixers, ...scene }) {
      this.library.mediaKey = mediaKey;
      for (const [id, mixer] of Object.entries(mixers)) if (!this.mixer.has(id)) this.mixer.set(id, mixer);
      const isSameClip = scene.clipId === this.scene.clipId && numFrames === this.numFrames;
      if (!isSameClip || sampleRateHz !== this.sampleRateHz) this.reset(sampleRateHz, numFrames);
      if (this.next && this.voices.soonFrame() > this.next.atFrame) this.land(); // too late to take it back
      const shown = this.shownScene;
      const keepsCandidate =
        scene.nodeId === shown.nodeId && scene.tracks.some((track) => isCandidate(track, shown.candidateId));
      const wanted = { ...scene, candidateId: keepsCandidate ? shown.candidateId : null };
      if (this.isPlaying && scene.grid && scene.nodeId !== this.scene.nodeId) this.switchOnBar(wanted);
      else this.adopt(wanted);
      for (const track of wanted.tracks) this.loadTrack(track);
      this.changed();
    }

    reset(sampleRateHz, numFrames) {
      this.pause();
      if (sampleRateHz !== this.sampleRateHz) {
        this.context?.close();
        this.context = null;
        this.library.setRate(sampleRateHz);
      }
      this.numFrames = numFrames;
      this.region = null;
      this.restFrame = 0;
    }

    switchOnBar(scene) {
      if (this.next) {
        this.next.scene = scene;
      } else {
        const soon = this.voices.soonFrame();
        const position = positionAt(this.run, soon, this.numFrames);
        const atFrame = soon + nextLine(scene.grid, position, this.run.loop) - position;
        const waitS = atFrame / this.sampleRateHz - this.context.currentTime;
        this.next = { scene, atFrame, timer: setTimeout(() => this.landed(), 1000 * waitS) };
      }
      this.arrange();
    }

    // What waited is what sounds. What is to be heard of it was told before: this may come late.
    land() {
      const { scene, atFrame } = this.next;
      this.setStage(scene);
      this.holdFrame = atFrame;
      this.arrange();
    }

    landed() {
      this.land();
      this.changed();
    }

    setStage(scene) {
      clearTimeout(this.next?.timer);
      this.next = null;
      this.scene = scene;
    }

    // Lets a scene sound as soon as may be.
    adopt(scene) {
      this.setStage(scene);
      this.arrange();
    }

    // Gives every track of what sounds, and of what will, its voice, and lets the others go.
    arrange() {
      const stages = this.stages();
      const wanted = new Set(stages.flatMap(({ scene }) => scene.tracks.map((track) => track.id)));
      for (const id of [...this.voices.keys()]) if (!wanted.has(id)) this.voices.end(id, this.holdFrame);
      if (this.isPlaying) {
        for (const { scene, atFrame } of stages) for (const track of scene.tracks) this.startVoice(track, atFrame);
      }
      this.voices.followAll();
    }

    // What sounds, and what will: {scene, atFrame}, from a frame of the audio clock on.
    stages() {
      const now = { scene: this.scene, atFrame: this.holdFrame };
      return this.next ? [now, this.next] : [now];
    }

    async loadTrack(track) {
      try {
        await this.buffer(track.url);
      } catch (error) {
        this.dispatchEvent(new CustomEvent("failure", { detail: { track, error } }));
        return;
      }
      this.library.prune(new Set([...this.scene.tracks, ...this.tracks].map(({ url }) => url)));
      this.dispatchEvent(new CustomEvent("buffer", { detail: track }));
      if (this.isPlaying) this.arrange();
    }

    buffer(url) {
      return this.library.load(url);
    }

    decoded(url) {
      return this.library.decoded(url);
    }

    // ---- transport -------------------------------------------------------------------------------------------

    async play() {
      if (this.isPlaying || !this.numFrames) return;
      this.openContext(); // inside the click, as browsers demand
      const resumed = this.context.resume();
      const mix = this.tracks.filter((track) => track.role === "mix");
      await Promise.allSettled([resumed, ...mix.map((track) => this.buffer(track.url))]);
      if (this.isPlaying || !this.context) return;
      this.isPlaying = true;
      this.beginRun(this.restFrame);
      this.changed();
    }

    pause() {
      if (!this.isPlaying) return;
      this.restFrame = Math.min(this.positionFrame(), this.numFrames - 1);
      this.isPlaying = false;
      this.voices.endAll(0);
      if (this.next) this.setStage(this.next.scene);
      this.changed();
    }

    stop() {
      this.pause();
      this.restFrame = this.isLooping && this.region ? this.region.start : 0;
      this.changed();
    }

    toggle() {
      return this.isPlaying ? this.pause() : this.play();
    }

    seek(seconds) {
      this.seekFrame(Math.round(seconds * this.sampleRateHz));
    }

    // A loop follows to where one goes.
    seekFrame(wanted) {
      const frame = Math.min(Math.max(0, wanted), Math.max(0, this.numFrames - 1));
      this.region = follow(this.grid, this.region, frame, this.numFrames);
      if (this.isPlaying) this.beginRun(frame);
      else this.restFrame = frame;
      this.changed();
    }

    setLooping(isLooping) {
      this.isLooping = isLooping;
      this.loopChanged();
    }

    setRegion(region) {
      this.region = region;
      this.isLooping = true;
      this.loopChanged();
    }

    loopChanged() {
      if (this.isPlaying) this.beginRun(null);
      else this.restFrame = enter(this.loop(), this.restFrame);
      this.changed();
    }

    loop() {
      return this.isLooping ? this.region || { start: 0, end: this.numFrames } : null;
    }

    // Starts every voice at one frame of the clock: from clip frame `from`, or from where the last run has got to.
    beginRun(from) {
      const startFrame = this.voices.soonFrame();
      const reached = from ?? positionAt(this.run, startFrame, this.numFrames);
      const loop = this.loop();
      this.run = { startFrame, offsetFrame: enter(loop, reached), loop };
      if (this.next) this.setStage(this.next.scene); // a jump is as good as a bar line
      this.holdFrame = startFrame;
      this.voices.endAll(startFrame);
      this.arrange();
    }

    get zeroFrame() {
      return this.run.startFrame - this.run.offsetFrame;
    }

    get durationS() {
      return this.numFrames / this.sampleRateHz;
    }

    get positionS() {
      return this.positionFrame() / this.sampleRateHz;
    }

    // Where the ear is: what has left the engine is heard a little later.
    positionFrame() {
      if (!this.isPlaying) return this.restFrame;
      const heardS = this.context.currentTime - (this.context.outputLatency || 0);
      return positionAt(this.run, Math.floor(heardS * this.sampleRateHz), this.numFrames);
    }

    // Phones stop the audio clock behind a call or another page; where it does not go on, a new one is made.
    async revive() {
      if (document.hidden || !this.isPlaying) return;
      const { context } = this;
      const before = context.currentTime;
      await context.resume().catch(() => null); // a dead clock refuses; that is what is measured next
      setTimeout(() => {
        if (!this.isPlaying || this.context !== context || context.currentTime > before) return;
        this.pause();
        context.close();
        this.context = null;
        this.play();
      }, FROZEN_MS);
    }

    // ---- voices ----------------------------------------------------------------------------------------------

    openContext() {
      if (this.context) return;
      this.context = new AudioContext({ sampleRate: this.sampleRateHz });
      this.voices = new Voices(this);
      this.master = this.context.createGain();
      this.masterLevel = new Ramp(this.master.gain, gainOfDb(this.masterDb));
      const sides = this.context.createChannelSplitter(2);
      this.meters = [0, 1].map((side) => {
        const meter = this.context.createAnalyser();
        meter.fftSize = 1024;
        sides.connect(meter, side);
        return meter;
      });
      this.wave = new Float32Array(1024);
      this.master.connect(sides);
      this.master.connect(this.context.destination);
    }

    startVoice(track, atFrame) {
      const buffer = this.decoded(track.url);
      if (buffer && !this.voices.has(track.id)) this.voices.begin(track.id, buffer, atFrame);
    }

    // What a track is to sound like in what sounds, and in what will: {gain, pan, atFrame}.
    wishesOf(id) {
      const found = this.stages().map(({ scene, atFrame }) => ({
        scene,
        atFrame,
        track: scene.tracks.find((track) => track.id === id),
      }));
      const other = found.find(({ track }) => track).track;
      return found.map(({ scene, atFrame, track }) => ({
        gain: track ? this.gainOf(track, scene) : 0,
        pan: this.mixerOf((track || other).mixerId).pan,
        atFrame,
      }));
    }

    // ---- mixing ----------------------------------------------------------------------------------------------

    mixerOf(mixerId) {
      return this.mixer.get(mixerId) || NEUTRAL;
    }

    setMixer(mixerId, changes) {
      const mixer = { ...this.mixerOf(mixerId), ...changes };
      this.mixer.set(mixerId, mixer);
      this.dispatchEvent(new CustomEvent("mixer", { detail: { mixerId, mixer } }));
      this.mixChanged();
    }

    setCandidate(id) {
      this.shownScene.candidateId = id;
      this.mixChanged();
    }

    setListenMode(mode) {
      this.listenMode = mode;
      this.mixChanged();
    }

    setComparing(isComparing) {
      this.isComparing = isComparing;
      this.mixChanged();
    }

    setMasterDb(db) {
      this.masterDb = db;
      if (this.context) this.masterLevel.moveTo(gainOfDb(db), 0, this.context.currentTime);
      this.changed();
    }

    // What a track is to sound like in what is shown.
    targetGain(track) {
      return this.gainOf(track, this.shownScene);
    }

    gainOf(track, { tracks, candidateId }) {
      const { listenMode, isComparing } = this;
      return targetGain(track, { tracks, candidateId, listenMode, isComparing }, (id) => this.mixerOf(id));
    }

    mixChanged() {
      this.voices.followAll();
      this.changed();
    }

    // Peaks of the last 1024 frames, left and right; 1 is full scale.
    sideLevels() {
      if (!this.isPlaying) return [0, 0];
      return this.meters.map((meter) => {
        meter.getFloatTimeDomainData(this.wave);
        return this.wave.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0);
      });
    }

    levels() {
      return Math.max(...this.sideLevels());
    }

    changed() {
      this.dispatchEvent(new Event("change"));
    }
  }

  function isCandidate(track, id) {
    return id !== null && track.role === "candidate" && track.id === id;
  }

  if (!globalThis.stemEngine) globalThis.stemEngine = new StemEngine();
})();
