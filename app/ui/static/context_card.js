// The card of a context: what was heard in it, how sure that is, and the means to put it right.
(() => {
  const { el, icon } = globalThis.stemDom;

  const PITCHES = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
  const KEYS = ["major", "minor"].flatMap((mode) => PITCHES.map((pitch) => `${pitch} ${mode}`));
  const METRES = [2, 3, 4, 5, 6, 7, 8, 9, 12];
  const NO_KEY = "none";
  const TAP_PAUSE_MS = 2500; // after such a pause a tap is the first of a new count
  const MIN_TAPS = 4;

  // ---- pure -----------------------------------------------------------------------------------------------------

  function sureness(confidence, isSaid) {
    if (isSaid) return "set by you";
    if (confidence >= 0.75) return "sure";
    return confidence >= 0.4 ? "likely" : "a guess";
  }

  // The tempo of taps at these times (ms), from the median distance, which one stray tap doesn't move; null if too few.
  function tappedTempo(times) {
    if (times.length < MIN_TAPS) return null;
    const gaps = times.slice(1).map((time, at) => time - times[at]);
    gaps.sort((one, other) => one - other);
    const middle = Math.floor(gaps.length / 2);
    const median = gaps.length % 2 ? gaps[middle] : (gaps[middle - 1] + gaps[middle]) / 2;
    return Math.round(600000 / median) / 10;
  }

  function addTap(times, now) {
    const isNewCount = !times.length || now - times[times.length - 1] > TAP_PAUSE_MS;
    return isNewCount ? [now] : [...times.slice(-15), now];
  }

  function facts(analysis) {
    const { confidence, said } = analysis;
    const fact = (name, value) => ({ name, value, sure: sureness(confidence[name], name in said) });
    const shown = [];
    if (analysis.tempo_bpm) {
      shown.push(fact("tempo_bpm", `${Number(analysis.tempo_bpm.toFixed(1))} BPM`));
      shown.push(fact("beats_per_bar", `${analysis.beats_per_bar}/4`));
      shown.push({
        name: "num_bars",
        value: `${analysis.num_bars} ${analysis.num_bars === 1 ? "bar" : "bars"}`,
        sure: "",
      });
      shown.push(fact("first_downbeat_s", `first downbeat ${Number(analysis.first_downbeat_s.toFixed(2))} s`));
    } else {
      shown.push({ name: "tempo_bpm", value: "no tempo heard", sure: "" });
    }
    if (analysis.key) shown.push(fact("key", analysis.key));
    else shown.push({ name: "key", value: "key" in said ? "no key" : "no key heard", sure: "" });
    return shown;
  }

  // ---- elements -------------------------------------------------------------------------------------------------

  // actions: {correct(data), extend(data)}; engine: where the playhead is; waveform: draws the sound.
  function contextCard(context, { actions, engine, waveform }) {
    const wave = waveform(engine, context.url, { role: "img", "aria-label": `Waveform of ${context.label}` });
    const head = el("header", {});
    const row = el("div", { class: "facts" });
    const panel = el("div", { class: "fix-panel", hidden: true });
    const card = el("article", { class: "card context-card", "aria-label": context.label }, head, wave, row, panel);
    const parts = { card, head, row, panel, actions, engine, isOpen: false, taps: [] };
    card.update = (latest) => {
      const stamp = JSON.stringify(latest);
      if (parts.stamp === stamp) return;
      parts.stamp = stamp;
      parts.context = latest;
      showContext(parts);
    };
    card.update(context);
    return card;
  }

  function showContext(parts) {
    const { context, actions } = parts;
    const twice = el(
      "button",
      {
        type: "button",
        class: "text-button",
        title: `Repeat ${context.open_label}, so that the second half can be changed`,
        onclick: () => actions.extend({ node_id: context.open_node_id }),
      },
      "Twice as long",
    );
    parts.head.replaceChildren(
      el("h3", {}, context.label),
      el("span", { class: "quiet" }, context.summary),
      el("span", { class: "spacer" }),
      twice,
    );
    showFacts(parts);
    if (parts.isOpen) showPanel(parts);
  }

  function showFacts(parts) {
    const { context, row } = parts;
    const { analysis } = context;
    const fix = el(
      "button",
      {
        type: "button",
        class: "text-button fix",
        "aria-expanded": String(parts.isOpen),
        onclick: () => flipPanel(parts),
      },
      analysis ? "Put right" : "Listen for tempo and key",
    );
    if (!analysis) return row.replaceChildren(fix);
    const chips = facts(analysis).map(({ name, value, sure }) =>
      el(
        "span",
        { class: "fact", "data-fact": name },
        el("b", {}, value),
        sure ? el("span", { class: "quiet" }, ` ${sure}`) : null,
      ),
    );
    const quick = analysis.tempo_bpm
      ? [scaled(parts, 0.5, "½×", "Half the tempo"), scaled(parts, 2, "2×", "Double the tempo")]
      : [];
    row.replaceChildren(...chips, el("span", { class: "quick" }, ...quick, fix));
  }

  function scaled(parts, factor, label, title) {
    const tempo = parts.context.analysis.tempo_bpm * factor;
    const isPossible = tempo >= 30 && tempo <= 300;
    return small(label, title, () => correct(parts, { tempo_bpm: tempo }), { disabled: !isPossible });
  }

  function small(label, title, onclick, attributes) {
    return el("button", { type: "button", class: "small", title, "aria-label": title, onclick, ...attributes }, label);
  }

  function correct(parts, changes) {
    parts.actions.correct({ node_id: parts.context.node_id, changes });
  }

  function flipPanel(parts) {
    if (!parts.context.analysis) return correct(parts, {});
    parts.isOpen = !parts.isOpen;
    showFacts(parts);
    showPanel(parts);
  }

  function showPanel(parts) {
    const { panel, context } = parts;
    panel.hidden = !parts.isOpen;
    if (!parts.isOpen) return panel.replaceChildren();
    const { analysis } = context;
    panel.replaceChildren(
      field("Tempo, BPM", tempoInput(parts), tapButton(parts)),
      field("Beats per bar", metreSelect(parts)),
      field("Key", keySelect(parts)),
      field("First downbeat, seconds", downbeatInput(parts), hereButton(parts)),
      el(
        "p",
        { class: "quiet" },
        "This moves the bar grid and the bars you can make anew. The model goes by the sound itself.",
      ),
      analysis.is_edited
        ? el(
            "button",
            { type: "button", class: "text-button", onclick: () => takeBack(parts) },
            icon("retry"),
            "Back to what was heard",
          )
        : "",
    );
  }

  function field(label, ...controls) {
    return el(
      "label",
      { class: "field" },
      el("span", { class: "quiet" }, label),
      el("span", { class: "controls" }, ...controls),
    );
  }

  function number(value, attributes, onValue) {
    const input = el("input", { type: "number", value: value ?? "", ...attributes });
    input.addEventListener("change", () => {
      if (input.value !== "") onValue(Number(input.value));
    });
    return input;
  }

  function tempoInput(parts) {
    const tempo = parts.context.analysis.tempo_bpm;
    const shown = tempo ? Number(tempo.toFixed(2)) : "";
    return number(shown, { min: 30, max: 300, step: "any", class: "tempo" }, (value) =>
      correct(parts, { tempo_bpm: value }),
    );
  }

  function tapButton(parts) {
    const button = small("Tap", "Tap the beat here, four times or more", () => {
      parts.taps = addTap(parts.taps, performance.now());
      const tempo = tappedTempo(parts.taps);
      button.textContent = tempo ? `${tempo}` : `Tap ${MIN_TAPS - parts.taps.length} more`;
      clearTimeout(parts.tapTimer);
      parts.tapTimer = setTimeout(() => {
        parts.taps = [];
        button.textContent = "Tap";
        if (tempo >= 30 && tempo <= 300) correct(parts, { tempo_bpm: tempo });
      }, 1200);
    });
    button.classList.add("tap");
    return button;
  }

  function select(options, chosen, onValue) {
    const node = el(
      "select",
      {},
      ...options.map(([value, label]) => el("option", { value, selected: value === chosen }, label)),
    );
    node.addEventListener("change", () => onValue(node.value));
    return node;
  }

  function metreSelect(parts) {
    const options = METRES.map((beats) => [String(beats), String(beats)]);
    const chosen = String(parts.context.analysis.beats_per_bar ?? "");
    const first = parts.context.analysis.beats_per_bar ? [] : [["", "not known"]];
    return select([...first, ...options], chosen, (value) => value && correct(parts, { beats_per_bar: Number(value) }));
  }

  function keySelect(parts) {
    const options = [[NO_KEY, "none"], ...KEYS.map((key) => [key, key])];
    return select(options, parts.context.analysis.key ?? NO_KEY, (value) => correct(parts, { key: value }));
  }

  function downbeatInput(parts) {
    const { analysis, duration_s: max } = parts.context;
    const shown = analysis.first_downbeat_s === null ? "" : Number(analysis.first_downbeat_s.toFixed(3));
    return number(shown, { min: 0, max, step: "any", class: "downbeat" }, (value) =>
      correct(parts, { first_downbeat_s: value }),
    );
  }

  function hereButton(parts) {
    return small("At the playhead", "Put the first downbeat where the playhead stands", () => {
      const max = parts.context.duration_s;
      correct(parts, { first_downbeat_s: Math.min(max, Math.max(0, parts.engine.positionS)) });
    });
  }

  function takeBack(parts) {
    correct(parts, { tempo_bpm: null, beats_per_bar: null, first_downbeat_s: null, key: null });
  }

  globalThis.stemContextCard = { contextCard, sureness, tappedTempo, addTap, facts };
})();
