// The sounds of the page: fetched once, decoded at the clip's own rate, and forgotten when they grow too many.
(() => {
  const MAX_DECODED_BYTES = 256e6; // of sounds kept decoded; what is on stage is kept in any case
  const KEY_HEADER = "X-StemGen-Browser";

  class SoundLibrary {
    constructor() {
      this.entries = new Map(); // url -> {promise, buffer}; oldest first
      this.sampleRateHz = 44100;
      this.mediaKey = "";
    }

    setRate(sampleRateHz) {
      if (sampleRateHz === this.sampleRateHz) return;
      this.sampleRateHz = sampleRateHz;
      this.entries.clear(); // they were decoded at the other rate
    }

    // Resolves to the decoded sound; rejects if the server does not give it, and the next call tries again.
    load(url) {
      const known = this.entries.get(url);
      if (known) {
        this.entries.delete(url); // to the young end
        this.entries.set(url, known);
        return known.promise;
      }
      const entry = { buffer: null, promise: null };
      entry.promise = this.fetch(url).then(
        (buffer) => {
          entry.buffer = buffer;
          return buffer;
        },
        (error) => {
          if (this.entries.get(url) === entry) this.entries.delete(url);
          throw error;
        },
      );
      this.entries.set(url, entry);
      return entry.promise;
    }

    async fetch(url) {
      const answer = await fetch(url, { headers: { [KEY_HEADER]: this.mediaKey } });
      if (!answer.ok) throw new Error(`The server answered ${answer.status} for this sound.`);
      // An offline context decodes at the clip's own rate and needs no click to be allowed.
      const decoder = new OfflineAudioContext(1, 1, this.sampleRateHz);
      return decoder.decodeAudioData(await answer.arrayBuffer());
    }

    decoded(url) {
      return this.entries.get(url)?.buffer || null;
    }

    get decodedBytes() {
      return [...this.entries.values()].reduce((sum, entry) => sum + bytesOf(entry), 0);
    }

    // Forgets the sounds that were wanted longest ago until the rest is small enough.
    prune(urlsOnStage) {
      let total = this.decodedBytes;
      for (const [url, entry] of [...this.entries]) {
        if (total <= MAX_DECODED_BYTES) return;
        if (urlsOnStage.has(url) || !entry.buffer) continue;
        total -= bytesOf(entry);
        this.entries.delete(url);
      }
    }
  }

  function bytesOf({ buffer }) {
    return buffer ? 4 * buffer.length * buffer.numberOfChannels : 0;
  }

  globalThis.stemLibrary = { SoundLibrary, MAX_DECODED_BYTES };
})();
