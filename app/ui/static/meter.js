// The master meter: two sides, falling slowly, with a light that stays on after clipping until it is clicked.
(() => {
  const { meterFill } = globalThis.stemMixing;
  const FALL_PER_FRAME = 0.018; // of the meter's length

  function build(element) {
    const bars = [...element.querySelectorAll(".side")];
    const shown = [0, 0];
    element.addEventListener("click", () => element.classList.remove("is-clipped"));
    return {
      show(peaks) {
        peaks.forEach((peak, side) => {
          const level = Math.max(meterFill(peak), shown[side] - FALL_PER_FRAME);
          if (level === shown[side]) return;
          shown[side] = level;
          bars[side].style.transform = `scaleX(${Math.max(0, level)})`;
          if (peak > 1) element.classList.add("is-clipped");
        });
      },
    };
  }

  globalThis.stemMeter = { build };
})();
