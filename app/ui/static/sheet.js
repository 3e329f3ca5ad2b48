// The sheet that explains the keys: a modal dialog, so that the browser sees to focus, Escape and what lies behind.
(() => {
  const { el, button } = globalThis.stemDom;
  const { BINDINGS, LIVE_BINDINGS } = globalThis.stemKeymap;
  const ALL = [...BINDINGS, ...LIVE_BINDINGS];
  const WORDS = ["–", "then"]; // between keys, not on them

  function keys(binding) {
    return binding.shown.map((key) =>
      WORDS.includes(key) ? el("span", { class: "between" }, key) : el("kbd", {}, key),
    );
  }

  function groups() {
    return [...new Set(ALL.map((binding) => binding.group))].map((group) =>
      el(
        "section",
        {},
        el("h3", {}, group),
        el(
          "dl",
          {},
          ALL.filter((binding) => binding.group === group).map((binding) =>
            el("div", {}, el("dt", {}, keys(binding)), el("dd", {}, binding.words)),
          ),
        ),
      ),
    );
  }

  function build() {
    const dialog = el(
      "dialog",
      { id: "key-sheet", "aria-labelledby": "key-sheet-title" },
      el(
        "header",
        {},
        el("h2", { id: "key-sheet-title" }, "Keyboard"),
        button("Close", "close", () => dialog.close(), { class: "close" }),
      ),
      el("div", { class: "groups" }, groups()),
      el("p", {}, "Drag over the bar numbers to loop them. Double-click a fader to bring it back."),
    );
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside the sheet
    document.body.append(dialog);
    return dialog;
  }

  function open() {
    const dialog = document.querySelector("#key-sheet") || build();
    if (!dialog.open) dialog.showModal();
  }

  globalThis.stemSheet = { open };
})();
