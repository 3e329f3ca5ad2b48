// The controls of live, with the moment at which they are heard.
(() => {
  const { el } = globalThis.stemDom;
  const SLIDERS = [
    { name: "density", label: "Density", step: 0.5, low: "sparse", high: "busy", limits: [-3, 3] },
    { name: "variation", label: "Variation", step: 0.25, low: "a bar or so", high: "all new" },
    { name: "temperature", label: "Temperature", step: 0.05, low: "tame", high: "wild", limits: [0.4, 1.6] },
    { name: "guidance", label: "Follow the mix", step: 0.25, low: "loosely", high: "closely", limits: [0, 4] },
    { name: "every", label: "New version every", step: 1, low: "loop", high: "8 loops", limits: [1, 8] },
  ];
  const SEND_AFTER_MS = 250; // of quiet

  function numberWords(name, value) {
    if (name === "variation") return `${Math.round(100 * value)} %`;
    if (name === "every") return value === 1 ? "loop" : `${value} loops`;
    return name === "density" && value > 0 ? `+${value}` : String(value);
  }

  // "You will hear it in about 9 s": a change is heard with the first version that is begun after it.
  function heardWords(sent, until) {
    if (!sent) return "Changes are heard with the next version that is begun.";
    const left = until(sent);
    return left > 0 ? `You will hear this change from loop ${sent + 1}, in ${left.toFixed(0)} s at the earliest.` : "";
  }

  function slider({ name, label, step, low, high, limits }, value, range, change) {
    const [min, max] = limits || range;
    const shown = el("output", {}, numberWords(name, value));
    const input = el("input", { type: "range", min, max, step, value, "data-control": name, "aria-label": label });
    input.addEventListener("input", () => {
      shown.textContent = numberWords(name, Number(input.value));
      input.setAttribute("aria-valuetext", shown.textContent);
      change(name, Number(input.value));
    });
    input.setAttribute("aria-valuetext", shown.textContent);
    const ends = el("span", { class: "ends", "aria-hidden": "true" }, el("span", {}, low), el("span", {}, high));
    return el("label", { class: "control" }, el("span", { class: "head" }, label, shown), input, ends);
  }

  function choice(label, name, genres, value, none, change) {
    const options = [["", none], ...genres.map((genre) => [genre.name, genre.label])];
    const select = el(
      "select",
      { "data-control": name, "aria-label": label },
      ...options.map(([key, words]) => el("option", { value: key, selected: key === (value || "") }, words)),
    );
    select.addEventListener("change", () => change(name, select.value || null));
    return el("label", { class: "control" }, el("span", { class: "head" }, label), select);
  }

  // send(controls): tells the server what changed.
  function build(box, offers, controls, send) {
    let changed = {};
    let timer = null;
    const change = (name, value) => {
      changed[name] = value;
      clearTimeout(timer);
      timer = setTimeout(() => {
        send(changed);
        changed = {};
      }, SEND_AFTER_MS);
    };
    const made = SLIDERS.map((entry) => slider(entry, controls[entry.name], offers.ranges[entry.name], change));
    if (offers.genres.length) {
      const morph = { name: "genre_morph", label: "Morph", step: 0.1, low: "first", high: "second" };
      made.push(
        choice("Genre", "genre", offers.genres, controls.genre, "Any", change),
        choice("Towards", "genre_to", offers.genres, controls.genre_to, "Stay", change),
        slider(morph, controls.genre_morph, offers.ranges.genre_morph, change),
      );
    }
    box.replaceChildren(...made);
  }

  globalThis.stemLiveControls = { build, heardWords, numberWords };
})();
