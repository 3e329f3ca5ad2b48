// Keyboard of the studio: Space play, 1-4 variation, 0 none, Enter pick, Home back to the start.
(function () {
  "use strict";

  const TYPING = "input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]";
  const OPERATED = "button, a, summary, input, [role=button], [role=treeitem], [role=option]";

  function isTyping(target) {
    return target.closest && target.closest(TYPING) !== null;
  }

  // A control reached with Tab keeps its own Space and Enter; one that was merely clicked gives them to the transport.
  function isOperating(target) {
    const control = target.closest && target.closest(OPERATED);
    return control !== null && control !== undefined && control.matches(":focus-visible");
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const { stemEngine: engine, stemStage: stage } = window;
    if (!stage.dock) return;
    const act = actionFor(event, engine, stage);
    if (!act) return;
    event.preventDefault();
    act();
  }

  function actionFor(event, engine, stage) {
    if (/^[1-8]$/.test(event.key)) return () => stage.auditionIndex(Number(event.key) - 1);
    if (event.key === "0") return () => engine.setCandidate(null);
    if (event.key === "Home") return () => engine.seek(0);
    if (isOperating(event.target)) return null;
    if (event.key === " ") return () => engine.toggle();
    if (event.key === "Enter" && stage.candidate()) return () => stage.dispatchEvent(new Event("pick"));
    return null;
  }

  if (!window.stemKeys) {
    window.stemKeys = true;
    document.addEventListener("keydown", onKey);
  }
})();
