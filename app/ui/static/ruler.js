// The bar numbers above the lanes: click to go there, drag to loop the bars passed over.
(() => {
  const { el } = globalThis.stemDom;
  const { barLines, countAt, regionBetween } = globalThis.stemTimeline;
  const DRAG_PX = 5; // less is a click
  const MIN_LABEL_PX = 34;

  function build(engine) {
    const marks = el("div", { class: "marks", "aria-hidden": "true" });
    const region = el("div", { class: "region", "aria-hidden": "true" });
    const ruler = el(
      "div",
      {
        class: "ruler",
        role: "slider",
        tabindex: 0,
        "aria-label": "Position",
        "aria-valuemin": 0,
        title: "Click to go there, drag to loop these bars",
      },
      region,
      marks,
    );
    let drawn = "";

    function draw() {
      const { grid, numFrames } = engine;
      const width = ruler.clientWidth;
      const stamp = `${JSON.stringify(grid)} ${numFrames} ${width}`;
      if (stamp === drawn || !width) return;
      drawn = stamp;
      const lines = grid ? barLines(grid) : [];
      const every = 2 ** Math.max(0, Math.ceil(Math.log2((MIN_LABEL_PX * lines.length) / width)));
      marks.replaceChildren(
        ...lines.map(({ bar, frame }) =>
          el(
            "span",
            { class: `mark${(bar - 1) % every ? " is-minor" : ""}`, style: { left: `${(100 * frame) / numFrames}%` } },
            (bar - 1) % every ? "" : String(bar),
          ),
        ),
      );
    }

    function showRegion(shown) {
      region.hidden = !shown;
      if (!shown) return;
      region.style.left = `${(100 * shown.start) / engine.numFrames}%`;
      region.style.width = `${(100 * (shown.end - shown.start)) / engine.numFrames}%`;
      region.classList.toggle("is-off", !engine.isLooping);
    }

    function frameAt(event) {
      const box = ruler.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      return Math.min(engine.numFrames - 1, share * engine.numFrames);
    }

    ruler.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !engine.numFrames) return;
      const from = { frame: frameAt(event), x: event.clientX };
      let selected = null;
      ruler.setPointerCapture(event.pointerId);
      const move = (moved) => {
        if (!selected && Math.abs(moved.clientX - from.x) < DRAG_PX) return;
        selected = regionBetween(engine.grid, from.frame, frameAt(moved), engine);
        showRegion(selected);
      };
      const up = () => {
        ruler.removeEventListener("pointermove", move);
        if (selected) engine.setRegion(selected);
        else engine.seekFrame(Math.round(from.frame));
      };
      ruler.addEventListener("pointermove", move);
      ruler.addEventListener("pointerup", up, { once: true });
    });
    ruler.addEventListener("dblclick", () => engine.setRegion(null));
    ruler.addEventListener("keydown", (event) => {
      const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!direction) return;
      event.preventDefault();
      event.stopPropagation(); // keys.js would step once more
      globalThis.stemStage.stepBar(direction);
    });
    new ResizeObserver(draw).observe(ruler);

    // Where we are, in words, for those who don't see it.
    function tell() {
      ruler.setAttribute("aria-valuemax", engine.durationS.toFixed(1));
      ruler.setAttribute("aria-valuenow", engine.positionS.toFixed(1));
      ruler.setAttribute("aria-valuetext", positionWords(engine));
    }

    return {
      element: ruler,
      render() {
        draw();
        showRegion(engine.region);
        tell();
      },
    };
  }

  function positionWords(engine) {
    const seconds = `${engine.positionS.toFixed(1)} seconds`;
    if (!engine.grid) return seconds;
    const { bar, beat } = countAt(engine.grid, engine.positionFrame());
    return `bar ${bar}, beat ${beat}, ${seconds}`;
  }

  globalThis.stemRuler = { build };
})();
