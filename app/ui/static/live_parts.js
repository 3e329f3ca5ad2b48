// The band of live: one card for each part, saying what it plays, what comes and when.
(() => {
  const { el, icon, button, hue } = globalThis.stemDom;
  const { dbOfFader, faderOfDb, dbWords } = globalThis.stemMixing;

  // What is said of a part. until: seconds until a loop begins.
  function statusOf(part, making, until) {
    if (!part.is_on) return "off";
    if (part.coming) return `version ${part.coming.number} comes in ${seconds(until(part.coming.loop))}`;
    if (making?.part_id === part.part_id) {
      return part.playing ? `making the next, for in ${seconds(until(making.loop))}` : "making its first version";
    }
    if (!part.playing) return "waits for its turn";
    if (part.is_fixed) return part.is_timekeeper ? "keeps time until somebody plays" : "stays as it is";
    return part.is_held ? `held at version ${part.playing.number}` : `plays version ${part.playing.number}`;
  }

  function seconds(value) {
    return value < 0 ? "a moment" : `${value.toFixed(1)} s`;
  }

  function toggle(label, iconName, onclick, title) {
    const made = button(label, iconName, onclick, { title, "aria-pressed": "false" });
    return made;
  }

  // act(what, more): tells the server; setGain(partId, db).
  function build(part, number, { act, setGain }) {
    const { part_id } = part;
    const on = el(
      "button",
      { type: "button", class: "on", title: `On or off from the next loop (key ${number})`, "aria-pressed": "true" },
      el("span", { class: "dot", "aria-hidden": "true" }),
      el("span", { class: "name" }, part.label),
    );
    const hold = toggle(
      `Hold ${part.label}`,
      "lock",
      () => act("hold", { part_id, is_held: !isPressed(hold) }),
      "Hold",
    );
    const again = button(`${part.label}: another version`, "retry", () => act("regenerate", { part_id }), {
      title: "Another version now",
    });
    const undo = button(`${part.label}: the version before`, "undo", () => act("undo", { part_id }), {
      title: "Back to the version before, and hold it",
    });
    const leave = button(`Take ${part.label} out`, "close", () => act("remove", { part_id }), { title: "Take it out" });
    const level = el("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 0.005,
      value: faderOfDb(0),
      "aria-label": `Volume of ${part.label}`,
    });
    level.addEventListener("input", () => {
      const db = dbOfFader(Number(level.value));
      level.setAttribute("aria-valuetext", dbWords(db));
      setGain(part_id, Number.isFinite(db) ? db : -96);
    });
    on.addEventListener("click", () => act("switch", { part_id, is_on: !isPressed(on) }));
    const tools = part.is_fixed ? [] : [hold, again, undo, leave];
    return el(
      "li",
      { class: "part", style: { "--stem": hue(part) }, "data-part": part_id },
      on,
      el("span", { class: "status" }),
      level,
      el("span", { class: "tools" }, ...tools),
    );
  }

  function isPressed(toggleButton) {
    return toggleButton.getAttribute("aria-pressed") === "true";
  }

  function show(card, part, making, until) {
    card.classList.toggle("is-off", !part.is_on);
    card.classList.toggle("is-making", making?.part_id === part.part_id);
    card.querySelector(".on").setAttribute("aria-pressed", String(part.is_on));
    card.querySelector(".status").textContent = statusOf(part, making, until);
    const tools = card.querySelector(".tools").children;
    if (!tools.length) return;
    tools[0].setAttribute("aria-pressed", String(part.is_held));
    tools[2].disabled = !part.can_undo;
  }

  // Cards stay while their parts do, so that the focus and the faders stay, too.
  function render(list, jam, until, doers) {
    const wanted = jam.parts.map((part) => part.part_id);
    for (const card of [...list.children]) if (!wanted.includes(card.dataset.part)) card.remove();
    jam.parts.forEach((part, at) => {
      let card = [...list.children].find((each) => each.dataset.part === part.part_id);
      if (!card) {
        card = build(part, at + 1, doers);
        list.append(card);
      }
      show(card, part, jam.making, until);
    });
  }

  globalThis.stemLiveParts = { statusOf, render, icon };
})();
