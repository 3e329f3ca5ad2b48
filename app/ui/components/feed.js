// The feed: the context and each turn, with its variations as they arrive. Runs once when the component mounts.
const { el } = window.stemDom;
const { waveform } = window.stemWaveform;
const { contextCard } = window.stemContextCard;
const { turnCard } = window.stemTurnCard;
const engine = window.stemEngine;
const stage = window.stemStage;
const log = element.querySelector(".feed-log");

const HINT = "Press play to hear it. Then choose an instrument and generate: the variations appear here one by one.";

// Gradio looks for the names of a component's events here, in quotes.
const EVENTS = [
  "pick",
  "go",
  "star",
  "cancel",
  "retry",
  "reroll",
  "reuse",
  "keep_seed",
  "correct",
  "revise",
  "nudge",
  "extend",
  "refresh",
];
const actions = Object.fromEntries(EVENTS.map((name) => [name, (data) => trigger(name, data)]));
const tools = { actions, engine, stage, waveform };

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

let shown = null; // the newest view; one that was read earlier may come in later

function isStale(view) {
  return shown && view.session_id === shown.session_id && view.revision < shown.revision;
}

function render() {
  const view = props.value;
  if (!view || isStale(view)) return;
  shown = view;
  const numBefore = log.children.length;
  const cards = new Map([...log.children].map((card) => [card.dataset.key, card]));
  const next = entries(view).map(({ key, build, ...entry }) => {
    const card = cards.get(key) || build(entry, tools);
    card.dataset.key = key;
    card.update(entry);
    return card;
  });
  if (!view.turns.length && view.contexts.length) next.push(el("p", { class: "hint", "data-key": "hint" }, HINT));
  if (next.some((card, at) => log.children[at] !== card) || next.length !== numBefore) log.replaceChildren(...next);
  stage.setFeed(view);
  showAuditioned();
  if (numBefore && next.length > numBefore)
    log.lastElementChild.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

// Another tab may have changed the session meanwhile.
function readAgain() {
  if (document.visibilityState === "visible" && shown?.session_id) trigger("refresh", {});
}

watch("value", render);
engine.addEventListener("change", showAuditioned);
stage.addEventListener("pick", () => {
  const variation = stage.candidate();
  if (variation && !variation.node_id) trigger("pick", { variation_id: variation.variation_id });
});
document.addEventListener("visibilitychange", readAgain);
window.addEventListener("focus", readAgain);
render();
