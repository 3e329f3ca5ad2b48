// What a recording is made of, apart from the microphone: beats counted in, samples cut, a WAV file. Pure functions.
(() => {
  const PEAK_COLUMNS = 600;

  // Where the clicks of a count-in fall and where the first beat after it does, in frames of the audio clock.
  function countIn({ startFrame, bpm, beatsPerBar, numBars, sampleRateHz }) {
    const beat = (60 / bpm) * sampleRateHz;
    const numBeats = beatsPerBar * numBars;
    const clicks = Array.from({ length: numBeats }, (_, at) => ({
      frame: Math.round(startFrame + at * beat),
      isFirst: at % beatsPerBar === 0,
      word: (at % beatsPerBar) + 1,
    }));
    return { clicks, downbeatFrame: Math.round(startFrame + numBeats * beat) };
  }

  // Of a block that came in at `blockFrame`, what was played from `fromFrame` on; null if nothing.
  function since(block, blockFrame, fromFrame) {
    const skip = Math.max(0, fromFrame - blockFrame);
    return skip < block.length ? block.subarray(skip) : null;
  }

  function join(blocks) {
    const samples = new Float32Array(blocks.reduce((length, block) => length + block.length, 0));
    let at = 0;
    for (const block of blocks) {
      samples.set(block, at);
      at += block.length;
    }
    return samples;
  }

  function peaks(samples) {
    const columns = new Float32Array(PEAK_COLUMNS);
    for (let at = 0; at < samples.length; at += 1) {
      const column = Math.floor((at * PEAK_COLUMNS) / samples.length);
      const size = Math.abs(samples[at]);
      if (size > columns[column]) columns[column] = size;
    }
    return columns;
  }

  // The cut moved so that it holds whole bars, counted from the first beat: at least one. Null where none fits.
  function wholeBars({ startS, endS, durationS, barS }) {
    const first = Math.round(startS / barS) * barS;
    const numBars = Math.min(
      Math.max(1, Math.round((endS - first) / barS)),
      Math.floor((durationS - first) / barS + 1e-6),
    );
    return numBars < 1 ? null : { startS: first, endS: Math.min(durationS, first + numBars * barS) };
  }

  // Where the first bar line lies in a recording that was cut off its first `startS` seconds.
  function firstDownbeat(startS, barS) {
    const past = startS % barS;
    return past < 1e-6 || barS - past < 1e-6 ? 0 : barS - past;
  }

  // Mono, 16 bits: what microphones have.
  function wavOf(samples, sampleRateHz) {
    const bytes = new DataView(new ArrayBuffer(44 + 2 * samples.length));
    const text = (at, words) => {
      for (let index = 0; index < words.length; index += 1) bytes.setUint8(at + index, words.charCodeAt(index));
    };
    text(0, "RIFF");
    bytes.setUint32(4, 36 + 2 * samples.length, true);
    text(8, "WAVEfmt ");
    bytes.setUint32(16, 16, true);
    bytes.setUint16(20, 1, true); // PCM
    bytes.setUint16(22, 1, true); // channels
    bytes.setUint32(24, sampleRateHz, true);
    bytes.setUint32(28, 2 * sampleRateHz, true);
    bytes.setUint16(32, 2, true);
    bytes.setUint16(34, 16, true);
    text(36, "data");
    bytes.setUint32(40, 2 * samples.length, true);
    samples.forEach((sample, at) => {
      bytes.setInt16(44 + 2 * at, Math.round(32767 * Math.max(-1, Math.min(1, sample))), true);
    });
    return bytes.buffer;
  }

  globalThis.stemRecording = { countIn, since, join, peaks, wholeBars, firstDownbeat, wavOf };
})();
