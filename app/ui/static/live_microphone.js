// The microphone of live: blocks of sound go up a WebSocket, each with the frame of the music at which it was played.
(() => {
  const BLOCK_FRAMES = 4096;
  const WORKLET = `registerProcessor("live-microphone", class extends AudioWorkletProcessor {
    process([input]) {
      const frame = Math.max(currentFrame, this.nextFrame || 0); // told late at times, see recorder_worklet.js
      this.nextFrame = frame + 128;
      if (input[0]) this.port.postMessage({ frame, samples: input[0].slice() });
      return true;
    }
  });`;

  class LiveMicrophone {
    constructor(engine) {
      this.engine = engine;
      this.stream = null;
      this.socket = null;
      this.prepared = null; // the context that has the worklet
    }

    get isOpen() {
      return this.stream !== null;
    }

    // To be called before anything plays: where a context got its first worklet meanwhile, what sounded was at times some
    // blocks behind what began later (likely since Chromium then restarts rendering on another thread).
    async prepare() {
      const { context } = this.engine;
      if (this.prepared === context || !context.audioWorklet) return; // a page without https has no worklets
      const url = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
      try {
        await context.audioWorklet.addModule(url);
      } finally {
        URL.revokeObjectURL(url);
      }
      this.prepared = context;
    }

    // Rejects with words where the browser does not allow it.
    async open(jamId, key) {
      if (!navigator.mediaDevices) throw new Error("This browser gives no microphone to this page (it needs https).");
      try {
        this.stream = await navigator.mediaDevices.getUserMedia({
          audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
        });
      } catch {
        throw new Error("The browser did not allow the microphone.");
      }
      await this.prepare();
      const { context } = this.engine;
      this.source = context.createMediaStreamSource(this.stream);
      this.node = new AudioWorkletNode(context, "live-microphone", { outputChannelCount: [1], channelCount: 1 });
      this.node.connect(context.destination); // silent; of what leads nowhere a busy machine leaves out blocks
      const scheme = location.protocol === "https:" ? "wss" : "ws";
      this.socket = new WebSocket(`${scheme}://${location.host}/live/${jamId}/microphone`);
      const { socket } = this;
      socket.addEventListener("open", () => socket.send(key));
      this.block = new Int16Array(BLOCK_FRAMES);
      this.filled = 0;
      this.node.port.onmessage = ({ data }) => this.take(data);
      this.source.connect(this.node);
    }

    take({ frame, samples }) {
      if (!this.engine.clock || this.socket?.readyState !== WebSocket.OPEN) return; // closed with a block under way
      if (!this.filled) this.atFrame = frame;
      for (const sample of samples) {
        this.block[this.filled] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
        this.filled += 1;
      }
      if (this.filled < BLOCK_FRAMES) return;
      this.filled = 0;
      const message = new ArrayBuffer(8 + 2 * BLOCK_FRAMES);
      // People play to what they hear, which left the engine earlier, and what they play takes its time to get in.
      const { context, clock } = this.engine;
      const delay = Math.round(((context.outputLatency || 0) + (context.baseLatency || 0)) * clock.sampleRateHz);
      const place = this.atFrame - clock.startFrame - delay;
      new DataView(message).setBigInt64(0, BigInt(place), true);
      new Int16Array(message, 8).set(this.block);
      this.socket.send(message);
    }

    close() {
      for (const track of this.stream?.getTracks() || []) track.stop();
      this.source?.disconnect();
      this.node?.disconnect();
      this.socket?.close();
      this.stream = null;
      this.socket = null;
    }
  }

  globalThis.stemLiveMicrophone = { LiveMicrophone, WORKLET };
})();
