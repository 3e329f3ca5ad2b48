// Runs in the audio thread: hands every block of the microphone on, with the frame of the clock that it began at.
class Recorder extends AudioWorkletProcessor {
  process(inputs) {
    const [channels] = inputs;
    if (channels.length) {
      const block = new Float32Array(channels[0].length);
      for (const channel of channels) for (let at = 0; at < block.length; at += 1) block[at] += channel[at];
      for (let at = 0; at < block.length; at += 1) block[at] /= channels.length;
      this.port.postMessage({ frame: currentFrame, block }, [block.buffer]);
    }
    return true;
  }
}

registerProcessor("stem-recorder", Recorder);
