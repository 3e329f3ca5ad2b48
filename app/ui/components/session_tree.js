// The session tree: every context and every picked stem; the node we stand on is marked. Runs once at mount.
//
// A tree of the WAI-ARIA pattern: one stop for Tab; arrows walk and fold, Enter goes to a node, F2 renames, C comments,
// S stars, Delete throws away, [ and ] step through the siblings of a node.
const { el, icon, button } = window.stemDom;
const { shownNodes, goingOnTidy, branch } = window.stemTree;
const stage = window.stemStage;
const root = element.querySelector(".tree-root");
const parts = Object.fromEntries(
  [
    "undo",
    "redo",
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

let drawn = ""; // what the tree was drawn from
let editing = null; // {nodeId, what} of what is being typed
let tabbed = null; // node id that Tab leads to
const folded = new Set(); // node ids whose branches are hidden
const filter = { isStarred: false, instrument: "", text: "" };

parts.undo.append(icon("undo"));
parts.redo.append(icon("redo"));
parts["only-starred"].append(icon("star"));
parts.undo.addEventListener("click", undo);
parts.redo.addEventListener("click", redo);
parts.tidy.addEventListener("click", tidy);
parts["only-starred"].addEventListener("click", () => setFilter({ isStarred: !filter.isStarred }));
parts["by-instrument"].addEventListener("change", () => setFilter({ instrument: parts["by-instrument"].value }));
parts["by-text"].addEventListener("input", () => setFilter({ text: parts["by-text"].value }));

function view() {
  return props.value || { nodes: [], trash: [], undo: null, redo: null, is_read_only: false };
}

// ---- which nodes are shown -------------------------------------------------------------------------------------

function setFilter(changes) {
  Object.assign(filter, changes);
  render();
}

function siblingsOf(node) {
  return view().nodes.filter((other) => other.parent_id === node.parent_id);
}

// ---- drawing ---------------------------------------------------------------------------------------------------

function renderBar() {
  const { nodes, is_read_only: isReadOnly } = view();
  parts.undo.hidden = parts.redo.hidden = parts.tidy.hidden = isReadOnly;
  for (const [name, verb] of [
    ["undo", "Undo"],
    ["redo", "Redo"],
  ]) {
    const what = view()[name];
    parts[name].disabled = !what;
    parts[name].title = what ? `${verb} ${what}` : `Nothing to ${name}`;
    parts[name].setAttribute("aria-label", parts[name].title);
  }
  parts.tidy.disabled = !goingOnTidy(nodes).length;
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
  drawn = JSON.stringify(view());
  const nodes = shownNodes(view().nodes, filter);
  const hadFocus = root.contains(document.activeElement);
  const known = new Set(nodes.map((node) => node.node_id));
  const current = nodes.find((node) => node.is_current);
  if (!known.has(tabbed)) tabbed = (current || nodes[0] || { node_id: null }).node_id;
  root.replaceChildren(
    branch({ nodes, filter, folded, tabbed, editing, isReadOnly: view().is_read_only, actions }) ||
      el("p", { class: "quiet" }, view().nodes.length ? "Nothing matches." : "Nothing here yet."),
  );
  if (hadFocus && editing === null) focusItem(tabbed);
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

function tidy() {
  const count = goingOnTidy(view().nodes).length;
  trigger("tidy", {});
  say(`${count} ${count === 1 ? "node" : "nodes"} without a star moved to the trash. Undo brings them back.`);
}

function undo() {
  if (view().undo && !view().is_read_only) trigger("undo", {});
}

function redo() {
  if (view().redo && !view().is_read_only) trigger("redo", {});
}

function edit(node, what) {
  if (view().is_read_only) return;
  editing = { nodeId: node.node_id, what };
  tabbed = node.node_id;
  render();
  const field = root.querySelector(".rename");
  field.focus();
  field.select();
}

function finishEditing(node, what, text) {
  if (editing === null) return; // Enter was first; leaving the field comes after
  editing = null;
  render();
  focusItem(node.node_id);
  const words = text?.trim();
  if (what === "name" && words && words !== node.label) trigger("rename", { node_id: node.node_id, name: words });
  if (what === "comment" && text !== null && words !== node.comment)
    trigger("comment", { node_id: node.node_id, comment: words });
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
    F2: () => edit(node, "name"),
    c: () => edit(node, "comment"),
    Delete: () => throwAway(node),
    s: () => star(node),
    u: undo,
  };
}

const actions = { go, edit, finishEditing, setFolded, star, throwAway };

root.addEventListener("keydown", onKey);
root.addEventListener("focusin", (event) => {
  const at = event.target.closest("[role=treeitem]");
  if (at && event.target === at && at.dataset.node !== tabbed) focusItem(at.dataset.node);
});
stage.addEventListener("undo", undo);
stage.addEventListener("redo", redo);
// What is as it was stays the same elements: a double click must find at its second what it met at its first.
watch("value", () => editing === null && JSON.stringify(view()) !== drawn && render());
render();
