// Who is heard and how loud. Pure functions; nothing here knows Web Audio or the page.
//
//   mixer   {gainDb, pan, isMuted, isSolo} of one strip
//   track   {id, role: "mix" | "candidate" | "compare", mixerId, isCompared}
//   scene   {tracks, candidateId, listenMode: "mix" | "context" | "solo", isComparing}
(() => {
  const NEUTRAL = Object.freeze({ gainDb: 0, pan: 0, isMuted: false, isSolo: false });
  const SILENT_DB = -60; // a fader at its lower end is silent
  const UNITY_FADER = 0.75; // where a fader stands at 0 dB: the upper quarter is boost
  const METER_FLOOR_DB = -48;

  function gainOfDb(db) {
    return db <= SILENT_DB ? 0 : 10 ** (db / 20);
  }

  // Loudness grows with the square of the way, as on a mixing desk: fine where it matters.
  function dbOfFader(way) {
    if (way <= 0) return SILENT_DB;
    return Math.max(SILENT_DB, Math.round(400 * Math.log10(way / UNITY_FADER)) / 10);
  }

  function faderOfDb(db) {
    return db <= SILENT_DB ? 0 : Math.min(1, UNITY_FADER * 10 ** (db / 40));
  }

  function isHeard(track, scene) {
    if (scene.isComparing) return Boolean(track.isCompared);
    if (track.role === "compare") return false;
    const isTried = track.role === "candidate" && track.id === scene.candidateId;
    if (track.role === "candidate" && (!isTried || scene.listenMode === "context")) return false;
    return isTried || !scene.candidateId || scene.listenMode !== "solo";
  }

  // Solo counts among what could be heard: the solo of a strip that is not on stage silences nobody.
  function targetGain(track, scene, mixerOf) {
    if (!isHeard(track, scene)) return 0;
    const { gainDb, isMuted, isSolo } = mixerOf(track.mixerId);
    const isSomeSolo = scene.tracks.some((other) => isHeard(other, scene) && mixerOf(other.mixerId).isSolo);
    return (isSomeSolo ? isSolo : !isMuted) ? gainOfDb(gainDb) : 0;
  }

  // How far a meter is filled by a peak: 0 at -48 dB, 1 at full scale.
  function meterFill(peak) {
    if (peak <= 0) return 0;
    return Math.min(1, Math.max(0, 1 - (20 * Math.log10(peak)) / METER_FLOOR_DB));
  }

  function dbWords(db) {
    if (db <= SILENT_DB) return "silent";
    return `${db > 0 ? "+" : db < 0 ? "−" : ""}${Math.abs(db).toFixed(1)} dB`;
  }

  function panWords(pan) {
    const percent = Math.round(100 * Math.abs(pan));
    if (!percent) return "centre";
    return `${percent} % ${pan < 0 ? "left" : "right"}`;
  }

  globalThis.stemMixing = {
    NEUTRAL,
    SILENT_DB,
    gainOfDb,
    dbOfFader,
    faderOfDb,
    isHeard,
    targetGain,
    meterFill,
    dbWords,
    panWords,
  };
})();
