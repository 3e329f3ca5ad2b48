// The session tree: every context and every picked stem; the node we stand on is marked. Runs once at mount.
const { el, icon, button, hue } = window.stemDom;
const root = element.querySelector(".tree-root");
let renaming = null; // node id whose name is being typed

function branch(nodes, parentId, level) {
  const children = nodes.filter((node) => node.parent_id === parentId);
  if (!children.length) return null;
  const items = children.map((node) => item(nodes, node, level));
  return el("ul", { role: level === 1 ? "tree" : "group", "aria-label": level === 1 ? "Session tree" : null }, items);
}

function item(nodes, node, level) {
  return el(
    "li",
    { role: "treeitem", "aria-level": level, "aria-selected": String(node.is_current), "aria-expanded": nodes.some((child) => child.parent_id === node.node_id) ? "true" : null, "aria-label": node.label },
    el("div", { class: `node${node.is_current ? " is-current" : ""}${node.is_on_path ? " is-on-path" : ""}`, style: { "--stem": hue(node) } }, renaming === node.node_id ? nameField(node) : nameButton(node), tools(node)),
    branch(nodes, node.node_id, level + 1),
  );
}

function nameButton(node) {
  return el(
    "button",
    { type: "button", class: "name", "data-node": node.node_id, title: node.detail, onclick: () => trigger("go", { node_id: node.node_id }), ondblclick: () => startRenaming(node) },
    el("span", { class: "dot" }),
    el("span", { class: "label" }, node.label),
  );
}

function nameField(node) {
  const field = el("input", { type: "text", value: node.label, maxlength: 80, "aria-label": "New name" });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") finishRenaming(node, field.value);
    if (event.key === "Escape") finishRenaming(node, null);
  });
  field.addEventListener("blur", () => renaming === node.node_id && finishRenaming(node, field.value));
  return field;
}

function tools(node) {
  return el(
    "span",
    { class: "tools" },
    button("Rename", "pencil", () => startRenaming(node), { class: "icon-button" }),
    button(node.is_starred ? "Remove the star" : "Star", "star", () => trigger("star", { node_id: node.node_id, is_starred: !node.is_starred }), { class: "icon-button star", "aria-pressed": String(node.is_starred) }),
  );
}

function startRenaming(node) {
  renaming = node.node_id;
  render();
  const field = root.querySelector("input");
  field.focus();
  field.select();
}

function finishRenaming(node, name) {
  renaming = null;
  render();
  if (name !== null && name.trim() && name !== node.label) trigger("rename", { node_id: node.node_id, name: name.trim() });
}

function render() {
  const view = props.value;
  const focused = root.contains(document.activeElement) ? document.activeElement.dataset.node : null;
  root.replaceChildren(branch(view ? view.nodes : [], null, 1) || el("p", { class: "quiet" }, "Nothing here yet."));
  if (focused) root.querySelector(`[data-node="${focused}"]`)?.focus();
}

// Arrow keys walk the tree as in a file manager; Enter goes to the node.
root.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const names = [...root.querySelectorAll(".name")];
  const next = names[names.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) next.focus();
  event.preventDefault();
});
watch("value", () => renaming === null && render());
render();
