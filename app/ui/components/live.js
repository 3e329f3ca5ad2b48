// The page of live: joins the form, the engine, the link to the server and what is shown. Runs once at mount.
const { el, icon } = window.stemDom;
const { secondsUntil, countAt, boundary } = window.stemLiveClock;
const { LiveLink, KEY_HEADER } = window.stemLiveLink;
const { LiveMicrophone } = window.stemLiveMicrophone;
const { StartForm } = window.stemLiveStart;
const engine = window.stemLiveEngine;
const link = new LiveLink();
const microphone = new LiveMicrophone(engine);
const find = (selector) => element.querySelector(selector);

let form = null;
let offers = null;
let changeLoop = 0; // from which on the last change of a control can be heard
let drawnControls = null; // id of the jam that the controls were built for

find(".end").append(icon("stop"), "Stop");
window.stemLive = { link, engine }; // for those who look at the page from outside

// ---- beginning -------------------------------------------------------------------------------------------------

let isAsking = false;

async function arrive() {
  if (offers || isAsking || !link.key) return;
  isAsking = true;
  try {
    offers = await link.offers();
  } catch (error) {
    find(".waiting").textContent = error.message;
    setTimeout(() => {
      isAsking = false; // and asks again
    }, 5000);
    return;
  }
  form = new StartForm(find(".form"), offers, { upload, openNode, start });
  find(".join select").replaceChildren(
    ...offers.instruments.map((one) => el("option", { value: one.name }, one.label)),
  );
}

function openNode() {
  const dock = window.stemStage?.dock;
  return dock ? { node_id: dock.node_id, label: dock.title } : null;
}

async function start(request) {
  window.stemEngine?.pause();
  const jam = await link.open(request);
  await engine.open(jam.sample_rate_hz);
  await microphone.prepare().catch(() => null); // what is wrong is said when the microphone is asked for
  const ready = jam.parts.filter((part) => part.playing);
  await Promise.all(ready.map((part) => link.sound(part.playing).promise));
  engine.start({
    numFrames: jam.num_frames,
    numBars: jam.num_bars,
    beatsPerBar: jam.beats_per_bar,
    sampleRateHz: jam.sample_rate_hz,
  });
  for (const part of ready) engine.plan(part.part_id, part.playing.version_id, link.sound(part.playing).buffer, 0);
  changeLoop = 0;
  link.follow(() => (engine.isPlaying && engine.loop >= 0 ? where() : null));
  show();
}

function where() {
  return {
    loop: engine.loop,
    position_s: engine.positionS,
    sounding: engine.sounding(),
    gains_db: engine.gainsDb(),
  };
}

// ---- keeping the music as the jam says -------------------------------------------------------------------------

function follow() {
  if (!engine.isPlaying || !link.jam) return;
  const { parts } = link.jam;
  for (const id of [...engine.parts.keys()]) if (!parts.some((part) => part.part_id === id)) engine.remove(id);
  const playsElse = parts.some((part) => !part.is_timekeeper && part.is_on && engine.sounding()[part.part_id]);
  for (const part of parts) {
    const isWanted = part.is_on && !(part.is_timekeeper && playsElse);
    plan(part, isWanted ? part.coming || part.playing : null);
  }
}

function plan(part, version) {
  const planned = engine.plannedVersion(part.part_id);
  if ((version?.version_id ?? null) === planned) return;
  if (!version) {
    engine.plan(part.part_id, null, null, engine.loop + 1);
    return;
  }
  const sound = link.sound(version);
  if (sound.buffer) engine.plan(part.part_id, version.version_id, sound.buffer, version.loop ?? engine.loop + 1);
  else sound.promise.then(follow, () => {}); // asked for again with the next beat
}

// ---- what is shown ---------------------------------------------------------------------------------------------

const until = (loop) => secondsUntil(engine.clock, engine.frame, loop);

function show() {
  const { jam } = link;
  find(".begin").hidden = Boolean(jam);
  find(".stage").hidden = !jam;
  if (!jam) return;
  if (drawnControls !== jam.id) {
    drawnControls = jam.id;
    window.stemLiveControls.build(find(".controls"), offers, jam.controls, setControls);
    find(".lines").replaceChildren(...Array.from({ length: jam.num_bars }, () => el("i", {})));
    find(".parts").replaceChildren();
  }
  follow();
  render();
}

function render() {
  const { jam } = link;
  if (!jam || !engine.isPlaying) return;
  window.stemLiveParts.render(find(".parts"), jam, until, { act: (what, more) => link.do(what, more), setGain });
  find(".facts").textContent =
    `${Math.round(jam.tempo_bpm)} BPM · ${(jam.num_frames / jam.sample_rate_hz).toFixed(1)} s`;
  find(".heard").textContent = window.stemLiveControls.heardWords(changeLoop, until);
  find(".keeping").textContent = scoreWords(jam);
  find(".record").setAttribute("aria-pressed", String(jam.is_recording));
  find(".record").textContent = jam.is_recording ? `Recording ${jam.take_s.toFixed(0)} s` : "Record";
  find(".mic").setAttribute("aria-pressed", String(microphone.isOpen));
  const hasTake = jam.take_s > 0 && !jam.is_recording;
  find(".save").hidden = !hasTake;
  find(".take").hidden = !hasTake;
  find(".tree").hidden = !jam.session_id;
  showSlow(jam);
  if (jam.message) refuse(jam.message);
}

function scoreWords({ score }) {
  if (score.swap_rate === null) return "Everything you hear is kept in a session of the studio.";
  const words = [`${score.num_in_time} of ${score.num_in_time + score.num_missed} versions came in time`];
  if (score.making_s !== null) words.push(`95 % are made within ${score.making_s.toFixed(1)} s`);
  if (score.delay_s !== null) words.push(`a change is heard after ${score.delay_s.toFixed(0)} s`);
  return `${words.join(" · ")}. Everything you hear is kept in a session of the studio.`;
}

function showSlow({ times_longer: times, num_bars: bars }) {
  const box = find(".slow");
  box.hidden = times === 1;
  const said = `${times} times ${bars} bars`;
  if (times === 1 || box.dataset.said === said) return; // a button that is replaced can't be pressed
  box.dataset.said = said;
  const words = times
    ? `This machine is too slow for a new version every ${bars === 1 ? "bar" : `${bars} bars`}: most come late. `
    : "This machine is too slow for live: versions come late, whatever the loop. What plays goes on all the same.";
  const longer = el(
    "button",
    { type: "button", onclick: () => goLonger(times) },
    `Begin again with ${bars * times} bars`,
  );
  box.replaceChildren(words, ...(times ? [longer] : []));
}

async function goLonger(times) {
  await stop();
  if (form.kind === "groove" || form.kind === "silence") {
    form.set({ bars: form.bars * times });
    await form.go();
  } else await form.go(times);
}

function refuse(words) {
  const box = find(".stage .refusal");
  box.textContent = words;
  box.hidden = !words;
}

function tick() {
  if (engine.isPlaying && engine.loop >= 0) {
    const { bar, beat } = countAt(engine.clock, engine.frame);
    find(".count").textContent = `${bar}.${beat}`;
    const share = (engine.frame - boundary(engine.clock, engine.loop)) / engine.clock.numFrames;
    find(".round .needle").style.setProperty("--at", String(share));
  }
  requestAnimationFrame(tick);
}

// ---- what people do --------------------------------------------------------------------------------------------

function setGain(partId, db) {
  engine.setGainDb(partId, db);
}

async function setControls(controls) {
  await link.do("controls", { controls });
  changeLoop = link.jam?.next_change_loop ?? 0;
  render();
}

async function stop() {
  microphone.close();
  engine.close();
  const left = await link.leave();
  show();
  return left;
}

async function flipMicrophone() {
  refuse("");
  if (microphone.isOpen) microphone.close();
  else await microphone.open(link.jam.id, link.key).catch((error) => refuse(error.message));
  render();
}

async function saveTake() {
  const answer = await fetch(`/live/${link.jam.id}/take.flac`, { headers: { [KEY_HEADER]: link.key } });
  if (!answer.ok) return refuse(await answer.text());
  const url = URL.createObjectURL(await answer.blob());
  el("a", { href: url, download: "live.flac" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function goTo(sessionId) {
  if (!sessionId) return;
  trigger("open", { session_id: sessionId });
  window.dispatchEvent(new Event("gostudio"));
}

async function openTake() {
  try {
    const { session_id } = await (await link.ask(`/${link.jam.id}/open-take`, {})).json();
    await stop();
    goTo(session_id);
  } catch (error) {
    refuse(error.message);
  }
}

find(".end").addEventListener("click", stop);
find(".mic").addEventListener("click", flipMicrophone);
find(".record").addEventListener("click", () => link.do("record", { is_recording: !link.jam.is_recording }));
find(".add").addEventListener("click", () => link.do("add", { instrument: find(".join select").value }));
find(".save").addEventListener("click", saveTake);
find(".take").addEventListener("click", openTake);
find(".tree").addEventListener("click", async () => goTo((await stop())?.session_id));
link.addEventListener("change", () => {
  refuse("");
  show();
});
link.addEventListener("refused", (event) => refuse(event.detail));
link.addEventListener("over", async (event) => {
  await stop();
  form.set({ message: event.detail });
});
const KEY_ACTIONS = {
  stop,
  switch: (number) => {
    const part = link.jam.parts[number - 1];
    if (part) link.do("switch", { part_id: part.part_id, is_on: !part.is_on });
  },
  hold: async () => {
    const band = link.jam.parts.filter((part) => !part.is_fixed);
    const isHeld = !band.every((part) => part.is_held);
    for (const { part_id } of band) await link.do("hold", { part_id, is_held: isHeld });
  },
  record: () => link.do("record", { is_recording: !link.jam.is_recording }),
};
document.addEventListener("keydown", (event) => {
  const isElsewhere = document.body.dataset.mode !== "live" || event.ctrlKey || event.metaKey || event.altKey;
  if (isElsewhere || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input:not([type=range]), select, textarea")) return;
  const { action } = window.stemKeymap.bindingOf(event.key, window.stemKeymap.LIVE_BINDINGS) || {};
  if (!action || event.repeat || (event.key === " " && event.target.closest("button"))) return;
  if (action === "sheet") window.stemSheet.open();
  else if (link.jam) KEY_ACTIONS[action](Number(event.key));
  else return;
  event.preventDefault();
});
window.addEventListener("studiomode", (event) => {
  if (event.detail === "live") {
    arrive();
    if (form && !link.jam) form.render(); // another mix may be open by now
  }
});
window.addEventListener("pagehide", () => link.jam && stop());

// The menu of sessions is given the browser's secret; it may come before or after this script.
function findKey() {
  link.key = window.stemBrowserKey || "";
  if (document.body.dataset.mode === "live") arrive();
}

setInterval(() => (offers ? render() : findKey()), 250);
requestAnimationFrame(tick);
