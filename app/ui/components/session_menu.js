// The session menu: the name of the open session opens the list of all. Runs once at mount.
const { el, icon, button } = window.stemDom;
const popover = window.stemPopover;
const find = (selector) => element.querySelector(selector);
const parts = {
  opener: find(".opener"),
  name: find(".opener-name"),
  panel: find(".panel"),
  list: find(".list"),
  file: find(".import input"),
  status: find(".status"),
  trash: find(".trash"),
  key: find(".key"),
  copyKey: find(".copy-key"),
  shared: find(".shared"),
  sharedName: find(".shared-name"),
  fork: find(".fork"),
};
let renaming = null; // session id whose name is being typed

parts.opener.append(icon("chevron"));
popover.attach(parts.opener, parts.panel, render);
parts.file.addEventListener("change", bring);
parts.fork.addEventListener("click", () => {
  history.replaceState(null, "", location.pathname); // from now on it is one's own
  trigger("fork", {});
});
parts.copyKey.addEventListener("click", () => copy(props.value.key, parts.copyKey));

// Browsers lend the clipboard to secure pages only; on others the key is marked, ready to be copied by hand.
async function copy(text, copier) {
  getSelection().selectAllChildren(parts.key);
  if (!navigator.clipboard) return;
  await navigator.clipboard.writeText(text);
  copier.textContent = "Copied";
  setTimeout(() => {
    copier.textContent = "Copy";
  }, 2000);
}

async function bring() {
  const file = parts.file.files[0];
  parts.file.value = "";
  if (!file) return;
  parts.status.textContent = "Bringing it in …";
  try {
    const { path } = await upload(file);
    trigger("bring", { path });
  } catch (error) {
    parts.status.textContent = `This file could not be sent: ${error.message}`;
  }
}

// "5 minutes ago": people look for what they did last.
function ago(ms) {
  const minutes = Math.round((Date.now() - ms) / 60000);
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (minutes < 1) return "just now";
  if (minutes < 60) return words.format(-minutes, "minute");
  if (minutes < 60 * 24) return words.format(-Math.round(minutes / 60), "hour");
  if (minutes < 60 * 24 * 30) return words.format(-Math.round(minutes / 60 / 24), "day");
  return new Date(ms).toLocaleDateString("en", { year: "numeric", month: "short", day: "numeric" });
}

function line(session) {
  const stems = `${session.num_stems} ${session.num_stems === 1 ? "stem" : "stems"}`;
  const facts = [ago(session.updated_ms), stems, session.is_shared && "shared"].filter(Boolean).join(" · ");
  const act = (name) => () => trigger(name, { session_id: session.session_id });
  return el(
    "li",
    { class: session.is_current ? "is-current" : null },
    renaming === session.session_id ? nameField(session) : opening(session, facts),
    el(
      "span",
      { class: "tools" },
      button(`Rename ${session.name}`, "pencil", () => startRenaming(session), { class: "icon-button" }),
      button(`Duplicate ${session.name}`, "copy", act("duplicate"), { class: "icon-button" }),
      button(`Move ${session.name} to the trash`, "trash", act("discard"), { class: "icon-button" }),
    ),
  );
}

function opening(session, facts) {
  const open = () => {
    popover.close();
    trigger("open", { session_id: session.session_id });
  };
  return el(
    "button",
    { type: "button", class: "session", "aria-current": session.is_current ? "true" : null, onclick: open },
    el("span", { class: "session-name" }, session.name),
    el("span", { class: "facts" }, facts),
  );
}

function nameField(session) {
  const field = el("input", {
    type: "text",
    class: "rename",
    value: session.name,
    maxlength: 80,
    "aria-label": "New name of the session",
  });
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") finishRenaming(session, field.value);
    if (event.key === "Escape") finishRenaming(session, null);
  });
  field.addEventListener("blur", () => renaming === session.session_id && finishRenaming(session, field.value));
  return field;
}

function startRenaming(session) {
  renaming = session.session_id;
  render();
  const field = find(".rename");
  field.focus();
  field.select();
}

function finishRenaming(session, name) {
  renaming = null;
  render();
  if (name?.trim() && name.trim() !== session.name) {
    trigger("title", { session_id: session.session_id, name: name.trim() });
  }
}

function thrownAway(session) {
  const restore = () => trigger("recover", { session_id: session.session_id });
  return el(
    "li",
    {},
    el("span", { class: "session-name" }, session.name),
    el("button", { type: "button", "aria-label": `Restore ${session.name}`, onclick: restore }, "Restore"),
  );
}

function render() {
  const view = props.value || { current: null, sessions: [], trash: [], shared: null, key: "" };
  window.stemBrowserKey = view.key; // live asks the server with it, too
  const { current, sessions, trash, shared } = view;
  document.body.classList.toggle("is-shared", Boolean(shared));
  parts.opener.hidden = Boolean(shared) || (!sessions.length && !trash.length);
  parts.name.textContent = current ? current.name : "Sessions";
  parts.opener.setAttribute("aria-label", current ? `Session ${current.name}; show all sessions` : "Sessions");
  parts.shared.hidden = !shared;
  if (shared) parts.sharedName.textContent = `“${shared.name}”, shared with you to listen`;
  if (renaming === null || !find(".rename")) parts.list.replaceChildren(...sessions.map(line));
  parts.trash.hidden = !trash.length;
  parts.trash.querySelector("summary").textContent = `Trash (${trash.length})`;
  parts.trash.querySelector("ul").replaceChildren(...trash.map(thrownAway));
  parts.key.textContent = view.key;
}

watch("value", () => {
  parts.status.textContent = "";
  render();
});
render();
