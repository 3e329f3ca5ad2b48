// The keyboard of the studio: keymap.js says which key does what, here it is done.
(() => {
  const { bindingOf, KeyReader } = globalThis.stemKeymap;
  const TYPING = "input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]";
  const OPERATED = "button, a, summary, input, [role=button], [role=treeitem], [role=option], [role=slider]";
  const LISTEN_MODES = ["mix", "context", "solo"];
  const reader = new KeyReader();

  function isTyping(target) {
    return Boolean(target.closest?.(TYPING));
  }

  // A control reached with Tab keeps its own Space, Enter and arrows; one that was merely clicked gives them to the
  // transport. (`:focus-visible` can't tell: it becomes true of a clicked button with the first key pressed.)
  let reached = null; // the control that Tab came to
  let isTabbing = false;

  function onFocus(event) {
    reached = isTabbing ? event.target : null;
  }

  function onPointer() {
    isTabbing = false;
    reached = null;
  }

  function isOperating(target) {
    const control = target.closest?.(OPERATED);
    return Boolean(control) && control === reached?.closest?.(OPERATED);
  }

  function isForUs(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return false;
    if (document.body.dataset.mode === "live") return false;
    return !document.querySelector("dialog[open]") && Boolean(bindingOf(event.key) || /^9$/.test(event.key));
  }

  // Undo has its own chord everywhere: Ctrl or Cmd and Z, with Shift the other way.
  function isUndoing(event) {
    return (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "z";
  }

  function onKeyDown(event) {
    if (isUndoing(event) && !isTyping(event.target)) {
      event.preventDefault();
      globalThis.stemStage.dispatchEvent(new Event(event.shiftKey ? "redo" : "undo"));
      return;
    }
    isTabbing = isTabbing || /^(Tab|Arrow)/.test(event.key);
    if (!isForUs(event) || (event.repeat && !/^Arrow/.test(event.key))) return;
    if (bindingOf(event.key)?.isOwn && isOperating(event.target)) return;
    const read = reader.read(event.key, event.timeStamp);
    const act = read && actions[read.action];
    if (!act || (!globalThis.stemStage.dock && read.action !== "sheet")) return;
    event.preventDefault();
    act(read.number);
  }

  function onKeyUp(event) {
    if (bindingOf(event.key)?.isHeld) globalThis.stemEngine.setComparing(false);
  }

  const actions = {
    await: () => {},
    toggle: () => globalThis.stemEngine.toggle(),
    back: () => globalThis.stemStage.stepBar(-1),
    forward: () => globalThis.stemStage.stepBar(1),
    home: () => globalThis.stemEngine.seekFrame(0),
    loop: () => globalThis.stemEngine.setLooping(!globalThis.stemEngine.isLooping),
    shorter: () => globalThis.stemStage.stepLoopLength(1),
    longer: () => globalThis.stemStage.stepLoopLength(-1),
    variation: (number) => globalThis.stemStage.auditionIndex(number),
    none: () => globalThis.stemEngine.setCandidate(null),
    listen: () => {
      const engine = globalThis.stemEngine;
      engine.setListenMode(LISTEN_MODES[(LISTEN_MODES.indexOf(engine.listenMode) + 1) % LISTEN_MODES.length]);
    },
    pick: () => globalThis.stemStage.dispatchEvent(new Event("pick")),
    generate: () => document.querySelector("#generate")?.click(),
    solo: (number) => globalThis.stemStage.flip(number, "isSolo"),
    mute: (number) => globalThis.stemStage.flip(number, "isMuted"),
    compare: () => globalThis.stemStage.canCompare && globalThis.stemEngine.setComparing(true),
    up: () => globalThis.stemStage.dispatchEvent(new Event("up")),
    sheet: () => globalThis.stemSheet.open(),
  };

  if (!globalThis.stemKeys) {
    globalThis.stemKeys = true;
    document.addEventListener("focusin", onFocus);
    document.addEventListener("pointerdown", onPointer, true);
    document.addEventListener("keydown", onKeyDown);
    document.addEventListener("keyup", onKeyUp);
    globalThis.addEventListener("blur", () => globalThis.stemEngine.setComparing(false));
  }
})();
