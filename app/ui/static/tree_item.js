// The items of the session tree: which of them are shown, and how each is drawn.
(() => {
  const { el, icon, button, hue } = globalThis.stemDom;

  // ---- pure -----------------------------------------------------------------------------------------------------

  function matches(node, filter) {
    const text = filter.text.trim().toLowerCase();
    return (
      (!filter.isStarred || node.is_starred) &&
      (!filter.instrument || node.instrument === filter.instrument) &&
      (!text || [node.label, node.detail, node.comment].some((words) => words.toLowerCase().includes(text)))
    );
  }

  // What matches, and everything it hangs from, so that a branch is never shown without its trunk.
  function shownNodes(nodes, filter) {
    if (!filter.isStarred && !filter.instrument && !filter.text.trim()) return nodes;
    const shown = withTrunks(
      nodes,
      nodes.filter((node) => matches(node, filter)),
    );
    return nodes.filter((node) => shown.has(node.node_id));
  }

  // Mirrors Editing.tidy of the server, which decides; this only says beforehand how much would go.
  function goingOnTidy(nodes) {
    const staying = withTrunks(
      nodes,
      nodes.filter((node) => node.is_starred || !node.parent_id || node.is_current),
    );
    return nodes.filter((node) => !staying.has(node.node_id));
  }

  function withTrunks(nodes, chosen) {
    const byId = new Map(nodes.map((node) => [node.node_id, node]));
    const found = new Set();
    for (const node of chosen) {
      for (let step = node; step && !found.has(step.node_id); step = byId.get(step.parent_id)) found.add(step.node_id);
    }
    return found;
  }

  // ---- elements -------------------------------------------------------------------------------------------------

  // tree: {nodes, filter, folded, tabbed, editing, isReadOnly, actions}. editing: {nodeId, what: "name" | "comment"}.
  function branch(tree, parentId = null, level = 1) {
    const children = tree.nodes.filter((node) => node.parent_id === parentId);
    if (!children.length) return null;
    const items = children.map((node, at) => item(tree, node, { level, at: at + 1, of: children.length }));
    return el("ul", { role: level === 1 ? "tree" : "group", "aria-label": level === 1 ? "Session tree" : null }, items);
  }

  function item(tree, node, { level, at, of }) {
    const hasChildren = tree.nodes.some((child) => child.parent_id === node.node_id);
    const isOpen = hasChildren && !tree.folded.has(node.node_id);
    const told = [node.detail, node.is_starred ? "starred" : "", node.comment];
    return el(
      "li",
      {
        role: "treeitem",
        tabindex: node.node_id === tree.tabbed ? 0 : -1,
        "data-node": node.node_id,
        "aria-level": level,
        "aria-posinset": at,
        "aria-setsize": of,
        "aria-selected": String(node.is_current),
        "aria-expanded": hasChildren ? String(isOpen) : null,
        "aria-label": node.label,
        "aria-description": told.filter(Boolean).join(", "),
      },
      row(tree, node, hasChildren, isOpen),
      isOpen ? branch(tree, node.node_id, level + 1) : null,
    );
  }

  function row(tree, node, hasChildren, isOpen) {
    const states = [
      "node",
      node.is_current && "is-current",
      node.is_on_path && "is-on-path",
      !matches(node, tree.filter) && "is-passing",
    ];
    const isEdited = (what) => tree.editing?.nodeId === node.node_id && tree.editing.what === what;
    return el(
      "div",
      { class: states.filter(Boolean).join(" "), style: { "--stem": hue(node) } },
      fold(tree, node, hasChildren, isOpen),
      isEdited("name") ? field(tree, node, "name") : name(tree, node),
      tree.isReadOnly ? null : tools(tree, node),
      isEdited("comment") ? field(tree, node, "comment") : comment(node),
    );
  }

  // What is said by roles is hidden here: the item itself has the name, the state and the keys.
  function fold(tree, node, hasChildren, isOpen) {
    const mark = el("span", { class: `fold${isOpen ? " is-open" : ""}`, "aria-hidden": "true" });
    if (hasChildren) {
      mark.append(icon("chevron"));
      mark.addEventListener("click", () => tree.actions.setFolded(node.node_id, isOpen));
    }
    return mark;
  }

  function name(tree, node) {
    const edit = () => tree.actions.edit(node, "name");
    return el(
      "span",
      { class: "name", title: node.detail, onclick: () => tree.actions.go(node.node_id), ondblclick: edit },
      el("span", { class: "dot" }),
      el("span", { class: "label" }, node.label),
    );
  }

  function comment(node) {
    return node.comment ? el("span", { class: "comment", "aria-hidden": "true" }, node.comment) : null;
  }

  const FIELDS = {
    name: { class: "rename", label: "New name", maxlength: 80, read: (node) => node.label },
    comment: { class: "rename of-comment", label: "Comment", maxlength: 300, read: (node) => node.comment },
  };

  function field(tree, node, what) {
    const { class: name, label, maxlength, read } = FIELDS[what];
    const attributes = { type: "text", class: name, value: read(node), maxlength, "aria-label": label };
    const input = el("input", attributes);
    const finish = (text) => tree.actions.finishEditing(node, what, text);
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") finish(input.value);
      if (event.key === "Escape") finish(null);
    });
    input.addEventListener("blur", () => input.isConnected && finish(input.value));
    return input;
  }

  function tools(tree, node) {
    const { actions } = tree;
    const quiet = { class: "icon-button", tabindex: -1 };
    return el(
      "span",
      { class: "tools" },
      button("Rename", "pencil", () => actions.edit(node, "name"), quiet),
      button(
        node.comment ? "Change the comment" : "Write a comment",
        "comment",
        () => actions.edit(node, "comment"),
        quiet,
      ),
      node.can_go ? button("Move to the trash", "trash", () => actions.throwAway(node), quiet) : null,
      button(node.is_starred ? "Remove the star" : "Star", "star", () => actions.star(node), {
        ...quiet,
        class: "icon-button star",
        "aria-pressed": String(node.is_starred),
      }),
    );
  }

  globalThis.stemTree = { matches, shownNodes, goingOnTidy, branch };
})();
