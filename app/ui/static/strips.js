// The mixer strips of the dock: name, solo, mute, fader, pan, and a lane with the waveform.
(() => {
  const { el, button, hue } = globalThis.stemDom;
  const { waveform } = globalThis.stemWaveform;
  const { dbOfFader, faderOfDb, dbWords, panWords } = globalThis.stemMixing;
  const PAN_DETENT = 0.06; // nearer to the middle is the middle

  // actions: {remove(track)}
  function build(engine, track, number, actions) {
    const wave = waveform(engine, track.url, { "aria-hidden": "true" });
    return el(
      "div",
      {
        class: `strip${track.is_candidate ? " is-candidate" : ""}`,
        role: "group",
        "aria-label": track.label,
        "data-mixer": track.mixer_id,
        "data-track": track.track_id,
        style: { "--stem": hue(track) },
      },
      el(
        "div",
        { class: "controls" },
        el("span", { class: "strip-number", "aria-hidden": "true" }, String(number)),
        el("span", { class: "strip-name", title: track.label }, track.label),
        toggle(engine, track, "isSolo", "S", `Solo ${track.label}`, `Solo (S, then ${number})`),
        toggle(engine, track, "isMuted", "M", `Mute ${track.label}`, `Mute (M, then ${number})`),
        fader(engine, track),
        panner(engine, track),
        removal(track, actions),
      ),
      el("div", { class: "lane", onclick: (event) => seekTo(engine, event) }, wave),
    );
  }

  function toggle(engine, track, field, letter, label, title) {
    const flip = () => engine.setMixer(track.mixer_id, { [field]: !engine.mixerOf(track.mixer_id)[field] });
    const attributes = { type: "button", class: `toggle ${field}`, "aria-pressed": "false", onclick: flip };
    return el("button", { ...attributes, "aria-label": label, title }, letter);
  }

  function fader(engine, track) {
    const slider = el("input", {
      type: "range",
      class: "fader",
      min: 0,
      max: 1,
      step: 0.005,
      "aria-label": `Volume of ${track.label}`,
    });
    slider.addEventListener("input", () =>
      engine.setMixer(track.mixer_id, { gainDb: dbOfFader(Number(slider.value)) }),
    );
    slider.addEventListener("dblclick", () => engine.setMixer(track.mixer_id, { gainDb: 0 }));
    return slider;
  }

  function panner(engine, track) {
    const slider = el("input", {
      type: "range",
      class: "pan",
      min: -1,
      max: 1,
      step: 0.02,
      "aria-label": `Pan of ${track.label}`,
    });
    slider.addEventListener("input", () => {
      const pan = Number(slider.value);
      engine.setMixer(track.mixer_id, { pan: Math.abs(pan) < PAN_DETENT ? 0 : pan });
    });
    slider.addEventListener("dblclick", () => engine.setMixer(track.mixer_id, { pan: 0 }));
    return slider;
  }

  // Only picked stems can be taken out; the place is kept on the other strips so that the lanes line up.
  function removal(track, actions) {
    const canGo = !track.is_candidate && track.hue !== null;
    const attributes = { class: "remove", disabled: !canGo };
    return button(`Go on without ${track.label}`, "close", () => actions.remove(track), attributes);
  }

  function seekTo(engine, event) {
    const lane = event.currentTarget.getBoundingClientRect();
    engine.seek(((event.clientX - lane.left) / lane.width) * engine.durationS);
  }

  // Shows what the mixer says, wherever that was changed.
  function show(engine, strip) {
    const mixer = engine.mixerOf(strip.dataset.mixer);
    strip.querySelector(".isSolo").setAttribute("aria-pressed", String(mixer.isSolo));
    strip.querySelector(".isMuted").setAttribute("aria-pressed", String(mixer.isMuted));
    showSlider(strip.querySelector(".fader"), faderOfDb(mixer.gainDb), dbWords(mixer.gainDb), "Volume");
    showSlider(strip.querySelector(".pan"), mixer.pan, panWords(mixer.pan), "Pan");
    const track = engine.tracks.find(({ id }) => id === strip.dataset.track);
    strip.classList.toggle("is-quiet", Boolean(track) && engine.targetGain(track) === 0);
  }

  function showSlider(slider, value, words, name) {
    if (Math.abs(Number(slider.value) - value) > 0.01) slider.value = value;
    slider.setAttribute("aria-valuetext", words);
    slider.title = `${name}: ${words}`;
  }

  globalThis.stemStrips = { build, show };
})();
