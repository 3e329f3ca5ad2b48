// Studio or live. The style sheet does the hiding, by `data-mode` on the body. Runs once at mount.
const buttons = [...element.querySelectorAll("[data-mode]")];

function show(mode) {
  document.body.dataset.mode = mode;
  for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  window.scrollTo({ top: 0 });
  window.dispatchEvent(new CustomEvent("studiomode", { detail: mode }));
}

for (const button of buttons) button.addEventListener("click", () => show(button.dataset.mode));
window.addEventListener("gostudio", () => show("studio"));
show(document.body.dataset.mode || "studio");
