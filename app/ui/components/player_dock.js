// The player dock: transport, candidates, comparison, and one strip per sound. Runs once at mount.
const { el, icon, clock, hue, keyed } = window.stemDom;
const { countAt } = window.stemTimeline;
const { dbOfFader, faderOfDb, dbWords } = window.stemMixing;
const engine = window.stemEngine;
const stage = window.stemStage;
const find = (selector) => element.querySelector(selector);

const SAVE_AFTER_MS = 300; // of quiet, so that moving a fader writes once
const LENGTH_WORDS = { 0: "All", 1: "1 bar", 2: "2", 4: "4" };
const LENGTH_TITLES = { 0: "Loop the whole clip", 1: "Loop one bar", 2: "Loop two bars", 4: "Loop four bars" };

const parts = {
  play: find(".play"),
  stop: find(".stop"),
  loop: find(".loop"),
  lengths: find(".lengths"),
  count: find(".count"),
  time: find(".time"),
  title: find(".dock-title"),
  candidates: find(".candidates"),
  listen: find(".listen"),
  compare: find(".compare"),
  compareWith: find(".compare select"),
  compareHold: find(".compare button"),
  desk: find(".desk"),
  rulerRow: find(".ruler-row"),
  strips: find(".strips"),
  playhead: find(".playhead"),
  master: find(".master"),
  fold: find(".fold"),
  help: find(".help"),
  message: find(".dock-message"),
};
const ruler = window.stemRuler.build(engine);
const meter = window.stemMeter.build(find(".meter"));

parts.play.append(icon("play"), icon("pause"));
parts.stop.append(icon("start"));
parts.loop.append(icon("loop"));
parts.fold.append(icon("chevron"));
parts.help.append(icon("keyboard"));
find(".speaker").append(icon("speaker"));
parts.rulerRow.append(ruler.element);
parts.play.addEventListener("click", () => engine.toggle());
parts.stop.addEventListener("click", () => engine.stop());
parts.loop.addEventListener("click", () => engine.setLooping(!engine.isLooping));
parts.master.value = faderOfDb(0);
parts.master.addEventListener("input", () => engine.setMasterDb(dbOfFader(Number(parts.master.value))));
parts.master.addEventListener("dblclick", () => engine.setMasterDb(0));
parts.fold.addEventListener("click", () => element.classList.toggle("is-folded"));
parts.help.addEventListener("click", () => window.stemSheet.open());
for (const choice of parts.listen.children) {
  choice.addEventListener("click", () => engine.setListenMode(choice.dataset.mode));
}

// ---- comparing two mixes ---------------------------------------------------------------------------------------

parts.compareWith.addEventListener("change", () => stage.setOther(parts.compareWith.value));
parts.compareHold.addEventListener("pointerdown", () => stage.canCompare && engine.setComparing(true));
for (const end of ["pointerup", "pointerleave", "pointercancel", "blur"]) {
  parts.compareHold.addEventListener(end, () => engine.setComparing(false));
}
parts.compareHold.addEventListener("keydown", (event) => {
  if (event.key !== " " && event.key !== "Enter") return;
  event.preventDefault();
  event.stopPropagation();
  if (stage.canCompare) engine.setComparing(true);
});
parts.compareHold.addEventListener("keyup", () => engine.setComparing(false));

function renderCompare() {
  const others = stage.others();
  parts.compare.hidden = !others.length;
  keyed(
    parts.compareWith,
    others.map(({ node_id, label }) => ({ node_id, label })),
    (item) => item.node_id,
    (item) => el("option", { value: item.node_id }, item.label),
  );
  if (others.length) parts.compareWith.value = stage.other().node_id;
  parts.compareHold.setAttribute("aria-pressed", String(engine.isComparing));
}

// ---- strips ----------------------------------------------------------------------------------------------------

let drawn = ""; // what the strips were built from; they are rebuilt only when that changes

function renderStrips() {
  const tracks = stage.strips();
  const stamp = JSON.stringify(tracks);
  if (stamp !== drawn) {
    drawn = stamp;
    const remove = (track) => trigger("remove", { node_id: track.node_id });
    parts.strips.replaceChildren(
      ...tracks.map((track, at) => window.stemStrips.build(engine, track, at + 1, { remove })),
    );
  }
  for (const strip of parts.strips.children) window.stemStrips.show(engine, strip);
}

// ---- transport -------------------------------------------------------------------------------------------------

function candidateButton({ variation, index, turn }) {
  const title = `Variation ${variation.label} (key ${index + 1})`;
  const choose = () => stage.audition(stage.turn(), variation.variation_id);
  return el(
    "button",
    { type: "button", class: "candidate", title, style: { "--stem": hue(turn) }, onclick: choose },
    variation.label,
  );
}

function renderCandidates() {
  const turn = stage.turn();
  parts.candidates.hidden = !turn;
  if (!turn) return;
  const inMix = new Set(stage.dock.tracks.map((track) => track.track_id));
  const choices = stage.candidates().map((variation, index) => ({
    variation: { variation_id: variation.variation_id, label: variation.label },
    turn: { hue: turn.hue },
    index,
  }));
  parts.candidates.querySelector(".quiet").textContent = turn.title;
  keyed(find(".choices"), choices, (choice) => choice.variation.variation_id, candidateButton);
  for (const button of find(".choices").children) {
    button.setAttribute("aria-pressed", String(button.dataset.key === engine.candidateId));
    button.disabled = inMix.has(button.dataset.key);
  }
  const candidate = stage.candidate();
  find(".candidates .pick").disabled = !candidate || candidate.node_id !== null;
}
find(".candidates .pick").addEventListener("click", () => stage.dispatchEvent(new Event("pick")));

function lengthButton({ bars }) {
  const attributes = { type: "button", title: LENGTH_TITLES[bars], "aria-label": LENGTH_TITLES[bars] };
  return el("button", { ...attributes, onclick: () => stage.setLoopBars(bars) }, LENGTH_WORDS[bars]);
}

function renderLoop() {
  parts.loop.setAttribute("aria-pressed", String(engine.isLooping));
  const lengths = stage.loopLengths();
  parts.lengths.hidden = lengths.length < 2;
  keyed(
    parts.lengths,
    lengths.map((bars) => ({ bars })),
    ({ bars }) => String(bars),
    lengthButton,
  );
  for (const button of parts.lengths.children) {
    const isOn = engine.isLooping && button.dataset.key === String(stage.loopBars());
    button.setAttribute("aria-pressed", String(isOn));
  }
}

function renderTransport() {
  element.classList.toggle("is-playing", engine.isPlaying);
  element.classList.toggle("is-switching", engine.next !== null);
  element.classList.toggle("is-comparing", engine.isComparing);
  parts.play.setAttribute("aria-label", engine.isPlaying ? "Pause" : "Play");
  for (const choice of parts.listen.children) {
    choice.setAttribute("aria-pressed", String(choice.dataset.mode === engine.listenMode));
  }
  parts.master.title = `Master volume: ${dbWords(engine.masterDb)}`;
  parts.master.setAttribute("aria-valuetext", dbWords(engine.masterDb));
  parts.master.value = faderOfDb(engine.masterDb);
  showTime();
}

function render() {
  element.classList.toggle("is-empty", !stage.dock);
  document.body.classList.toggle("has-dock", Boolean(stage.dock));
  parts.title.textContent = stage.dock ? titleOf(stage.dock) : "";
  renderStrips();
  renderCandidates();
  renderCompare();
  renderLoop();
  renderTransport();
  ruler.render();
}

function titleOf(dock) {
  const { tempo_bpm: bpm, key } = dock.grid || {};
  return [bpm ? `${Math.round(bpm)} BPM` : null, key, dock.title].filter(Boolean).join(" · ");
}

function showTime() {
  const { grid, durationS } = engine;
  parts.time.textContent = `${clock(engine.positionS)} / ${clock(durationS)}`;
  parts.count.hidden = !grid;
  if (grid) {
    const { bar, beat } = countAt(grid, engine.positionFrame());
    parts.count.textContent = `${bar}.${beat}`;
  }
  if (durationS) {
    const x = ruler.element.offsetLeft + (engine.positionS / durationS) * ruler.element.clientWidth;
    parts.playhead.style.transform = `translateX(${x}px)`;
  }
}

function tick() {
  if (engine.isPlaying) showTime();
  meter.show(engine.sideLevels());
  requestAnimationFrame(tick);
}

// ---- what is kept ----------------------------------------------------------------------------------------------

const unsaved = new Map(); // mixer id -> mixer
let saving = null;

function save() {
  const strips = [...unsaved].map(([mixer_id, mixer]) => ({
    mixer_id,
    gain_db: mixer.gainDb,
    pan: mixer.pan,
    is_muted: mixer.isMuted,
    is_soloed: mixer.isSolo,
  }));
  unsaved.clear();
  if (strips.length) trigger("mixer", { strips });
}

engine.addEventListener("mixer", (event) => {
  unsaved.set(event.detail.mixerId, event.detail.mixer);
  clearTimeout(saving);
  saving = setTimeout(save, SAVE_AFTER_MS);
});

watch("value", () => stage.setDock(props.value));
stage.addEventListener("change", render);
stage.addEventListener("up", () => {
  if (stage.dock?.parent_id) trigger("go", { node_id: stage.dock.parent_id });
});
engine.addEventListener("change", render);
engine.addEventListener("failure", (event) => {
  parts.message.textContent = `One sound could not be loaded. ${event.detail.error.message}`;
});
engine.addEventListener("buffer", () => {
  parts.message.textContent = "";
});
new ResizeObserver(showTime).observe(parts.desk);
// The page leaves room below for the dock, however tall it is.
new ResizeObserver(([entry]) => {
  document.documentElement.style.setProperty("--dock-height", `${Math.round(entry.target.offsetHeight)}px`);
}).observe(find(".dock"));

window.stemTabs.build(find(".tabs"));
stage.setDock(props.value);
render();
find(".dock").hidden = false; // until here it was a skeleton
requestAnimationFrame(tick);
