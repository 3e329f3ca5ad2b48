// On a narrow window one part of the page shows at a time; the dock's last row says which. The style sheet does the
// hiding, by `data-view` on the body.
(() => {
  const { el, icon } = globalThis.stemDom;
  const VIEWS = [
    { name: "add", label: "Add", icon: "plus" },
    { name: "feed", label: "Feed", icon: "feed" },
    { name: "mix", label: "Mix", icon: "faders" },
    { name: "tree", label: "Tree", icon: "tree" },
  ];

  function show(nav, name) {
    document.body.dataset.view = name;
    for (const tab of nav.children) tab.setAttribute("aria-pressed", String(tab.dataset.name === name));
    globalThis.scrollTo({ top: 0 });
  }

  function build(nav) {
    nav.replaceChildren(
      ...VIEWS.map((view) =>
        el(
          "button",
          { type: "button", "data-name": view.name, onclick: () => show(nav, view.name) },
          icon(view.icon),
          view.label,
        ),
      ),
    );
    show(nav, document.body.dataset.view || "feed");
    // What was asked for is to be seen arriving.
    document.addEventListener("click", (event) => {
      if (event.target.closest("#generate")) show(nav, "feed");
    });
  }

  globalThis.stemTabs = { build };
})();
