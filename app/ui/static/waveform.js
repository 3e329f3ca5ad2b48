// Drawing a decoded sound on a canvas.
(function () {
  "use strict";

  const peaksOf = new WeakMap(); // AudioBuffer -> Map(number of columns -> peaks)

  function peaks(buffer, numColumns) {
    const known = peaksOf.get(buffer) || new Map();
    peaksOf.set(buffer, known);
    if (!known.has(numColumns)) known.set(numColumns, measure(buffer, numColumns));
    return known.get(numColumns);
  }

  // The largest magnitude of each column over all channels.
  function measure(buffer, numColumns) {
    const columns = new Float32Array(numColumns);
    for (let channel = 0; channel < buffer.numberOfChannels; channel += 1) {
      const samples = buffer.getChannelData(channel);
      for (let at = 0; at < samples.length; at += 1) {
        const column = Math.min(numColumns - 1, Math.floor((at * numColumns) / samples.length));
        const size = Math.abs(samples[at]);
        if (size > columns[column]) columns[column] = size;
      }
    }
    return columns;
  }

  // Bars of 2 px with a gap of 1 px, centred; an empty canvas gets its rest line.
  function draw(canvas, buffer, colour) {
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height) return;
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.fillStyle = getComputedStyle(canvas).getPropertyValue("color") || colour;
    const numColumns = Math.floor(width / 3);
    const sizes = buffer ? peaks(buffer, numColumns) : new Float32Array(numColumns);
    sizes.forEach((size, at) => {
      // The square root shows quiet playing, which a linear scale would flatten.
      const bar = Math.max(1, Math.sqrt(size) * (height - 2));
      pen.fillRect(3 * at, (height - bar) / 2, 2, bar);
    });
  }

  // A canvas that draws itself when its sound is decoded, when its size changes and when the theme does.
  function waveform(engine, url, attributes) {
    const canvas = window.stemDom.el("canvas", { class: "wave", ...attributes });
    const paint = () => draw(canvas, engine.decoded(url));
    new ResizeObserver(paint).observe(canvas);
    canvas.paint = paint;
    engine.addEventListener("buffer", function onBuffer(event) {
      if (event.detail.url !== url) return;
      paint();
      if (!canvas.isConnected) engine.removeEventListener("buffer", onBuffer);
    });
    return canvas;
  }

  window.stemWaveform = { waveform, draw };
})();
