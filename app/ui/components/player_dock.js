// The player dock: transport, candidates, and one strip per sound with its waveform. Runs once at mount.
const { el, icon, button, clock, hue } = window.stemDom;
const { waveform } = window.stemWaveform;
const engine = window.stemEngine;
const stage = window.stemStage;
const find = (selector) => element.querySelector(selector);

const parts = {
  play: find(".play"),
  stop: find(".stop"),
  loop: find(".loop"),
  time: find(".time"),
  title: find(".dock-title"),
  candidates: find(".candidates"),
  listen: find(".listen"),
  strips: find(".strips"),
  meter: find(".meter span"),
  master: find(".master"),
  fold: find(".fold"),
  message: find(".dock-message"),
};

parts.play.append(icon("play"), icon("pause"));
parts.stop.append(icon("stop"));
parts.loop.append(icon("loop"));
parts.fold.append(icon("chevron"));
parts.play.addEventListener("click", () => engine.toggle());
parts.stop.addEventListener("click", () => engine.stop());
parts.loop.addEventListener("click", () => engine.setLooping(!engine.isLooping));
parts.master.addEventListener("input", () => engine.setMasterVolume(Number(parts.master.value)));
parts.fold.addEventListener("click", () => element.classList.toggle("is-folded"));
for (const choice of parts.listen.children) {
  choice.addEventListener("click", () => engine.setListenMode(choice.dataset.mode));
}

// ---- strips --------------------------------------------------------------------------------------------------

let drawn = ""; // what the strips were built from; they are rebuilt only when that changes

function strips() {
  const tracks = stage.dock ? [...stage.dock.tracks] : [];
  const turn = stage.turn();
  const candidate = stage.candidate();
  if (turn && candidate && !tracks.some((track) => track.track_id === candidate.variation_id)) {
    tracks.push({
      track_id: candidate.variation_id,
      mixer_id: turn.turn_id,
      label: `${turn.title} ${candidate.label}`,
      url: candidate.url,
      hue: turn.hue,
      is_candidate: true,
    });
  }
  return tracks;
}

function renderStrips() {
  const tracks = strips();
  const stamp = JSON.stringify(tracks);
  if (stamp === drawn) return;
  drawn = stamp;
  parts.strips.replaceChildren(...tracks.map(strip), el("div", { class: "playhead", "aria-hidden": "true" }));
}

function strip(track) {
  const wave = waveform(engine, track.url, { "aria-hidden": "true" });
  return el(
    "div",
    { class: `strip${track.is_candidate ? " is-candidate" : ""}`, "data-mixer": track.mixer_id, "data-track": track.track_id, style: { "--stem": hue(track) } },
    el(
      "div",
      { class: "controls" },
      el("span", { class: "strip-name", title: track.label }, track.label),
      toggle("S", "isSolo", track, "Solo"),
      toggle("M", "isMuted", track, "Mute"),
      volume(track),
      removal(track),
    ),
    el("div", { class: "lane", onclick: seekTo }, wave),
  );
}

function toggle(letter, field, track, verb) {
  const flip = () => engine.setMixer(track.mixer_id, { [field]: !engine.mixerOf(track.mixer_id)[field] });
  return el("button", { type: "button", class: `toggle ${field}`, "aria-label": `${verb} ${track.label}`, title: verb, "aria-pressed": "false", onclick: flip }, letter);
}

function volume(track) {
  const slider = el("input", { type: "range", min: 0, max: 1.4, step: 0.01, value: engine.mixerOf(track.mixer_id).volume, "aria-label": `Volume of ${track.label}`, title: "Volume" });
  slider.addEventListener("input", () => engine.setMixer(track.mixer_id, { volume: Number(slider.value) }));
  slider.addEventListener("dblclick", () => engine.setMixer(track.mixer_id, { volume: 1 }));
  return slider;
}

// Only picked stems can be taken out; the place is kept on the other strips so that the lanes line up.
function removal(track) {
  const canGo = !track.is_candidate && track.hue !== null;
  const remove = () => trigger("remove", { node_id: track.node_id });
  return button(`Go on without ${track.label}`, "close", remove, { class: "remove", disabled: !canGo });
}

function seekTo(event) {
  const lane = event.currentTarget.getBoundingClientRect();
  engine.seek(((event.clientX - lane.left) / lane.width) * engine.durationS);
}

// ---- transport -----------------------------------------------------------------------------------------------

function renderCandidates() {
  const turn = stage.turn();
  parts.candidates.hidden = !turn;
  if (!turn) return parts.candidates.replaceChildren();
  const inMix = new Set(stage.dock.tracks.map((track) => track.track_id));
  const choices = stage.candidates().map((variation, index) =>
    el("button", { type: "button", class: "candidate", "aria-pressed": String(variation.variation_id === engine.candidateId), disabled: inMix.has(variation.variation_id), title: `Variation ${variation.label} (key ${index + 1})`, style: { "--stem": hue(turn) }, onclick: () => stage.audition(turn, variation.variation_id) }, variation.label),
  );
  const candidate = stage.candidate();
  const pick = el("button", { type: "button", class: "pick", disabled: !candidate || candidate.node_id !== null, onclick: () => stage.dispatchEvent(new Event("pick")) }, "Pick");
  parts.candidates.replaceChildren(el("span", { class: "quiet" }, turn.title), ...choices, pick);
}

function renderTransport() {
  element.classList.toggle("is-playing", engine.isPlaying);
  parts.play.setAttribute("aria-label", engine.isPlaying ? "Pause" : "Play");
  parts.loop.setAttribute("aria-pressed", String(engine.isLooping));
  for (const choice of parts.listen.children) choice.setAttribute("aria-pressed", String(choice.dataset.mode === engine.listenMode));
  for (const strip of parts.strips.querySelectorAll(".strip")) showMixer(strip);
  showTime();
}

function showMixer(strip) {
  const mixer = engine.mixerOf(strip.dataset.mixer);
  strip.querySelector(".isSolo").setAttribute("aria-pressed", String(mixer.isSolo));
  strip.querySelector(".isMuted").setAttribute("aria-pressed", String(mixer.isMuted));
  strip.querySelector("input").value = mixer.volume;
  strip.classList.toggle("is-quiet", engine.targetGain({ ...trackOf(strip.dataset.track) }) === 0);
}

function trackOf(id) {
  return engine.tracks.find((track) => track.id === id) || { id, role: "mix", mixerId: id };
}

function render() {
  parts.title.textContent = stage.dock ? stage.dock.title : "";
  element.classList.toggle("is-empty", !stage.dock);
  renderStrips();
  renderCandidates();
  renderTransport();
}

function showTime() {
  parts.time.textContent = `${clock(engine.positionS)} / ${clock(engine.durationS)}`;
  const lane = parts.strips.querySelector(".lane");
  const head = parts.strips.querySelector(".playhead");
  if (lane && head && engine.durationS) {
    const x = lane.offsetLeft + (engine.positionS / engine.durationS) * lane.clientWidth;
    head.style.transform = `translateX(${x}px)`;
  }
}

function tick() {
  if (engine.isPlaying) {
    showTime();
    parts.meter.style.transform = `scaleX(${Math.min(1, engine.levels())})`;
    parts.meter.classList.toggle("is-clipping", engine.levels() > 1);
  }
  requestAnimationFrame(tick);
}

watch("value", () => stage.setDock(props.value));
stage.addEventListener("change", render);
engine.addEventListener("change", render);
engine.addEventListener("failure", (event) => {
  parts.message.textContent = `One sound could not be loaded. ${event.detail.error.message}`;
});
engine.addEventListener("buffer", () => (parts.message.textContent = ""));
new ResizeObserver(showTime).observe(parts.strips);
// The page leaves room below for the dock, however tall it is.
new ResizeObserver(([entry]) => {
  document.documentElement.style.setProperty("--dock-height", `${Math.round(entry.target.offsetHeight)}px`);
}).observe(find(".dock"));
if (matchMedia("(max-width: 760px)").matches) element.classList.add("is-folded");
stage.setDock(props.value);
render();
requestAnimationFrame(tick);
