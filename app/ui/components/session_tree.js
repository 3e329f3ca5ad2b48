// The session tree: every context and every picked stem; the node we stand on is marked. Runs once at mount.
//
// A tree of the WAI-ARIA pattern: one stop for Tab; arrows walk and fold, Enter goes to a node, F2 renames, S stars,
// Delete throws away, [ and ] step through the siblings of a node.
const { el, icon, button, hue } = window.stemDom;
const root = element.querySelector(".tree-root");
const parts = Object.fromEntries(
  [
    "undo",
    "siblings",
    "tidy",
    "tree-filter",
    "only-starred",
    "by-instrument",
    "by-text",
    "tree-status",
    "tree-trash",
  ].map((name) => [name, element.querySelector(`.${name}`)]),
);
const FILTER_FROM = 6; // below so many nodes there is nothing to search

let renaming = null; // node id whose name is being typed
let tabbed = null; // node id that Tab leads to
const folded = new Set(); // node ids whose branches are hidden
const filter = { isStarred: false, instrument: "", text: "" };

parts.undo.append(icon("undo"), el("span", {}, "Undo"));
parts["only-starred"].append(icon("star"));
parts.undo.addEventListener("click", () => trigger("undo", {}));
parts.tidy.addEventListener("click", tidy);
parts["only-starred"].addEventListener("click", () => setFilter({ isStarred: !filter.isStarred }));
parts["by-instrument"].addEventListener("change", () => setFilter({ instrument: parts["by-instrument"].value }));
parts["by-text"].addEventListener("input", () => setFilter({ text: parts["by-text"].value }));

function view() {
  return props.value || { nodes: [], trash: [], undo: null, is_read_only: false };
}

// ---- which nodes are shown -------------------------------------------------------------------------------------

// What matches, and everything it hangs from, so that a branch is never shown without its trunk.
function shownNodes() {
  const { nodes } = view();
  if (!filter.isStarred && !filter.instrument && !filter.text.trim()) return nodes;
  const byId = new Map(nodes.map((node) => [node.node_id, node]));
  const shown = new Set();
  for (const node of nodes.filter(matches)) {
    for (let step = node; step && !shown.has(step.node_id); step = byId.get(step.parent_id)) shown.add(step.node_id);
  }
  return nodes.filter((node) => shown.has(node.node_id));
}

function matches(node) {
  const text = filter.text.trim().toLowerCase();
  return (
    (!filter.isStarred || node.is_starred) &&
    (!filter.instrument || node.instrument === filter.instrument) &&
    (!text || node.label.toLowerCase().includes(text) || node.detail.toLowerCase().includes(text))
  );
}

function setFilter(changes) {
  Object.assign(filter, changes);
  render();
}

function siblingsOf(node) {
  return view().nodes.filter((other) => other.parent_id === node.parent_id);
}

// ---- drawing ---------------------------------------------------------------------------------------------------

function branch(nodes, parentId, level) {
  const children = nodes.filter((node) => node.parent_id === parentId);
  if (!children.length) return null;
  const items = children.map((node, at) => item(nodes, node, { level, at: at + 1, of: children.length }));
  return el("ul", { role: level === 1 ? "tree" : "group", "aria-label": level === 1 ? "Session tree" : null }, items);
}

function item(nodes, node, { level, at, of }) {
  const hasChildren = nodes.some((child) => child.parent_id === node.node_id);
  const isOpen = hasChildren && !folded.has(node.node_id);
  return el(
    "li",
    {
      role: "treeitem",
      tabindex: node.node_id === tabbed ? 0 : -1,
      "data-node": node.node_id,
      "aria-level": level,
      "aria-posinset": at,
      "aria-setsize": of,
      "aria-selected": String(node.is_current),
      "aria-expanded": hasChildren ? String(isOpen) : null,
      "aria-label": node.label,
      "aria-description": [node.detail, node.is_starred ? "starred" : ""].filter(Boolean).join(", "),
    },
    row(node, hasChildren, isOpen),
    isOpen ? branch(nodes, node.node_id, level + 1) : null,
  );
}

function row(node, hasChildren, isOpen) {
  const states = [
    "node",
    node.is_current && "is-current",
    node.is_on_path && "is-on-path",
    !matches(node) && "is-passing",
  ];
  return el(
    "div",
    { class: states.filter(Boolean).join(" "), style: { "--stem": hue(node) } },
    fold(node, hasChildren, isOpen),
    renaming === node.node_id ? nameField(node) : name(node),
    view().is_read_only ? null : tools(node),
  );
}

// What is said by roles is hidden here: the item itself has the name, the state and the keys.
function fold(node, hasChildren, isOpen) {
  const mark = el("span", { class: `fold${isOpen ? " is-open" : ""}`, "aria-hidden": "true" });
  if (hasChildren) {
    mark.append(icon("chevron"));
    mark.addEventListener("click", () => setFolded(node.node_id, isOpen));
  }
  return mark;
}

function name(node) {
  return el(
    "span",
    { class: "name", title: node.detail, onclick: () => go(node.node_id), ondblclick: () => startRenaming(node) },
    el("span", { class: "dot" }),
    el("span", { class: "label" }, node.label),
  );
}

function nameField(node) {
  const field = el("input", {
    type: "text",
    class: "rename",
    value: node.label,
    maxlength: 80,
    "aria-label": "New name",
  });
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") finishRenaming(node, field.value);
    if (event.key === "Escape") finishRenaming(node, null);
  });
  field.addEventListener("blur", () => renaming === node.node_id && finishRenaming(node, field.value));
  return field;
}

function tools(node) {
  const quiet = { class: "icon-button", tabindex: -1 };
  return el(
    "span",
    { class: "tools" },
    button("Rename", "pencil", () => startRenaming(node), quiet),
    node.can_go ? button("Move to the trash", "trash", () => throwAway(node), quiet) : null,
    button(node.is_starred ? "Remove the star" : "Star", "star", () => star(node), {
      ...quiet,
      class: "icon-button star",
      "aria-pressed": String(node.is_starred),
    }),
  );
}

function renderBar() {
  const { nodes, undo, is_read_only: isReadOnly } = view();
  parts.undo.hidden = parts.tidy.hidden = isReadOnly;
  parts.undo.disabled = !undo;
  parts.undo.title = undo ? `Undo ${undo}` : "Nothing to undo";
  parts.undo.setAttribute("aria-label", parts.undo.title);
  parts.tidy.disabled = !goingOnTidy().length;
  parts.tidy.title = "Move every branch without a star to the trash";
  parts["tree-filter"].hidden = nodes.length < FILTER_FROM;
  parts["only-starred"].setAttribute("aria-pressed", String(filter.isStarred));
  renderInstruments(nodes);
  renderSiblings(nodes);
}

function renderInstruments(nodes) {
  const labels = new Map(
    nodes.filter((node) => node.instrument).map((node) => [node.instrument, node.instrument_label]),
  );
  const stamp = JSON.stringify([...labels]);
  const select = parts["by-instrument"];
  if (select.dataset.stamp === stamp) return;
  select.dataset.stamp = stamp;
  if (!labels.has(filter.instrument)) filter.instrument = "";
  select.replaceChildren(
    el("option", { value: "" }, "All"),
    ...[...labels].map(([value, label]) => el("option", { value, selected: value === filter.instrument }, label)),
  );
}

function renderSiblings(nodes) {
  const current = nodes.find((node) => node.is_current);
  const siblings = current?.parent_id ? siblingsOf(current) : [];
  parts.siblings.hidden = siblings.length < 2;
  if (siblings.length < 2) return;
  const at = siblings.indexOf(current);
  parts.siblings.replaceChildren(
    button("Previous sibling", "chevron", () => goSibling(current, -1), {
      class: "icon-button back",
      title: "Previous sibling ([)",
    }),
    el("span", {}, `${at + 1} of ${siblings.length}`),
    button("Next sibling", "chevron", () => goSibling(current, 1), {
      class: "icon-button forth",
      title: "Next sibling (])",
    }),
  );
}

function renderTrash() {
  const { trash, is_read_only: isReadOnly } = view();
  const box = parts["tree-trash"];
  box.hidden = isReadOnly || !trash.length;
  box.querySelector("summary").textContent = `Trash (${trash.length})`;
  box.querySelector("ul").replaceChildren(
    ...trash.map((node) =>
      el(
        "li",
        {},
        el(
          "span",
          { class: "label", title: node.detail },
          node.label,
          node.num_below ? el("span", { class: "quiet" }, ` and ${node.num_below} more`) : null,
        ),
        el(
          "button",
          {
            type: "button",
            class: "restore",
            "aria-label": `Restore ${node.label}`,
            onclick: () => trigger("restore", { node_id: node.node_id }),
          },
          "Restore",
        ),
      ),
    ),
  );
}

function render() {
  const nodes = shownNodes();
  const hadFocus = root.contains(document.activeElement);
  const known = new Set(nodes.map((node) => node.node_id));
  const current = nodes.find((node) => node.is_current);
  if (!known.has(tabbed)) tabbed = (current || nodes[0] || { node_id: null }).node_id;
  root.replaceChildren(
    branch(nodes, null, 1) ||
      el("p", { class: "quiet" }, view().nodes.length ? "Nothing matches." : "Nothing here yet."),
  );
  if (hadFocus && renaming === null) focusItem(tabbed);
  renderBar();
  renderTrash();
}

// ---- what people do --------------------------------------------------------------------------------------------

function go(nodeId) {
  tabbed = nodeId;
  trigger("go", { node_id: nodeId });
}

function goSibling(node, by) {
  const siblings = siblingsOf(node);
  const next = siblings[(siblings.indexOf(node) + by + siblings.length) % siblings.length];
  if (next && next !== node) go(next.node_id);
}

function star(node) {
  trigger("star", { node_id: node.node_id, is_starred: !node.is_starred });
}

function throwAway(node) {
  if (!node.can_go) return say("A context stays: put the whole session into the trash instead.");
  tabbed = node.parent_id;
  trigger("trash", { node_id: node.node_id });
  say(`${node.label} is in the trash below. Undo brings it back.`);
}

// Mirrors Editing.tidy of the server, which decides; this only says beforehand how much would go.
function goingOnTidy() {
  const { nodes } = view();
  const byId = new Map(nodes.map((node) => [node.node_id, node]));
  const staying = new Set();
  for (const node of nodes.filter((each) => each.is_starred || !each.parent_id || each.is_current)) {
    for (let step = node; step && !staying.has(step.node_id); step = byId.get(step.parent_id))
      staying.add(step.node_id);
  }
  return nodes.filter((node) => !staying.has(node.node_id));
}

function tidy() {
  const count = goingOnTidy().length;
  trigger("tidy", {});
  say(`${count} ${count === 1 ? "node" : "nodes"} without a star moved to the trash. Undo brings them back.`);
}

function startRenaming(node) {
  if (view().is_read_only) return;
  renaming = node.node_id;
  tabbed = node.node_id;
  render();
  const field = root.querySelector(".rename");
  field.focus();
  field.select();
}

function finishRenaming(node, text) {
  renaming = null;
  render();
  focusItem(node.node_id);
  if (text?.trim() && text.trim() !== node.label) trigger("rename", { node_id: node.node_id, name: text.trim() });
}

function say(words) {
  parts["tree-status"].textContent = words;
}

// ---- keys ------------------------------------------------------------------------------------------------------

function focusItem(nodeId) {
  for (const each of root.querySelectorAll("[role=treeitem]")) each.tabIndex = each.dataset.node === nodeId ? 0 : -1;
  tabbed = nodeId;
  root.querySelector(`[data-node="${nodeId}"]`)?.focus();
}

function setFolded(nodeId, isFolded) {
  if (isFolded) folded.add(nodeId);
  else folded.delete(nodeId);
  tabbed = nodeId;
  render();
}

function onKey(event) {
  const at = event.target.closest("[role=treeitem]");
  if (!at || event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
  const node = view().nodes.find((each) => each.node_id === at.dataset.node);
  const items = [...root.querySelectorAll("[role=treeitem]")];
  const act = node && { ...walking(at, node, items), ...changing(node) }[event.key];
  if (!act) return;
  event.preventDefault();
  event.stopPropagation(); // the page has meanings of its own for some of these keys
  act();
}

function walking(at, node, items) {
  const step = (by) => items[items.indexOf(at) + by] && focusItem(items[items.indexOf(at) + by].dataset.node);
  const isOpen = at.getAttribute("aria-expanded");
  return {
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Home: () => focusItem(items[0].dataset.node),
    End: () => focusItem(items[items.length - 1].dataset.node),
    ArrowRight: () => (isOpen === "false" ? setFolded(node.node_id, false) : isOpen === "true" && step(1)),
    ArrowLeft: () => (isOpen === "true" ? setFolded(node.node_id, true) : node.parent_id && focusItem(node.parent_id)),
    Enter: () => go(node.node_id),
    "[": () => goSibling(node, -1),
    "]": () => goSibling(node, 1),
  };
}

function changing(node) {
  if (view().is_read_only) return {};
  return {
    F2: () => startRenaming(node),
    Delete: () => throwAway(node),
    s: () => star(node),
    u: () => view().undo && trigger("undo", {}),
  };
}

root.addEventListener("keydown", onKey);
root.addEventListener("focusin", (event) => {
  const at = event.target.closest("[role=treeitem]");
  if (at && event.target === at && at.dataset.node !== tabbed) focusItem(at.dataset.node);
});
watch("value", () => renaming === null && render());
render();
