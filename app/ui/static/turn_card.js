// The card of a turn: what was asked for, its variations as they arrive, and what can be done with each.
(() => {
  const { el, icon, button, remaining, hue, keyed } = globalThis.stemDom;

  const FIT_LABELS = { good: "in sync", fair: "fair fit", poor: "poor fit", silent: "silent" };
  const NUM_REVISED = 2; // variations of a new part
  const COPIED_MS = 1500;

  // ---- pure -----------------------------------------------------------------------------------------------------

  // The variations in the order in which they are shown: as they arrive by letter, once all are there best first.
  function shownOrder(turn) {
    if (turn.is_active) return turn.variations;
    const place = (variation) => variation.rank ?? turn.variations.length + turn.variations.indexOf(variation);
    return [...turn.variations].sort((one, other) => place(one) - place(other));
  }

  function isBest(turn, variation) {
    const done = turn.variations.filter((one) => one.state === "done");
    const isGood = variation.fit && ["good", "fair"].includes(variation.fit.verdict);
    return Boolean(!turn.is_active && done.length > 1 && variation.rank === 0 && isGood);
  }

  function statusOf(turn) {
    if (turn.state === "queued" && turn.queue_position > 0) {
      const left = remaining(turn.eta_s);
      const place = turn.queue_position === 1 ? "next in line" : `${turn.queue_position} in line`;
      return left ? `${place}, ${left} left` : place;
    }
    if (!turn.is_active) return turn.state === "cancelled" ? "cancelled" : "";
    const done = turn.variations.filter((one) => one.state === "done").length;
    const count =
      turn.variations.length > 1 ? `${Math.min(done + 1, turn.variations.length)} of ${turn.variations.length}, ` : "";
    const left = remaining(turn.eta_s);
    return `${count}${left ? `${left} left` : "working"}`;
  }

  // The names of a clip's parts: its bars, or its seconds where no tempo is known.
  function partNames(turn) {
    const name = turn.unit === "bar" ? "Bar" : "Second";
    return turn.edges_s.slice(1).map((_, at) => `${name} ${at + 1}`);
  }

  // ---- a turn ---------------------------------------------------------------------------------------------------

  // The card stays the same element while its turn runs: only what changed inside is built anew, so that nobody's click
  // or focus is lost to a progress report. tools: {actions, engine, stage, waveform}.
  function turnCard(turn, tools) {
    const card = el(
      "article",
      { class: "card turn", style: { "--stem": hue(turn) }, "aria-label": turn.title },
      el("div", { class: "head" }),
      el("div", { class: "variations" }),
    );
    card.update = (latest) => updateTurn(card, latest, tools);
    card.update(turn);
    return card;
  }

  function updateTurn(card, turn, tools) {
    const { variations, ...rest } = turn;
    const { eta_s, queue_position, ...still } = rest;
    const numDone = variations.filter((one) => one.state === "done").length;
    keyed(
      card.querySelector(".head"),
      [{ ...still, numDone }],
      (item) => item.turn_id,
      () => turnHead(turn, tools),
    );
    const status = card.querySelector(".status");
    const words = statusOf(turn);
    if (status.textContent !== words) status.textContent = words;
    const items = shownOrder(turn).map((variation) => ({
      ...variation,
      isBest: isBest(turn, variation),
      edges: turn.edges_s,
    }));
    keyed(
      card.querySelector(".variations"),
      items,
      (item) => item.variation_id,
      (item) => variationCard(turn, item, tools),
    );
  }

  function turnHead(turn, tools) {
    return el("div", {}, turnHeader(turn, tools), turn.error ? errorLine(turn, tools) : null);
  }

  function turnHeader(turn, { actions }) {
    const act = (name) => () => actions[name]({ turn_id: turn.turn_id });
    const buttons = turn.is_active
      ? [textButton("Cancel", act("cancel"), "Stop; what is finished stays")]
      : [
          textButton("Re-roll", act("reroll"), "The same again with other seeds"),
          textButton("Use settings", act("reuse"), "Put these settings into the composer"),
        ];
    return el(
      "header",
      {},
      el("h3", {}, el("span", { class: "dot" }), turn.title),
      el("span", { class: "quiet" }, turn.how ? `${turn.on} · ${turn.how}` : turn.on),
      seedChip(turn.first_seed, actions),
      el("span", { class: "status quiet", "aria-live": "polite" }, statusOf(turn)),
      el("span", { class: "turn-actions" }, ...buttons),
    );
  }

  function seedChip(seed, actions) {
    const copy = el(
      "button",
      { type: "button", class: "seed", title: "Copy this seed", "aria-label": `Copy seed ${seed}` },
      `seed ${seed}`,
    );
    copy.addEventListener("click", () => copySeed(copy, seed));
    const keep = button("Keep this seed for the next stem", "lock", () => actions.keep_seed({ seed }), {
      class: "icon-button keep-seed",
    });
    return el("span", { class: "seed-chip" }, copy, keep);
  }

  async function copySeed(target, seed) {
    const words = target.textContent;
    try {
      await navigator.clipboard.writeText(String(seed));
      target.textContent = "copied";
    } catch {
      // Without https there is no clipboard: mark the number, so that the keyboard can copy it.
      getSelection().selectAllChildren(target);
      return;
    }
    setTimeout(() => {
      target.textContent = words;
    }, COPIED_MS);
  }

  function textButton(label, onclick, title) {
    return el("button", { type: "button", class: "text-button", onclick, title }, label);
  }

  function errorLine(turn, { actions }) {
    return el(
      "p",
      { class: "error", role: "alert" },
      icon("warning"),
      el("span", {}, turn.error),
      textButton("Try again, same seed", () => actions.retry({ turn_id: turn.turn_id })),
    );
  }

  // ---- a variation ----------------------------------------------------------------------------------------------

  function variationCard(turn, variation, tools) {
    return variation.state === "done" ? finishedCard(turn, variation, tools) : ghostCard(variation);
  }

  function ghostCard(variation) {
    const percent = Math.round(100 * variation.progress);
    const words = { queued: "waiting", running: `${percent} %`, cancelled: "cancelled", failed: "failed" };
    const bar = el("div", {
      class: "bar",
      role: "progressbar",
      "aria-label": `Variation ${variation.label}`,
      "aria-valuenow": percent,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      style: { "--done": `${percent}%` },
    });
    const letter = el("span", { class: "letter" }, variation.label);
    return el(
      "section",
      { class: `variation ghost ${variation.state}` },
      el("div", { class: "line" }, letter, el("span", { class: "quiet" }, words[variation.state])),
      bar,
    );
  }

  function finishedCard(turn, variation, tools) {
    const { actions, engine, waveform } = tools;
    const audition = () => tryVariation(turn, variation, tools);
    const bars = el("div", { class: "bars-panel", hidden: true });
    return el(
      "section",
      {
        class: "variation done",
        "data-variation": variation.variation_id,
        "aria-label": `Variation ${variation.label}`,
      },
      el(
        "div",
        { class: "line" },
        auditionButton(variation, audition),
        fitBadge(variation),
        starButton(variation, actions),
        menu(turn, variation, actions, bars),
        pickButton(variation, actions),
      ),
      waveform(engine, variation.url, { "aria-hidden": "true", onclick: audition }),
      el("p", { class: "fit-words quiet" }, variation.fit ? variation.fit.words : ""),
      variation.model ? el("p", { class: "made-by quiet" }, variation.model) : null,
      variation.fit?.advice ? el("p", { class: "advice" }, variation.fit.advice) : null,
      bars,
    );
  }

  function auditionButton(variation, onclick) {
    const name = `Hear variation ${variation.label} in the mix`;
    const letter = el("span", { class: "letter" }, variation.label);
    return el(
      "button",
      { type: "button", class: "audition", "aria-pressed": "false", "aria-label": name, onclick },
      letter,
      icon("play"),
    );
  }

  function pickButton(variation, actions) {
    if (variation.node_id)
      return el("span", { class: "picked quiet" }, icon("check"), el("span", { class: "word" }, "picked"));
    const pick = () => actions.pick({ variation_id: variation.variation_id });
    return el("button", { type: "button", class: "pick", onclick: pick }, "Pick");
  }

  function fitBadge(variation) {
    if (!variation.fit) return null;
    const { verdict, words } = variation.fit;
    const label = FIT_LABELS[verdict] || verdict;
    const badge = el("span", { class: `badge ${verdict}`, title: words }, label);
    return variation.isBest
      ? el("span", { class: "badges" }, badge, el("span", { class: "badge best" }, "best"))
      : badge;
  }

  function starButton(variation, actions) {
    const isStarred = !variation.is_starred;
    const flip = () => actions.star({ variation_id: variation.variation_id, is_starred: isStarred });
    return button(isStarred ? "Star" : "Remove the star", "star", flip, {
      class: "icon-button star",
      "aria-pressed": String(variation.is_starred),
    });
  }

  function tryVariation(turn, variation, { actions, engine, stage }) {
    if (!stage.audition(turn, variation.variation_id, engine.isPlaying)) actions.go({ node_id: turn.parent_id });
    if (!engine.isPlaying) engine.play();
  }

  // ---- what more can be done with a variation -------------------------------------------------------------------

  function menu(turn, variation, actions, bars) {
    const details = el("details", { class: "menu" });
    const entry = (label, act) => {
      const run = () => {
        details.open = false;
        act();
      };
      return el("button", { type: "button", role: "menuitem", onclick: run }, label);
    };
    const id = { variation_id: variation.variation_id };
    const unit = turn.unit === "bar" ? "bars" : "seconds";
    const entries = [];
    if (turn.edges_s.length > 2)
      entries.push(entry(`Make ${unit} anew…`, () => openBars(turn, variation, actions, bars)));
    if (variation.nudge_ms) {
      const way = variation.nudge_ms > 0 ? "earlier" : "later";
      entries.push(entry(`Move ${Math.abs(variation.nudge_ms)} ms ${way}`, () => actions.nudge(id)));
    }
    if (variation.node_id)
      entries.push(entry("Mix twice as long", () => actions.extend({ node_id: variation.node_id })));
    entries.push(entry(`Keep seed ${variation.seed}`, () => actions.keep_seed({ seed: variation.seed })));
    const name = `More for variation ${variation.label}`;
    details.append(
      el("summary", { class: "icon-button", "aria-label": name, title: "More" }, icon("more")),
      el("div", { class: "menu-list", role: "menu", "aria-label": name }, ...entries),
    );
    details.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !details.open) return;
      event.stopPropagation();
      details.open = false;
      details.querySelector("summary").focus();
    });
    details.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !details.contains(event.relatedTarget)) details.open = false;
    });
    return details;
  }

  function openBars(turn, variation, actions, panel) {
    const names = partNames(turn);
    const choose = (label, chosen) =>
      el(
        "select",
        { "aria-label": label },
        ...names.map((name, at) => el("option", { value: at, selected: at === chosen }, name)),
      );
    const half = Math.floor(names.length / 2);
    const [first, last] = [choose("First", half), choose("Last", names.length - 1)];
    first.addEventListener("change", () => {
      if (Number(last.value) < Number(first.value)) last.value = first.value;
    });
    last.addEventListener("change", () => {
      if (Number(last.value) < Number(first.value)) first.value = last.value;
    });
    const go = () => {
      panel.hidden = true;
      const parts = { first: Number(first.value), last: Number(last.value) };
      actions.revise({ variation_id: variation.variation_id, ...parts, num_variations: NUM_REVISED });
    };
    panel.replaceChildren(
      el("span", { class: "quiet" }, "Anew:"),
      first,
      el("span", { class: "quiet" }, "to"),
      last,
      el("button", { type: "button", class: "pick", onclick: go }, "Make"),
      button("Close", "close", () => (panel.hidden = true), { class: "icon-button" }),
    );
    panel.hidden = false;
    first.focus();
  }

  globalThis.stemTurnCard = { turnCard, shownOrder, isBest, statusOf, partNames };
})();
