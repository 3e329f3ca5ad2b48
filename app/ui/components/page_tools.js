// Light or dark. Runs once at mount.
const { icon } = window.stemDom;
const appearance = window.stemAppearance;
const toggle = element.querySelector(".appearance");

function render() {
  const words = appearance.isDark() ? "Light appearance" : "Dark appearance";
  toggle.replaceChildren(icon(appearance.isDark() ? "sun" : "moon"));
  toggle.setAttribute("aria-label", words);
  toggle.title = words;
}

toggle.addEventListener("click", () => appearance.flip());
window.addEventListener("appearance", render);
appearance.apply(); // Gradio has just set its own
render();
