// What each key does. One table for the keyboard and for the sheet that explains it. Pure data and functions.
(() => {
  const CHORD_MS = 1500; // how long S and M wait for the number of a track

  // keys: as `KeyboardEvent.key`, letters in lower case; shown: as people read them. Where `isHeld`, letting go ends it.
  // `isOwn`: a control that has the focus keeps this key to itself.
  const BINDINGS = [
    { group: "Play", action: "toggle", keys: [" "], shown: ["Space"], words: "Play or pause", isOwn: true },
    { group: "Play", action: "back", keys: ["arrowleft"], shown: ["←"], words: "A bar back", isOwn: true },
    { group: "Play", action: "forward", keys: ["arrowright"], shown: ["→"], words: "A bar on", isOwn: true },
    { group: "Play", action: "home", keys: ["home"], shown: ["Home"], words: "Back to the start" },
    { group: "Play", action: "loop", keys: ["l"], shown: ["L"], words: "Loop on or off" },
    { group: "Play", action: "shorter", keys: ["["], shown: ["["], words: "Loop fewer bars" },
    { group: "Play", action: "longer", keys: ["]"], shown: ["]"], words: "Loop more bars" },
    {
      group: "Variations",
      action: "variation",
      keys: ["1", "2", "3", "4", "5", "6", "7", "8"],
      shown: ["1", "–", "4"],
      words: "Hear variation A to D in the mix",
    },
    { group: "Variations", action: "none", keys: ["0"], shown: ["0"], words: "Hear none of them" },
    { group: "Variations", action: "listen", keys: ["v"], shown: ["V"], words: "Next of mix, context, solo" },
    {
      group: "Variations",
      action: "pick",
      keys: ["enter"],
      shown: ["Enter"],
      words: "Pick the variation you hear",
      isOwn: true,
    },
    { group: "Variations", action: "generate", keys: ["g"], shown: ["G"], words: "Generate" },
    {
      group: "Mix",
      action: "solo",
      keys: ["s"],
      shown: ["S", "then", "1", "–", "9"],
      words: "Solo a track",
      isChord: true,
    },
    {
      group: "Mix",
      action: "mute",
      keys: ["m"],
      shown: ["M", "then", "1", "–", "9"],
      words: "Mute a track",
      isChord: true,
    },
    { group: "Mix", action: "compare", keys: ["c"], shown: ["C"], words: "Hold to hear the other mix", isHeld: true },
    { group: "Session", action: "up", keys: ["u"], shown: ["U"], words: "Up the tree, to what this was made on" },
    { group: "Session", action: "undo", keys: [], shown: ["Ctrl", "Z"], words: "Undo; with Shift: redo" },
    { group: "Session", action: "sheet", keys: ["?"], shown: ["?"], words: "This sheet" },
  ];

  // The same while live is on the page; there the studio's keys do nothing.
  const LIVE_BINDINGS = [
    { group: "Live", action: "stop", keys: [" "], shown: ["Space"], words: "Stop the music" },
    {
      group: "Live",
      action: "switch",
      keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
      shown: ["1", "–", "9"],
      words: "A part on or off from the next loop",
    },
    { group: "Live", action: "hold", keys: ["h"], shown: ["H"], words: "Hold the whole band, or let it go on" },
    { group: "Live", action: "record", keys: ["r"], shown: ["R"], words: "Record a take, or end it" },
    { group: "Live", action: "sheet", keys: ["?"], shown: ["?"], words: "This sheet" },
  ];

  function bindingOf(key, bindings = BINDINGS) {
    return bindings.find((binding) => binding.keys.includes(key.toLowerCase())) || null;
  }

  // Turns key presses into actions; remembers S and M until a number comes.
  class KeyReader {
    constructor() {
      this.chord = null; // {action, untilMs}
    }

    // Returns {action, number} or null. number: 0-based, of the variation or the track.
    read(key, nowMs) {
      const waiting = this.chord && nowMs <= this.chord.untilMs ? this.chord : null;
      this.chord = null;
      if (waiting && /^[1-9]$/.test(key)) return { action: waiting.action, number: Number(key) - 1 };
      const binding = bindingOf(key);
      if (!binding) return null;
      if (binding.isChord) {
        this.chord = { action: binding.action, untilMs: nowMs + CHORD_MS };
        return { action: "await", number: null };
      }
      return { action: binding.action, number: binding.action === "variation" ? Number(key) - 1 : null };
    }
  }

  globalThis.stemKeymap = { BINDINGS, LIVE_BINDINGS, CHORD_MS, bindingOf, KeyReader };
})();
