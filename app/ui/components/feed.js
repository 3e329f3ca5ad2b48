// The feed: the context and each turn, with its variations as they arrive. Runs once when the component mounts.
const { el, icon, button, remaining, hue, keyed } = window.stemDom;
const { waveform } = window.stemWaveform;
const engine = window.stemEngine;
const stage = window.stemStage;
const log = element.querySelector(".feed-log");

const HINT = "Press play to hear it. Then choose an instrument and generate: the variations appear here one by one.";
const FIT_LABELS = { good: "in sync", fair: "fair fit", poor: "poor fit", silent: "silent" };

function contextCard(context) {
  const wave = waveform(engine, context.url, { role: "img", "aria-label": `Waveform of ${context.label}` });
  return el(
    "article",
    { class: "card context-card" },
    el("header", {}, el("h3", {}, context.label), el("span", { class: "quiet" }, context.summary)),
    wave,
  );
}

// A turn's card stays the same element while it runs: only what changed inside is built anew, so that nobody's
// click or focus is lost to a progress report.
function turnCard(turn) {
  const card = el(
    "article",
    { class: "card turn", style: { "--stem": hue(turn) }, "aria-label": turn.title },
    el("div", { class: "head" }),
    el("div", { class: "variations" }),
  );
  card.update = (latest) => updateTurn(card, latest);
  card.update(turn);
  return card;
}

function updateTurn(card, turn) {
  const { variations, ...rest } = turn;
  keyed(card.querySelector(".head"), [rest], (item) => item.turn_id, turnHead);
  keyed(card.querySelector(".variations"), variations, (item) => item.variation_id, (item) => variationCard(turn, item));
}

function turnHead(turn) {
  return el("div", {}, turnHeader(turn), turn.error ? errorLine(turn) : null);
}

function turnHeader(turn) {
  const action = turn.is_active
    ? textButton("Cancel", () => trigger("cancel", { turn_id: turn.turn_id }))
    : textButton("Use settings", () => trigger("reuse", { turn_id: turn.turn_id }));
  return el(
    "header",
    {},
    el("h3", {}, el("span", { class: "dot" }), turn.title),
    el("span", { class: "quiet" }, turn.summary),
    el("span", { class: "status quiet", "aria-live": "polite" }, statusOf(turn)),
    action,
  );
}

function textButton(label, onclick) {
  return el("button", { type: "button", class: "text-button", onclick }, label);
}

function statusOf(turn) {
  if (turn.state === "queued" && turn.queue_position > 0) {
    return turn.queue_position === 1 ? "next in line" : `${turn.queue_position} in line`;
  }
  if (!turn.is_active) return turn.state === "cancelled" ? "cancelled" : "";
  const left = remaining(turn.eta_s);
  return left ? `${left} left` : "working";
}

function errorLine(turn) {
  return el(
    "p",
    { class: "error", role: "alert" },
    icon("warning"),
    el("span", {}, turn.error),
    textButton("Try again, same seed", () => trigger("retry", { turn_id: turn.turn_id })),
  );
}

function variationCard(turn, variation) {
  return variation.state === "done" ? finishedCard(turn, variation) : ghostCard(turn, variation);
}

function ghostCard(turn, variation) {
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
  return el(
    "section",
    { class: `variation ghost ${variation.state}` },
    el("div", { class: "line" }, el("span", { class: "letter" }, variation.label), el("span", { class: "quiet" }, words[variation.state])),
    bar,
  );
}

function finishedCard(turn, variation) {
  const audition = () => tryVariation(turn, variation);
  return el(
    "section",
    { class: "variation done", "data-variation": variation.variation_id, "aria-label": `Variation ${variation.label}` },
    el("div", { class: "line" }, auditionButton(variation, audition), fitBadge(variation.fit), starButton(variation), pickButton(variation)),
    waveform(engine, variation.url, { "aria-hidden": "true", onclick: audition }),
    el("p", { class: "fit-words quiet" }, variation.fit ? variation.fit.words : ""),
  );
}

function auditionButton(variation, onclick) {
  const name = `Hear variation ${variation.label} in the mix`;
  const letter = el("span", { class: "letter" }, variation.label);
  return el("button", { type: "button", class: "audition", "aria-pressed": "false", "aria-label": name, onclick }, letter, icon("play"));
}

function pickButton(variation) {
  if (variation.node_id) return el("span", { class: "picked quiet" }, icon("check"), "picked");
  const pick = () => trigger("pick", { variation_id: variation.variation_id });
  return el("button", { type: "button", class: "pick", onclick: pick }, "Pick");
}

function fitBadge(fit) {
  if (!fit) return null;
  const label = FIT_LABELS[fit.verdict] || fit.verdict;
  return el("span", { class: `badge ${fit.verdict}`, title: fit.words }, label);
}

function starButton(variation) {
  const isStarred = !variation.is_starred;
  const flip = () => trigger("star", { variation_id: variation.variation_id, is_starred: isStarred });
  return button(isStarred ? "Star" : "Remove the star", "star", flip, {
    class: "icon-button star",
    "aria-pressed": String(variation.is_starred),
  });
}

function tryVariation(turn, variation) {
  if (!stage.audition(turn, variation.variation_id, engine.isPlaying)) trigger("go", { node_id: turn.parent_id });
  if (!engine.isPlaying) engine.play();
}

function showAuditioned() {
  for (const card of log.querySelectorAll("[data-variation]")) {
    const isOn = card.dataset.variation === engine.candidateId;
    card.classList.toggle("is-on", isOn);
    card.querySelector(".audition").setAttribute("aria-pressed", String(isOn));
  }
}

function entries(view) {
  const contexts = view.contexts.map((context) => ({ ...context, key: context.node_id, build: contextCard }));
  const turns = view.turns.map((turn) => ({ ...turn, key: turn.turn_id, build: turnCard }));
  return [...contexts, ...turns].sort((one, other) => one.created_ms - other.created_ms);
}

function render() {
  const view = props.value;
  if (!view) return;
  const numBefore = log.children.length;
  const cards = new Map([...log.children].map((card) => [card.dataset.key, card]));
  const next = entries(view).map((entry) => {
    const card = cards.get(entry.key) || entry.build(entry);
    card.dataset.key = entry.key;
    if (card.update) card.update(entry);
    return card;
  });
  if (!view.turns.length && view.contexts.length) next.push(el("p", { class: "hint", "data-key": "hint" }, HINT));
  if (next.some((card, at) => log.children[at] !== card) || next.length !== numBefore) log.replaceChildren(...next);
  stage.setFeed(view);
  showAuditioned();
  if (numBefore && next.length > numBefore) log.lastElementChild.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

watch("value", render);
engine.addEventListener("change", showAuditioned);
stage.addEventListener("pick", () => {
  const variation = stage.candidate();
  if (variation && !variation.node_id) trigger("pick", { variation_id: variation.variation_id });
});
render();
