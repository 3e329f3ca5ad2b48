// The recorder: count-in, recording, trimming. Runs once at mount.
const { icon, clock } = window.stemDom;
const { peaks, wholeBars, firstDownbeat, wavOf } = window.stemRecording;
const { tappedTempo, addTap } = window.stemContextCard;
const { Microphone } = window.stemMicrophone;

const MIN_KEPT_S = 0.5; // less is no context
const box = element.querySelector(".recorder");
const find = (selector) => box.querySelector(selector);
const parts = {
  before: find(".before"),
  countIn: find(".count-in"),
  tempoChoice: find(".tempo-choice"),
  bpm: find(".bpm"),
  tap: find(".tap"),
  live: find(".live"),
  beat: find(".beat"),
  level: find(".level > span"),
  elapsed: find(".elapsed"),
  review: find(".review"),
  wave: find(".wave"),
  from: find(".from"),
  to: find(".to"),
  cutStart: find(".of-start"),
  cutEnd: find(".of-end"),
  head: find(".head"),
  kept: find(".kept"),
  listen: find(".listen"),
  bars: find(".bars"),
  record: find(".record"),
  stop: find(".stop"),
  use: find(".use"),
  status: find(".status"),
};

let microphone = null; // while it counts or records
let count = null; // {bpm, beatsPerBar, numBars}: how the recording was counted in
let recorded = null; // {samples, sampleRateHz, durationS}
let listening = null; // {context, source}
let taps = [];

function show(state, words = "") {
  box.dataset.state = state;
  const isAsked = state === "counting" || state === "recording";
  parts.before.hidden = state !== "idle";
  parts.live.hidden = !isAsked;
  parts.review.hidden = parts.use.hidden = state !== "review";
  parts.record.hidden = isAsked || state === "asking";
  parts.stop.hidden = !isAsked;
  parts.record.replaceChildren(icon("record"), state === "review" ? "Record again" : "Record");
  parts.record.classList.toggle("plain", state === "review");
  parts.status.textContent = words;
}

// ---- before ----------------------------------------------------------------------------------------------------

function chosenCount() {
  const [numBars, beatsPerBar] = parts.countIn.value.split(" ").map(Number);
  const bpm = Number(parts.bpm.value);
  return numBars ? { numBars, beatsPerBar, bpm } : null;
}

function tap() {
  taps = addTap(taps, performance.now());
  const tempo = tappedTempo(taps);
  if (tempo >= 30 && tempo <= 300) parts.bpm.value = tempo;
}

// ---- recording -------------------------------------------------------------------------------------------------

async function begin() {
  if (box.dataset.state === "review") return again();
  count = chosenCount();
  if (count && !(count.bpm >= 30 && count.bpm <= 300)) return show("idle", "Choose a tempo from 30 to 300 BPM.");
  show("asking", "Waiting for the microphone …");
  const mine = new Microphone(box.dataset.worklet, Number(box.dataset.maxS));
  mine.addEventListener("beat", ({ detail }) => showBeat(detail));
  mine.addEventListener("begin", () => {
    showBeat("");
    show("recording");
  });
  mine.addEventListener("level", ({ detail }) => showLevel(mine, detail));
  mine.addEventListener("full", end);
  microphone = mine;
  try {
    await mine.start(count);
  } catch (error) {
    mine.stop();
    microphone = null;
    return show("idle", `The microphone can't be used. ${error.message}`);
  }
  if (box.dataset.state === "asking") show(count ? "counting" : "recording");
}

function showBeat(word) {
  parts.beat.textContent = word;
}

function showLevel(mine, peak) {
  parts.level.style.transform = `scaleX(${Math.min(1, Math.sqrt(peak))})`;
  parts.elapsed.textContent = clock(mine.durationS);
}

function end() {
  if (!microphone) return;
  const { sampleRateHz } = microphone;
  const samples = microphone.stop();
  microphone = null;
  if (samples.length < MIN_KEPT_S * sampleRateHz) return show("idle", "That was too short: nothing was kept.");
  review(samples, sampleRateHz);
}

// ---- trimming --------------------------------------------------------------------------------------------------

function review(samples, sampleRateHz) {
  const durationS = samples.length / sampleRateHz;
  recorded = { samples, sampleRateHz, durationS };
  for (const trim of [parts.from, parts.to]) trim.max = durationS;
  parts.bars.hidden = !count || durationS < barS();
  show("review");
  setCut(0, durationS);
}

function again() {
  stopListening();
  recorded = null;
  show("idle");
}

function barS() {
  return (60 / count.bpm) * count.beatsPerBar;
}

function cut() {
  return { startS: Number(parts.from.value), endS: Number(parts.to.value), durationS: recorded.durationS };
}

function setCut(startS, endS) {
  stopListening();
  parts.from.value = startS;
  parts.to.value = endS;
  showCut();
}

// The end that is moved pushes nothing: it stops before the other.
function moveCut(moved) {
  const { startS, endS, durationS } = cut();
  if (moved === parts.from) setCut(Math.max(0, Math.min(startS, endS - MIN_KEPT_S)), endS);
  else setCut(startS, Math.min(durationS, Math.max(endS, startS + MIN_KEPT_S)));
}

function showCut() {
  const { startS, endS, durationS } = cut();
  parts.cutStart.style.width = `${(100 * startS) / durationS}%`;
  parts.cutEnd.style.width = `${100 - (100 * endS) / durationS}%`;
  parts.kept.textContent = `${(endS - startS).toFixed(2)} s of ${durationS.toFixed(2)} s`;
  for (const trim of [parts.from, parts.to]) trim.setAttribute("aria-valuetext", `${Number(trim.value).toFixed(2)} s`);
  window.stemWaveform.draw(parts.wave, peaks(recorded.samples));
}

function keepWholeBars() {
  const bars = wholeBars({ ...cut(), barS: barS() });
  if (bars) setCut(bars.startS, bars.endS);
}

function kept() {
  const { samples, sampleRateHz } = recorded;
  const { startS, endS } = cut();
  return samples.subarray(Math.round(startS * sampleRateHz), Math.round(endS * sampleRateHz));
}

// ---- listening -------------------------------------------------------------------------------------------------

function listen() {
  if (listening) return stopListening();
  const { sampleRateHz } = recorded;
  const samples = kept();
  const context = new AudioContext({ sampleRate: sampleRateHz });
  const buffer = context.createBuffer(1, samples.length, sampleRateHz);
  buffer.copyToChannel(samples, 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.onended = () => listening?.source === source && stopListening();
  source.start();
  listening = { context, source };
  showListening();
  requestAnimationFrame(moveHead);
}

function moveHead() {
  if (!listening) return;
  const { startS, durationS } = cut();
  parts.head.style.left = `${(100 * (startS + listening.context.currentTime)) / durationS}%`;
  requestAnimationFrame(moveHead);
}

function stopListening() {
  listening?.context.close();
  listening = null;
  showListening();
}

function showListening() {
  parts.head.hidden = !listening;
  parts.listen.replaceChildren(icon(listening ? "stop" : "play"), listening ? "Stop" : "Listen");
}

// ---- using it --------------------------------------------------------------------------------------------------

async function use() {
  stopListening();
  const file = new File([wavOf(kept(), recorded.sampleRateHz)], "recording.wav", { type: "audio/wav" });
  parts.use.disabled = true;
  parts.status.textContent = "Sending it …";
  try {
    const { path } = await upload(file);
    const { startS } = cut();
    const said = count && {
      tempo_bpm: count.bpm,
      beats_per_bar: count.beatsPerBar,
      first_downbeat_s: firstDownbeat(startS, barS()),
    };
    trigger("record", { path, said });
    again();
  } catch (error) {
    parts.status.textContent = `The recording could not be sent: ${error.message}`;
  } finally {
    parts.use.disabled = false;
  }
}

parts.stop.append(icon("stop"), "Stop");
parts.record.addEventListener("click", begin);
parts.stop.addEventListener("click", end);
parts.use.addEventListener("click", use);
parts.listen.addEventListener("click", listen);
parts.bars.addEventListener("click", keepWholeBars);
parts.tap.addEventListener("click", tap);
parts.countIn.addEventListener("change", () => (parts.tempoChoice.hidden = !chosenCount()));
for (const trim of [parts.from, parts.to]) trim.addEventListener("input", () => moveCut(trim));
window.addEventListener("appearance", () => recorded && showCut());
new ResizeObserver(() => recorded && showCut()).observe(parts.wave);
showListening();
show("idle");
