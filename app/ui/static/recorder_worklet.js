// Runs in the audio thread: hands every block of the microphone on, with the frame of the clock that it began at.
class Recorder extends AudioWorkletProcessor {
  process(inputs) {
    const [channels] = inputs;
    // Chromium tells the clock late, never early, where the page holds the audio graph's lock: a block begins no sooner
    // than the one before ended.
    const frame = Math.max(currentFrame, this.nextFrame || 0);
    this.nextFrame = frame + 128;
    if (channels.length) {
      const block = new Float32Array(channels[0].length);
      for (const channel of channels) for (let at = 0; at < block.length; at += 1) block[at] += channel[at];
      for (let at = 0; at < block.length; at += 1) block[at] /= channels.length;
      this.port.postMessage({ frame, block }, [block.buffer]);
    }
    return true;
  }
}

registerProcessor("stem-recorder", Recorder);
