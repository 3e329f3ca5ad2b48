// An audio context whose clock the test moves on, and parameters that can be asked what they will be.

// Plays the events of an AudioParam as the Web Audio specification says: a ramp begins at the event before it.
class EventParam {
  constructor() {
    this.events = [];
    this.value = 0;
    this.numWritings = 0;
  }
  cancelScheduledValues(from) {
    this.events = this.events.filter((event) => event.at < from);
    this.numWritings += 1;
  }
  setTargetAtTime() {}
  setValueAtTime(value, at) {
    this.events.push({ value, at, isRamp: false });
  }
  linearRampToValueAtTime(value, at) {
    this.events.push({ value, at, isRamp: true });
  }
  valueAt(at) {
    const past = this.events.filter((event) => event.at <= at).pop();
    const next = this.events.find((event) => event.at > at);
    if (!next?.isRamp) return past ? past.value : this.value;
    return past.value + ((next.value - past.value) * (at - past.at)) / (next.at - past.at);
  }
}

// Writes down when sources were to start and stop, and from where.
class StandInContext {
  constructor() {
    this.currentTime = 0;
    this.sources = [];
  }
  createNode(properties) {
    return { connect: (next) => next, disconnect() {}, ...properties };
  }
  createGain() {
    return this.createNode({ gain: new EventParam() });
  }
  createStereoPanner() {
    return this.createNode({ pan: new EventParam() });
  }
  createBufferSource() {
    const source = this.createNode({
      start: (startS, offsetS) => Object.assign(source, { startS, offsetS }),
      stop: (stopS) => Object.assign(source, { stopS }),
    });
    this.sources.push(source);
    return source;
  }
}

// What this script has left to do, then all that was put off before this was called.
async function lookAgain() {
  await null;
  await new Promise((done) => setTimeout(done, globalThis.stemHandover.SURE_AFTER_MS));
}

module.exports = { EventParam, StandInContext, lookAgain };
