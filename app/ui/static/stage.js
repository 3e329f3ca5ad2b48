// What is on stage: joins the dock's view (the node we stand on) with the feed's view (the variations made on it),
// tells the engine which sounds exist, and remembers which variation is being tried and which mix is compared with.
(() => {
  const engine = globalThis.stemEngine;
  const { makeGrid, regionAround, barsOf, stepBar } = globalThis.stemTimeline;
  const LOOP_LENGTHS = [0, 4, 2, 1]; // bars; 0 is the whole clip
  const STEP_WITHOUT_GRID_S = 2;

  class Stage extends EventTarget {
    constructor() {
      super();
      this.dock = null; // last value of the player dock
      this.feed = null; // last value of the feed
      this.turnId = null; // the turn whose variations are being tried
      this.wanted = null; // variation to try as soon as its node is on stage
      this.otherId = null; // node whose mix is compared with
      this.autoTried = null; // turn whose first variation came into the mix by itself
    }

    setDock(view) {
      const isElsewhere = this.dock?.node_id !== view?.node_id;
      this.dock = view?.node_id ? view : null;
      if (isElsewhere && !this.wanted) this.turnId = null;
      this.refresh();
    }

    setFeed(view) {
      this.feed = view;
      this.refresh();
    }

    refresh() {
      const { dock } = this;
      engine.setScene({
        nodeId: dock ? dock.node_id : null,
        clipId: dock ? dock.clip_id : null,
        tracks: dock ? this.engineTracks() : [],
        grid: dock ? makeGrid(dock.grid, dock.num_frames, dock.sample_rate_hz) : null,
        numFrames: dock ? dock.num_frames : 0,
        sampleRateHz: dock ? dock.sample_rate_hz : engine.sampleRateHz,
        mediaKey: dock ? dock.media_key : "",
        mixers: dock ? mixersOf(dock.mixers) : {},
      });
      if (dock) this.tryWanted();
      this.changed();
    }

    // ---- variations ------------------------------------------------------------------------------------------

    // The turn whose variations the keys 1-4 switch between: the one chosen, else the newest made on this node.
    turn() {
      if (!this.dock || !this.feed) return null;
      const here = this.feed.turns.filter((turn) => turn.parent_id === this.dock.node_id && done(turn).length);
      return here.find((turn) => turn.turn_id === this.turnId) || here[here.length - 1] || null;
    }

    candidates() {
      const turn = this.turn();
      return turn ? done(turn) : [];
    }

    candidate() {
      return this.candidates().find((variation) => variation.variation_id === engine.candidateId) || null;
    }

    tryWanted() {
      const ids = this.candidates().map((variation) => variation.variation_id);
      if (this.wanted && ids.includes(this.wanted)) {
        const id = this.wanted;
        this.wanted = null;
        engine.setCandidate(id);
        return;
      }
      const turn = this.turn();
      const isFresh = turn?.is_active && turn.turn_id !== this.autoTried;
      if (isFresh && engine.isPlaying && !engine.candidateId && ids.length) {
        this.autoTried = turn.turn_id;
        engine.setCandidate(ids[0]);
      }
    }

    // Tries a variation in the mix; one that is being tried is put away again if `isToggle`.
    // True if its node is on stage; otherwise the caller asks the server to go there.
    audition(turn, variationId, isToggle) {
      this.turnId = turn.turn_id;
      if (this.dock?.node_id === turn.parent_id) {
        this.refresh();
        engine.setCandidate(isToggle && engine.candidateId === variationId ? null : variationId);
        this.changed();
        return true;
      }
      this.wanted = variationId;
      return false;
    }

    auditionIndex(index) {
      const variation = this.candidates()[index];
      if (variation) this.audition(this.turn(), variation.variation_id);
    }

    // ---- tracks ----------------------------------------------------------------------------------------------

    engineTracks() {
      const compared = new Set(this.otherTracks().map((track) => track.track_id));
      const mix = this.dock.tracks.map((track) => engineTrack(track, "mix", compared));
      const known = new Set(mix.map((track) => track.id));
      const turn = this.turn();
      const candidates = this.candidates()
        .filter((variation) => !known.has(variation.variation_id))
        .map((variation) => engineTrack(candidateTrack(turn, variation), "candidate", compared));
      for (const track of candidates) known.add(track.id);
      const others = this.otherTracks().filter((track) => !known.has(track.track_id));
      return [...mix, ...candidates, ...others.map((track) => engineTrack(track, "compare", compared))];
    }

    // The strips that the dock shows: the mix, then the variation that is being tried.
    strips() {
      if (!this.dock) return [];
      const strips = [...this.dock.tracks];
      const [turn, candidate] = [this.turn(), this.candidate()];
      if (candidate && !strips.some((track) => track.track_id === candidate.variation_id)) {
        strips.push({ ...candidateTrack(turn, candidate), is_candidate: true });
      }
      return strips;
    }

    flip(index, field) {
      const strip = this.strips()[index];
      if (strip) engine.setMixer(strip.mixer_id, { [field]: !engine.mixerOf(strip.mixer_id)[field] });
    }

    // ---- comparing two mixes ---------------------------------------------------------------------------------

    others() {
      return this.dock?.others || [];
    }

    other() {
      return this.others().find((mix) => mix.node_id === this.otherId) || this.others()[0] || null;
    }

    otherTracks() {
      return this.otherId ? this.other()?.tracks || [] : [];
    }

    get canCompare() {
      if (!this.other()) return false;
      if (!this.otherId) this.setOther(this.other().node_id); // its sounds are fetched when they are first wanted
      return true;
    }

    setOther(nodeId) {
      this.otherId = nodeId;
      this.refresh();
    }

    // ---- bars ------------------------------------------------------------------------------------------------

    stepBar(direction) {
      const { grid } = engine;
      const frame = engine.positionFrame();
      if (!grid) return engine.seek(engine.positionS + direction * STEP_WITHOUT_GRID_S);
      engine.seekFrame(stepBar(grid, frame, direction, engine.sampleRateHz));
    }

    // Bars of the loop: 0 for the whole clip, null if it is none of the lengths on offer.
    loopBars() {
      if (!engine.region) return 0;
      const bars = engine.grid ? barsOf(engine.grid, engine.region) : null;
      return LOOP_LENGTHS.includes(bars) ? bars : null;
    }

    loopLengths() {
      return LOOP_LENGTHS.filter((bars) => !bars || (engine.grid && bars < engine.grid.numBars));
    }

    setLoopBars(bars) {
      const at = engine.region ? engine.region.start : engine.positionFrame();
      engine.setRegion(bars && engine.grid ? regionAround(engine.grid, at, bars) : null);
    }

    stepLoopLength(direction) {
      const lengths = this.loopLengths();
      const at = lengths.indexOf(this.loopBars() ?? 0) + direction;
      if (lengths[at] !== undefined) this.setLoopBars(lengths[at]);
    }

    changed() {
      this.dispatchEvent(new Event("change"));
    }
  }

  function done(turn) {
    return turn.variations.filter((variation) => variation.state === "done");
  }

  function candidateTrack(turn, variation) {
    return {
      track_id: variation.variation_id,
      mixer_id: `turn:${turn.turn_id}`,
      label: `${turn.title} ${variation.label}`,
      url: variation.url,
      hue: turn.hue,
    };
  }

  function engineTrack(track, role, compared) {
    const { track_id: id, url, mixer_id: mixerId } = track;
    return { id, url, role, mixerId, isCompared: compared.has(id) };
  }

  function mixersOf(views) {
    const mixer = (view) => ({
      gainDb: view.gain_db,
      pan: view.pan,
      isMuted: view.is_muted,
      isSolo: view.is_soloed,
    });
    return Object.fromEntries(Object.entries(views || {}).map(([id, view]) => [id, mixer(view)]));
  }

  if (!globalThis.stemStage) globalThis.stemStage = new Stage();
})();
