// Drawing a decoded sound on a canvas.
(() => {
  const NUM_PEAKS = 1200; // more than the widest lane has bars
  const RETRY_MS = 300;
  const known = new Map(); // url -> peaks; small, so that sounds may be forgotten and their pictures stay

  function peaks(engine, url) {
    const buffer = engine.decoded(url);
    if (buffer && !known.has(url)) known.set(url, measure(buffer, NUM_PEAKS));
    return known.get(url) || null;
  }

  // The largest magnitude of each column over all channels.
  function measure(buffer, numColumns) {
    const columns = new Float32Array(numColumns);
    for (let channel = 0; channel < buffer.numberOfChannels; channel += 1) {
      const samples = buffer.getChannelData(channel);
      for (let at = 0; at < samples.length; at += 1) {
        const column = Math.floor((at * numColumns) / samples.length);
        const size = Math.abs(samples[at]);
        if (size > columns[column]) columns[column] = size;
      }
    }
    return columns;
  }

  // Fewer columns from many, each the largest of those it stands for.
  function thin(columns, numColumns) {
    const thinned = new Float32Array(numColumns);
    columns.forEach((size, at) => {
      const column = Math.floor((at * numColumns) / columns.length);
      if (size > thinned[column]) thinned[column] = size;
    });
    return thinned;
  }

  // Bars of 2 px with a gap of 1 px, centred; without a sound yet, its rest line.
  function draw(canvas, columns) {
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height) return;
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.fillStyle = getComputedStyle(canvas).color;
    const numBars = Math.min(NUM_PEAKS, Math.floor(width / 3));
    const sizes = columns ? thin(columns, numBars) : new Float32Array(numBars);
    sizes.forEach((size, at) => {
      // The square root shows quiet playing, which a linear scale would flatten.
      const bar = Math.max(1, Math.sqrt(Math.min(1, size)) * (height - 2));
      pen.fillRect(3 * at, (height - bar) / 2, 2, bar);
    });
  }

  // A canvas that draws itself when its sound is decoded and when its size changes. A sound that nobody has played yet
  // is fetched when its canvas comes into view.
  function waveform(engine, url, attributes) {
    const canvas = globalThis.stemDom.el("canvas", { class: "wave", ...attributes });
    const paint = () => draw(canvas, peaks(engine, url));
    new ResizeObserver(paint).observe(canvas);
    engine.addEventListener("buffer", function onBuffer(event) {
      if (event.detail.url !== url) return;
      engine.removeEventListener("buffer", onBuffer);
      paint();
    });
    globalThis.addEventListener("appearance", function onAppearance() {
      if (canvas.isConnected) paint();
      else globalThis.removeEventListener("appearance", onAppearance);
    });
    whenSeen(canvas, () => {
      if (peaks(engine, url)) return true;
      if (!engine.mediaKey) return false; // the dock has not told it yet
      engine.buffer(url).then(paint, () => draw(canvas, null)); // a lost sound is told about when it is to be played
      return true;
    });
    return canvas;
  }

  // Calls `act` when the canvas comes into view, again a little later for as long as it returns false.
  function whenSeen(canvas, act) {
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      if (!act()) setTimeout(() => observer.observe(canvas), RETRY_MS);
    });
    observer.observe(canvas);
  }

  globalThis.stemWaveform = { waveform, draw };
})();
