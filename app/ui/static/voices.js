// The voices that sound together: track id -> Voice, every one in its place of the run.
//
//   player  whose voices they are: {context, master, sampleRateHz, run, numFrames, wishesOf(id), stop()}
//
// What was handed over too late (handover.js) is out of its place; another voice is put there instead.
(() => {
  const { positionAt } = globalThis.stemTimeline;
  const { Voice } = globalThis.stemVoice;
  const { isInTime, SURE_S } = globalThis.stemHandover;

  const LEAD_S = 0.06; // time for the audio thread to take up a new source before it must sound
  const LONGEST_LEAD_S = 0.24; // on a page that was too late before

  class Voices extends Map {
    constructor(player) {
      super();
      this.player = player;
      this.leaving = new Set(); // they sound until a moment to come
    }

    // The first frame of the audio clock that a voice can be begun at.
    soonFrame(leadS = LEAD_S) {
      return Math.ceil((this.player.context.currentTime + leadS) * this.player.sampleRateHz);
    }

    // Whether all of a clip that does not loop has been heard by then, so that there is nothing to begin.
    isOver(atFrame) {
      const { run, numFrames } = this.player;
      return positionAt(run, atFrame, numFrames) >= numFrames;
    }

    // Lets a sound join at a frame; where the page has come too close to it meanwhile, as soon as may be.
    begin(id, buffer, atFrame, leadS = LEAD_S) {
      const { context, master, sampleRateHz, run, numFrames } = this.player;
      const { loop } = run;
      // The clock goes on while a script runs. A frame that was soon enough when it was asked for stays so while there
      // is time: what leaves on it would be gone before what comes.
      const startFrame = atFrame >= this.soonFrame(SURE_S) ? atFrame : this.soonFrame(leadS);
      if (this.isOver(startFrame)) return;
      const voice = new Voice(context, buffer, {
        startS: startFrame / sampleRateHz,
        offsetS: positionAt(run, startFrame, numFrames) / sampleRateHz,
        loop: loop && { startS: loop.start / sampleRateHz, endS: loop.end / sampleRateHz },
        pan: this.player.wishesOf(id)[0].pan,
        output: master,
        onended: () => this.ended(id, voice),
      });
      this.set(id, voice);
      this.follow(id);
      this.makeSure(id, voice, leadS);
    }

    // Puts another in place of a voice that may have begun too late. Where it has not, both are the same sound, and
    // nothing is heard of it. Each time there is more time, so that it ends on the slowest page.
    async makeSure(id, voice, leadS) {
      if ((await isInTime(this.player.context, voice.startS)) || this.get(id) !== voice) return;
      const longerS = Math.min(2 * leadS, LONGEST_LEAD_S);
      const atFrame = this.soonFrame(longerS);
      if (this.isOver(atFrame)) return; // it ends by itself
      this.end(id, atFrame);
      this.begin(id, voice.source.buffer, atFrame, longerS);
    }

    // Lets a voice sound as the player wishes, now and at moments to come.
    follow(id) {
      const { sampleRateHz } = this.player;
      this.get(id).follow(this.player.wishesOf(id).map((wish) => ({ ...wish, atS: wish.atFrame / sampleRateHz })));
    }

    followAll() {
      for (const id of this.keys()) this.follow(id);
    }

    // At a frame, or now if it is over; one that has not begun by then never does.
    end(id, atFrame) {
      this.leave(this.get(id), atFrame);
      this.delete(id);
    }

    // Those that were to sound on for a moment, too.
    endAll(atFrame) {
      for (const voice of this.leaving) this.leave(voice, atFrame);
      for (const id of [...this.keys()]) this.end(id, atFrame);
    }

    leave(voice, atFrame) {
      this.leaving.add(voice);
      voice.end(atFrame / this.player.sampleRateHz, () => this.leaving.delete(voice));
    }

    // A sound that does not loop is over.
    ended(id, voice) {
      if (this.get(id) !== voice) return;
      this.delete(id);
      if (!this.size) this.player.stop();
    }
  }

  globalThis.stemVoices = { Voices, LEAD_S };
})();
