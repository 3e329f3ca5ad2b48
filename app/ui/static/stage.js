// What is on stage: joins the dock's view (the node we stand on) with the feed's view (the variations made on it),
// tells the engine which sounds exist, and remembers which variation is being tried in the mix.
(function () {
  "use strict";

  const engine = window.stemEngine;

  class Stage extends EventTarget {
    constructor() {
      super();
      this.dock = null; // last value of the player dock
      this.feed = null; // last value of the feed
      this.turnId = null; // the turn whose variations are being tried
      this.wanted = null; // variation to try as soon as its node is on stage
    }

    setDock(view) {
      const isElsewhere = !this.dock || !view || this.dock.node_id !== view.node_id;
      this.dock = view && view.node_id ? view : null;
      if (isElsewhere) this.leaveNode();
      this.refresh();
    }

    setFeed(view) {
      this.feed = view;
      this.refresh();
    }

    leaveNode() {
      engine.candidateId = null; // gains follow with the new scene
      if (!this.wanted) this.turnId = null;
    }

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

    refresh() {
      if (!this.dock) {
        engine.stop();
        engine.setScene({ tracks: [], numFrames: 0, sampleRateHz: engine.sampleRateHz, mediaKey: "" });
        return this.changed();
      }
      engine.setScene({
        tracks: [...this.dock.tracks.map(mixTrack), ...this.candidateTracks()],
        numFrames: this.dock.num_frames,
        sampleRateHz: this.dock.sample_rate_hz,
        mediaKey: this.dock.media_key,
      });
      this.tryWanted();
      this.changed();
    }

    candidateTracks() {
      const turn = this.turn();
      const inMix = new Set(this.dock.tracks.map((track) => track.track_id));
      return this.candidates()
        .filter((variation) => !inMix.has(variation.variation_id))
        .map((variation) => ({
          id: variation.variation_id,
          url: variation.url,
          role: "candidate",
          mixerId: turn.turn_id,
        }));
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
      const isFresh = turn && turn.is_active && turn.turn_id !== this.autoTried;
      if (isFresh && engine.isPlaying && !engine.candidateId && ids.length) {
        this.autoTried = turn.turn_id;
        engine.setCandidate(ids[0]);
      }
    }

    // Tries a variation in the mix; one that is being tried is put away again if `isToggle`.
    // True if its node is on stage; otherwise the caller asks the server to go there.
    audition(turn, variationId, isToggle) {
      this.turnId = turn.turn_id;
      if (this.dock && this.dock.node_id === turn.parent_id) {
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

    changed() {
      this.dispatchEvent(new Event("change"));
    }
  }

  function done(turn) {
    return turn.variations.filter((variation) => variation.state === "done");
  }

  function mixTrack(track) {
    return { id: track.track_id, url: track.url, role: "mix", mixerId: track.mixer_id };
  }

  if (!window.stemStage) window.stemStage = new Stage();
})();
