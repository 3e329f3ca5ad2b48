// Out of the browser: downloads of the open node, and the link of its session. Runs once at mount.
const { el, icon } = window.stemDom;
const popover = window.stemPopover;
const find = (selector) => element.querySelector(selector);
const parts = {
  menu: find(".export-menu"),
  share: find(".share-opener"),
  sharePanel: find(".share-panel"),
  export: find(".export-opener"),
  exportPanel: find(".export-panel"),
  what: find(".what"),
  choices: find(".choices"),
  hint: find(".hint"),
  status: find(".status"),
};
let isBusy = false;

parts.share.prepend(icon("share"));
parts.export.prepend(icon("download"));
popover.attach(parts.share, parts.sharePanel);
popover.attach(parts.export, parts.exportPanel);

function view() {
  return props.value || { node_id: null };
}

// ---- downloads -------------------------------------------------------------------------------------------------

function choice(title, words, what, formats) {
  const buttons = formats.map((format) =>
    el(
      "button",
      {
        type: "button",
        class: "format",
        "data-export": `${what}.${format}`,
        "aria-label": `${title} as ${format.toUpperCase()}`,
        onclick: () => download(`/export/${view().node_id}/${what}.${format}`),
      },
      format.toUpperCase(),
    ),
  );
  return el(
    "div",
    { class: "choice" },
    el("div", {}, el("strong", {}, title), el("span", { class: "words" }, words)),
    el("div", { class: "formats" }, buttons),
  );
}

function renderExport() {
  const { title, mix, package: archive, has_notes: hasNotes, muted, num_sounds: numSounds, session } = view();
  parts.what.textContent = title;
  const stems = numSounds === 1 ? "the context" : `${numSounds} stems`;
  parts.choices.replaceChildren(
    choice(
      "Everything for a DAW",
      `${stems}, the mix, a Reaper project, MIDI and settings in one zip`,
      "package",
      archive,
    ),
    choice("Mix", "one file, as the faders stand", "mix", mix),
    ...(hasNotes ? [choice("Notes", "the stems as MIDI, a track each", "midi", ["mid"])] : []),
    choice("Settings", "seeds and settings, to make it again", "settings", ["json"]),
    ...(session ? [wholeSession(session)] : []),
  );
  parts.hint.textContent = muted.length ? `Muted, so not in the mix: ${muted.join(", ")}.` : "";
}

function wholeSession({ session_id: sessionId }) {
  const save = () => download(`/export/session/${sessionId}.zip`);
  return el(
    "div",
    { class: "choice" },
    el(
      "div",
      {},
      el("strong", {}, "Whole session"),
      el("span", { class: "words" }, "the tree with everything in it, to bring to another studio"),
    ),
    el(
      "div",
      { class: "formats" },
      el(
        "button",
        {
          type: "button",
          class: "format",
          "data-export": "session.zip",
          "aria-label": "Whole session as ZIP",
          onclick: save,
        },
        "ZIP",
      ),
    ),
  );
}

async function download(address) {
  if (isBusy) return;
  setBusy(true, "Preparing the file …");
  try {
    const answer = await fetch(address, { headers: { "X-StemGen-Browser": view().media_key } });
    if (!answer.ok) throw new Error(await answer.text());
    const content = await answer.blob();
    const name = nameOf(answer.headers.get("Content-Disposition"));
    save(content, name);
    setBusy(false, `Saved ${name} (${size(content.size)}).`);
  } catch (error) {
    setBusy(false, `This did not work: ${error.message}`);
  }
}

function nameOf(disposition) {
  const told = /filename\*=UTF-8''([^;]+)/.exec(disposition || "");
  return told ? decodeURIComponent(told[1]) : "stemgen";
}

function save(content, name) {
  const url = URL.createObjectURL(content);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function setBusy(isBusyNow, words) {
  isBusy = isBusyNow;
  parts.status.textContent = words;
  parts.choices.setAttribute("aria-busy", String(isBusyNow));
  for (const format of parts.choices.querySelectorAll(".format")) format.disabled = isBusyNow;
}

// ---- the link --------------------------------------------------------------------------------------------------

function renderShare() {
  const { session } = view();
  parts.share.hidden = !session;
  if (!session) return;
  const token = session.share_token;
  parts.sharePanel.replaceChildren(
    el("h3", {}, "Show this session to others"),
    el(
      "p",
      {},
      "Whoever has the link can listen to everything in this session, and copy it to go on from there. Nobody can change yours.",
    ),
    token
      ? linkRow(`${location.origin}/?share=${token}`)
      : el("button", { type: "button", class: "primary", onclick: () => trigger("link", {}) }, "Make a link"),
    token
      ? el(
          "button",
          { type: "button", class: "plain unshare", onclick: () => trigger("unlink", {}) },
          "Take the link back",
        )
      : "",
  );
}

function linkRow(address) {
  const field = el("input", {
    type: "text",
    readonly: true,
    value: address,
    class: "link",
    "aria-label": "Link to this session",
    onfocus: (event) => event.target.select(),
  });
  const copier = el("button", { type: "button", class: "primary" }, "Copy");
  copier.addEventListener("click", async () => {
    field.select();
    // Browsers lend the clipboard to secure pages only; on others the link is marked, ready to be copied by hand.
    if (!navigator.clipboard) return;
    await navigator.clipboard.writeText(address);
    copier.textContent = "Copied";
  });
  return el("div", { class: "link-row" }, field, copier);
}

function render() {
  const isOpen = Boolean(view().node_id);
  parts.menu.hidden = !isOpen;
  if (!isOpen) return;
  renderShare();
  const stamp = JSON.stringify(view());
  if (parts.choices.dataset.stamp !== stamp) {
    parts.choices.dataset.stamp = stamp;
    if (!isBusy) parts.status.textContent = "";
    renderExport();
  }
}

watch("value", render);
render();
