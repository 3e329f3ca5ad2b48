// The way to the server: a jam is opened, told a few times a second where the music is, and what people do. Every answer
// is the whole jam, so nothing can be lost on the way.
(() => {
  const KEY_HEADER = "X-StemGen-Browser";
  const BEAT_MS = 400;

  class LiveLink extends EventTarget {
    constructor() {
      super();
      this.key = "";
      this.jam = null; // last answer
      this.timer = null;
      this.isBeating = false;
      this.sounds = new Map(); // version id -> {promise, buffer}
    }

    async ask(path, said, options) {
      const isQuestion = said === undefined;
      const answer = await fetch(`/live${path}`, {
        method: isQuestion ? "GET" : "POST",
        headers: { [KEY_HEADER]: this.key, "Content-Type": "application/json" },
        body: isQuestion ? undefined : JSON.stringify(said),
        ...options,
      });
      if (answer.ok) return answer;
      const error = new Error(answer.status >= 500 ? "The server did not answer." : await answer.text());
      error.status = answer.status;
      throw error;
    }

    async offers() {
      return (await this.ask("/offers")).json();
    }

    async open(start) {
      this.jam = await (await this.ask("", start)).json();
      this.sounds.clear();
      return this.jam;
    }

    // where: returns {loop, position_s, sounding, gains_db}, or null if nothing plays.
    follow(where) {
      this.where = where;
      this.timer = setInterval(() => this.beat(), BEAT_MS);
    }

    async beat() {
      const said = this.where();
      if (!said || this.isBeating || !this.jam) return;
      this.isBeating = true;
      try {
        await this.tell("/beat", said);
      } catch (error) {
        // Out of reach, the loops go round; a jam that is over is over.
        if (error.status === 422) this.dispatchEvent(new CustomEvent("over", { detail: error.message }));
      } finally {
        this.isBeating = false;
      }
    }

    async tell(path, said) {
      const jamId = this.jam.id;
      const jam = await (await this.ask(`/${jamId}${path}`, said)).json();
      if (this.jam?.id !== jamId) return;
      this.jam = jam;
      this.dispatchEvent(new Event("change"));
    }

    // what: one of the things that people do; errors come back as words.
    async do(what, more) {
      if (!this.jam) return;
      try {
        await this.tell("/do", { what, ...more });
      } catch (error) {
        this.dispatchEvent(new CustomEvent("refused", { detail: error.message }));
      }
    }

    // The decoded sound of a version; the same promise however often it is asked for.
    sound({ version_id: id, url }) {
      let entry = this.sounds.get(id);
      if (!entry) {
        entry = { buffer: null, promise: this.fetchSound(url) };
        entry.promise.then(
          (buffer) => {
            entry.buffer = buffer;
          },
          () => this.sounds.delete(id),
        );
        this.sounds.set(id, entry);
        for (const old of [...this.sounds.keys()].slice(0, -40)) this.sounds.delete(old);
      }
      return entry;
    }

    async fetchSound(url) {
      const answer = await fetch(url, { headers: { [KEY_HEADER]: this.key } });
      if (!answer.ok) throw new Error(`The server answered ${answer.status} for this sound.`);
      const decoder = new OfflineAudioContext(1, 1, this.jam.sample_rate_hz);
      return decoder.decodeAudioData(await answer.arrayBuffer());
    }

    async leave() {
      clearInterval(this.timer);
      const { jam } = this;
      this.jam = null;
      if (!jam) return null;
      try {
        return await (await this.ask(`/${jam.id}/leave`, {}, { keepalive: true })).json();
      } catch {
        return { session_id: jam.session_id }; // it ends by itself when no beats come
      }
    }
  }

  globalThis.stemLiveLink = { LiveLink, KEY_HEADER };
})();
