// Small helpers to build the page's own elements. Text goes in through textContent only, never as markup.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const ICONS = {
    play: "M7 4.5v15l12.5-7.5z",
    pause: "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z",
    stop: "M6 6h12v12H6z",
    loop: "M17 3l4 4-4 4V8H7a3 3 0 0 0-3 3v1H2v-1a5 5 0 0 1 5-5h10zM7 21l-4-4 4-4v3h10a3 3 0 0 0 3-3v-1h2v1a5 5 0 0 1-5 5H7z",
    star: "M12 2.8l2.8 5.9 6.4.8-4.7 4.4 1.2 6.4L12 17.2l-5.7 3.1 1.2-6.4L2.8 9.5l6.4-.8z",
    check: "M9.5 16.2L5 11.7l-1.6 1.6 6.1 6.1L21 7.9l-1.6-1.6z",
    close: "M6.4 5L5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12 19 6.4 17.6 5 12 10.6z",
    pencil: "M4 17.2V20h2.8L17.4 9.4l-2.8-2.8zM19.7 7.1a1 1 0 0 0 0-1.4l-1.4-1.4a1 1 0 0 0-1.4 0l-1.2 1.2 2.8 2.8z",
    retry: "M12 5V1.5L7 6.5l5 5V7a5 5 0 1 1-5 5H5a7 7 0 1 0 7-7z",
    warning: "M12 3L1.8 20.5h20.4zm-1 6.5h2v5.5h-2zm0 7h2v2h-2z",
    undo: "M12.5 8c-2.7 0-5.1 1-6.9 2.6L2 7v9h9l-3.6-3.6A7.6 7.6 0 0 1 12.5 10c3.5 0 6.5 2.3 7.6 5.5l2.3-.8A10.5 10.5 0 0 0 12.5 8z",
    record: "M12 5a7 7 0 1 1 0 14 7 7 0 0 1 0-14z",
    redo: "M11.5 8c2.7 0 5.1 1 6.9 2.6L22 7v9h-9l3.6-3.6a7.6 7.6 0 0 0-5.1-2.4c-3.5 0-6.5 2.3-7.6 5.5l-2.3-.8A10.5 10.5 0 0 1 11.5 8z",
    comment:
      "M4 4h16a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1h-9.5L6 20.8V17H4a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zm1 2v9h3v1.8l1.9-1.8H19V6z",
    trash: "M6 19a2 2 0 0 0 2 2h8a2 2 0 0 0 2-2V8H6zM19 4.5h-3.5l-1-1h-5l-1 1H5v2h14z",
    copy: "M16 2H5a2 2 0 0 0-2 2v13h2V4h11zm3 4H9a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8a2 2 0 0 0-2-2zm0 14H9V8h10z",
    share:
      "M16 5l-1.4 1.4-1.6-1.6V15h-2V4.8L9.4 6.4 8 5l4-4zM20 10v10a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V10a2 2 0 0 1 2-2h3v2H6v10h12V10h-3V8h3a2 2 0 0 1 2 2z",
    download: "M19 9.5h-4v-6H9v6H5l7 7zM5 18.5v2h14v-2z",
    more: "M5 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4zm7 0a2 2 0 1 1 0 4 2 2 0 0 1 0-4zm7 0a2 2 0 1 1 0 4 2 2 0 0 1 0-4z",
    lock: "M12 2a5 5 0 0 0-5 5v3H5v12h14V10h-2V7a5 5 0 0 0-5-5zm0 2a3 3 0 0 1 3 3v3H9V7a3 3 0 0 1 3-3z",
    chevron: "M7 9.5l5 5 5-5-1.4-1.4-3.6 3.6-3.6-3.6z",
    start: "M6 5h2.5v14H6zM19 5v14l-9.5-7z",
    speaker: "M4 9v6h4l5 4.5v-15L8 9zM15.5 8.3a5 5 0 0 1 0 7.4l-1.2-1.3a3.2 3.2 0 0 0 0-4.8z",
    keyboard:
      "M3 5.5h18a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1v-11a1 1 0 0 1 1-1zm1 2v9h16v-9zM6 9.5h2v2H6zm4 0h2v2h-2zm4 0h2v2h-2zM7 13h10v2H7z",
    plus: "M11 4.5h2V11h6.5v2H13v6.5h-2V13H4.5v-2H11z",
    feed: "M4 5h16v3H4zm0 5.5h16v3H4zM4 16h10v3H4z",
    faders:
      "M5 4h2v7H5zm0 11h2v5H5zM3.5 12h5v2h-5zM11 4h2v3h-2zm0 7h2v9h-2zM9.5 8h5v2h-5zM17 4h2v9h-2zm0 13h2v3h-2zM15.5 14h5v2h-5z",
    tree: "M5 3h4v4H8v3h6V9h4v4h-4v-1H8v6h6v-1h4v4h-4v-1H6V7H5z",
    sun: "M12 7.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM11 2h2v3h-2zm0 17h2v3h-2zM2 11h3v2H2zm17 0h3v2h-3zM4.2 5.6l1.4-1.4 2.1 2.1-1.4 1.4zm12.1 12.1l1.4-1.4 2.1 2.1-1.4 1.4zM5.6 19.8l-1.4-1.4 2.1-2.1 1.4 1.4zM17.7 7.7l-1.4-1.4 2.1-2.1 1.4 1.4z",
    moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  };

  function icon(name) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("class", "icon");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
    return svg;
  }

  // el("button", {class: "x", onclick: fn, "aria-label": "y"}, child, "text", ...)
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === false || value === null || value === undefined) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "style") {
        for (const [key, entry] of Object.entries(value)) node.style.setProperty(key, entry);
      } else node.setAttribute(name, value === true ? "" : String(value));
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }

  function button(label, iconName, onclick, attributes) {
    return el(
      "button",
      { type: "button", "aria-label": label, title: label, onclick, ...attributes },
      iconName ? icon(iconName) : null,
    );
  }

  function clock(seconds) {
    const whole = Math.max(0, seconds);
    const minutes = Math.floor(whole / 60);
    return `${minutes}:${(whole - 60 * minutes).toFixed(1).padStart(4, "0")}`;
  }

  function remaining(seconds) {
    if (seconds === null || seconds === undefined) return "";
    if (seconds < 1.5) return "about a second";
    return seconds < 90 ? `about ${Math.round(seconds)} s` : `about ${Math.round(seconds / 60)} min`;
  }

  // The colour of a stem, the same wherever it is shown: theme.py gives each category a hue.
  function hue(track) {
    return track.hue === null || track.hue === undefined ? "var(--studio-context)" : `var(--studio-hue-${track.hue})`;
  }

  // Rebuilds the children of `parent` from `items`, keeping the element of every key that stays and has not changed.
  function keyed(parent, items, keyOf, build) {
    const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
    const next = items.map((item) => {
      const key = keyOf(item);
      const stamp = JSON.stringify(item);
      const kept = old.get(key);
      if (kept && kept.dataset.stamp === stamp) return kept;
      const made = build(item);
      made.dataset.key = key;
      made.dataset.stamp = stamp;
      return made;
    });
    const isSame = next.length === parent.children.length && next.every((node, at) => parent.children[at] === node);
    if (!isSame) parent.replaceChildren(...next);
  }

  globalThis.stemDom = { el, icon, button, clock, remaining, hue, keyed };
})();
