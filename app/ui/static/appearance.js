// Light or dark: as the system says, unless somebody chose. Gradio's own switch is the class `dark` on the body; it sets
// that once when it mounts and again when the system changes, so it is put right after both.
(() => {
  const KEY = "stemgen-appearance";
  const system = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : null;
  }

  function isDark() {
    return chosen() ? chosen() === "dark" : system.matches;
  }

  function apply() {
    document.documentElement.classList.toggle("is-dark", isDark());
    document.documentElement.style.colorScheme = isDark() ? "dark" : "light";
    document.body?.classList.toggle("dark", isDark());
    globalThis.dispatchEvent(new Event("appearance")); // canvases have no style sheet to follow
  }

  function flip() {
    const wanted = isDark() ? "light" : "dark";
    const isSystems = (wanted === "dark") === system.matches;
    if (isSystems)
      localStorage.removeItem(KEY); // and follows the system again
    else localStorage.setItem(KEY, wanted);
    apply();
  }

  if (!globalThis.stemAppearance) {
    globalThis.stemAppearance = { apply, flip, isDark };
    apply();
    document.addEventListener("DOMContentLoaded", apply);
    system.addEventListener("change", () => setTimeout(apply));
  }
})();
