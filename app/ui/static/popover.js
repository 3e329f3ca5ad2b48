// Panels that open below a button: one at a time, closed by Escape, by a click elsewhere, or by the button itself.
(() => {
  let open = null; // {button, panel}

  function close({ isFocusKept } = {}) {
    if (!open) return;
    const { button, panel } = open;
    open = null;
    panel.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (!isFocusKept) button.focus();
  }

  function attach(button, panel, onopen) {
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-haspopup", "dialog");
    panel.setAttribute("role", "dialog");
    panel.hidden = true;
    button.addEventListener("click", () => {
      const isMine = open && open.panel === panel;
      close();
      if (isMine) return;
      open = { button, panel };
      panel.hidden = false;
      button.setAttribute("aria-expanded", "true");
      if (onopen) onopen();
      panel.querySelector("button, input, select, summary, a")?.focus();
    });
  }

  if (!window.stemPopover) {
    window.stemPopover = { attach, close };
    document.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Escape" || !open) return;
        event.stopPropagation();
        close();
      },
      true,
    );
    document.addEventListener("pointerdown", (event) => {
      if (open && !open.panel.contains(event.target) && !open.button.contains(event.target))
        close({ isFocusKept: true });
    });
  }
})();
