"""Chordal parts: voice-led chords in many rhythms, arpeggios and pads."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from stemgen_core.corpus.plan import Event, Plan
from stemgen_core.corpus.theory import nearest_pitch, pitches_in_range, voice_chord

# One character a step: `x` strike, `-` hold, `.` silence, `b` low root alone, `f` low fifth alone.
_RHYTHMS: dict[str, tuple[str, ...]] = {
    "block": (
        "x---------------",
        "x-------x-------",
        "x---x---x---x---",
        "x-----x-----x---",
        "x-------x---x---",
        "x-----x---x-x---",
        "x---..x-x---..x-",
    ),
    "pulse": (
        "x-x-x-x-x-x-x-x-",
        "x.x.x.x.x.x.x.x.",
        "x---x---x---x---",
        "x-xxx-x-x-xxx-x-",
        "x-x-..x-x-x-..x-",
        "x--x--x--x--x-x-",
    ),
    "sparse": (
        "x---------......",
        "......x---------",
        "x-----..x-......",
        "x-----------x---",
        "....x-------....",
        "x-----x---------",
    ),
    "stabs": (
        "x.....x.........",
        "..x...x...x...x.",
        "x..x..x.........",
        "......x...x.....",
        "x..x..x..x..x...",
        "....x.......x.x.",
        "x..x....x.x.....",
        "..x..x....x..x..",
    ),
    "strum": (
        "x---x-x-..x-x-x-",
        "x---x---x---x-x-",
        "x-x-x-x-x-x-x-x-",
        "x---x-xxx-x-x-xx",
        "x-----x-..x-x---",
        "x---..x-x-x-..x-",
    ),
    "power": (
        "x-x-x-x-x-x-x-x-",
        "x-------x-------",
        "x---------------",
        "x-xxx-xxx-xxx-xx",
        "x--x--x-x--x--x-",
        "x-x-..x-x-x-x-..",
        "x--x--x--x--x---",
    ),
    "funk": (
        "x..x..x...x..x..",
        "xx.x..xx.x.xx...",
        "..x..x..xx.x..x.",
        "x.xx.x.xx.x.x..x",
        "....x..x....x..x",
        "x..xx.....xx.x..",
    ),
    "skank": ("....x.......x...", "..x...x...x...x.", "....xx......xx..", "....x.......x.x."),
    "bubble": ("..xx..xx..xx..xx", "..x-..x-..x-..x-", ".xx..xx..xx..xx."),
    "bossa": ("b...x..xb.x.fx..", "b.x...x.b..x..x.", "x..x..x...x..x..", "b...x.x.f...x.x.", "..x..x....x..x.."),
    "montuno": ("x.x..x.x.x.x.x.x", "x.xx.x.x.x.xx.x.", "..xx.xx..x.x.xx."),
    "jazz": (
        "x.....x.........",
        "......x.....x...",
        "....x.........x.",
        "x---......x-....",
        "..x...........x-",
        "x.....x---......",
        "......x-......x-",
    ),
    "four": ("x--.x--.x--.x--.", "x-..x-..x-..x-.."),
    "boom_chuck": ("b...x...f...x...", "b...x.x.f...x.x.", "b...x-xxf...x-xx"),
    "broken": ("b-x-x-x-f-x-x-x-", "b-----x-x-----x-", "b---x---f---x---", "b-----x---x-----"),
}
_RHYTHMS_WALTZ = {
    "oom_pah": ("b---x---x---", "b...x...x...", "b---x-x-x---"),
    "other": (
        "x-----------",
        "x---x---x---",
        "x-------x---",
        "x-----x---x-",
        "..x-..x-..x-",
        "x-x-x-x-x-x-",
        "....x---x---",
    ),
}
_RHYTHMS_SIX = (
    "x-----x-----",
    "x-----------",
    "x-x-x-x-x-x-",
    "x---x-x---x-",
    "b-x-x-f-x-x-",
    "x-----x---x-",
    "..x-x-..x-x-",
)
_PAD_RHYTHMS = {"pad": 0, "pad_bars": 1}
_ARPEGGIO_ORDERS = ("up", "down", "updown", "alberti", "random")

STYLES = (*_RHYTHMS, "oom_pah", *_PAD_RHYTHMS, "arpeggio")
_SHORT_STYLES = ("stabs", "funk", "skank", "bubble")
_VARYING_STYLES = ("jazz", "sparse", "bossa")


@dataclass(frozen=True, slots=True)
class Register:
    """Where an instrument comps: keys `low`..`high` (two octaves and more), with at most `max_voices` at once."""

    low: int
    high: int
    max_voices: int


REGISTERS: dict[str, Register] = {
    "piano": Register(50, 79, 5),
    "mallets": Register(60, 88, 3),
    "organ": Register(52, 79, 4),
    "guitar": Register(47, 74, 5),
    "strings": Register(52, 79, 3),
    "ensemble": Register(50, 81, 4),
    "brass": Register(50, 77, 4),
    "reed": Register(52, 79, 3),
    "pipe": Register(62, 88, 2),
    "synth_lead": Register(52, 81, 3),
    "synth_pad": Register(48, 79, 4),
    "ethnic": Register(52, 79, 3),
    "percussive": Register(60, 86, 2),
    "synth_effects": Register(50, 79, 4),
}


def _choose_rhythms(plan: Plan, style: str, rng: random.Random) -> list[str]:
    """Return the bars of a loop."""
    if plan.meter.steps_per_bar == 12:
        if plan.meter.beats_per_bar == 2:
            pool: Sequence[str] = _RHYTHMS_SIX
        else:
            pool = _RHYTHMS_WALTZ["oom_pah" if style in ("oom_pah", "broken", "boom_chuck") else "other"]
    else:
        pool = _RHYTHMS.get(style, _RHYTHMS["block"])
    num_bars = rng.choice((2, 2, 4)) if style in _VARYING_STYLES else rng.choice((1, 1, 2))
    return [rng.choice(pool) for _ in range(num_bars)]


def _strikes(rhythm: str) -> list[tuple[int, int, str]]:
    """Return (step, steps held, kind) of each strike of a bar."""
    strikes = []
    for step, character in enumerate(rhythm):
        if character in "xbf":
            held = 1
            while step + held < len(rhythm) and rhythm[step + held] == "-":
                held += 1
            strikes.append((step, held, character))
    return strikes


class _Voicer:
    """Voices chords one after the other and remembers each for its chord."""

    def __init__(self, register: Register, num_voices: int, is_power: bool, has_octaves: bool) -> None:
        self.register, self.num_voices = register, num_voices
        self.is_power, self.has_octaves = is_power, has_octaves
        self.previous: tuple[int, ...] = ()
        self._voicings: dict[object, tuple[int, ...]] = {}

    def voice(self, plan: Plan, step: float) -> tuple[int, ...]:
        spot = plan.spot_at(step)
        chord = spot.chord
        if chord not in self._voicings:
            if self.is_power:
                root = nearest_pitch(44, (chord.root,), 40, 52)
                fifth = (chord.pitch_classes[min(2, len(chord.pitch_classes) - 1)] - chord.root) % 12
                voicing = (root, root + fifth, root + 12)[: self.num_voices]
            elif self.has_octaves:  # the montuno's hollow line moves in octaves
                low = nearest_pitch(57, (chord.root,), 52, 64)
                voicing = (low, low + 12)
            else:
                reference = self.previous or ()
                voicing = voice_chord(chord, reference, self.num_voices, self.register.low, self.register.high)
            self._voicings[chord] = voicing
        self.previous = self._voicings[chord]
        return self.previous


def _chord_events(plan: Plan, step: int, end: float, voicer: _Voicer, kind: str, roll_ms: float) -> list[Event]:
    voicing = voicer.voice(plan, step)
    if kind in "bf":
        chord = plan.spot_at(step).chord
        tone = chord.root if kind == "b" else chord.pitch_classes[min(2, len(chord.pitch_classes) - 1)]
        voicing = (nearest_pitch(45, (tone,), 40, 52),)
    velocity = 92 if step % plan.meter.steps_per_beat == 0 else 82
    order = range(len(voicing)) if step % 4 == 0 else reversed(range(len(voicing)))
    return [
        Event(step, end - step, voicing[index], velocity - 2 * place, roll_ms * place)
        for place, index in enumerate(order)
    ]


def _rhythm_events(
    plan: Plan, loops: dict[str, list[str]], voicer: _Voicer, gate: float, roll_ms: float
) -> list[Event]:
    """Set rhythm loops over the chords; a chord that begins under a held one is struck anew."""
    steps, events = plan.meter.steps_per_bar, []
    for section in plan.sections:
        loop = loops[section.label]
        for bar in range(section.start_bar, section.end_bar):
            begin = bar * steps
            for step, held, kind in _strikes(loop[(bar - section.start_bar) % len(loop)]):
                onset = begin + step
                end = onset + held
                while onset < end:
                    cut = min(end, plan.spot_at(onset).end_step)
                    length = max(0.35, (cut - onset) * gate)
                    events += _chord_events(plan, onset, onset + length, voicer, kind, roll_ms)
                    onset, kind = cut, "x"
    return events


def _pad_events(plan: Plan, voicer: _Voicer, has_bar_strikes: bool) -> list[Event]:
    """Hold each chord; equal neighbours are tied unless every bar is struck."""
    events: list[Event] = []
    spots = list(plan.spots)
    while spots:
        spot = spots.pop(0)
        end = spot.end_step
        max_steps = plan.meter.steps_per_bar * (1 if has_bar_strikes else 4)
        while spots and spots[0].chord == spot.chord and spots[0].end_step - spot.start_step <= max_steps:
            end = spots.pop(0).end_step
        events += [
            Event(spot.start_step, end - spot.start_step - 0.1, pitch, 78)
            for pitch in voicer.voice(plan, spot.start_step)
        ]
    return events


def _arpeggio_order(name: str, num_tones: int, rng: random.Random) -> list[int]:
    up = list(range(num_tones))
    orders = {
        "up": up,
        "down": up[::-1],
        "updown": up + up[-2:0:-1],
        "alberti": [0, num_tones - 1, num_tones // 2, num_tones - 1],
        "random": [rng.randrange(num_tones) for _ in range(8)],
    }
    return orders[name]


def _arpeggio_events(plan: Plan, register: Register, rng: random.Random) -> list[Event]:
    """Run through chord tones in a fixed order and pulse; the order starts again with each chord or bar."""
    fast = plan.meter.steps_per_beat * plan.genre.tempo_bpm[1] > 600 or rng.random() < 0.5
    unit = 2 if fast or plan.genre.swing[0] >= 0.6 else 1
    num_tones = rng.choice((3, 4, 4, 5, 6))
    order = _arpeggio_order(rng.choice(_ARPEGGIO_ORDERS), num_tones, rng)
    gate = rng.choice((0.5, 0.9, 0.98))
    rests = {step for step in range(8) if rng.random() < 0.08} - {0}
    low = min(register.high - 20, register.low + rng.choice((0, 3, 7)))
    events: list[Event] = []
    for spot in plan.spots:
        ladder = pitches_in_range(spot.chord.pitch_classes, low, register.high)[:num_tones]
        for number, step in enumerate(range(spot.start_step, spot.end_step, unit)):
            if number % 8 not in rests:
                pitch = ladder[min(order[number % len(order)], len(ladder) - 1)]
                accent = 94 if step % plan.meter.steps_per_beat == 0 else 80
                events.append(Event(step, unit * gate, pitch, accent))
    return events


def write_comping(plan: Plan, style: str, register: Register, rng: random.Random) -> list[Event]:
    """Write a chordal part.

    Args:
        plan: grid, form and harmony.
        style: a name of `STYLES`.
        register: of the instrument.
        rng: all choices come from it.
    """
    if style == "arpeggio":
        return _arpeggio_events(plan, register, rng)
    num_voices = min(register.max_voices, rng.choice((3, 3, 4, 4, 5)))
    if style == "power":
        num_voices = rng.choice((2, 3))
    voicer = _Voicer(register, num_voices, style == "power", style == "montuno")
    if style in _PAD_RHYTHMS:
        return _pad_events(plan, voicer, bool(_PAD_RHYTHMS[style]))
    loops = {label: _choose_rhythms(plan, style, rng) for label in ("A", "B")}
    if rng.random() < 0.6:
        loops["B"] = loops["A"]
    gate = rng.choice((0.35, 0.5, 0.7)) if style in _SHORT_STYLES else rng.choice((0.6, 0.9, 0.98))
    roll_ms = rng.uniform(3.0, 7.0) if style in ("strum", "boom_chuck") else 0.0
    return _rhythm_events(plan, loops, voicer, gate, roll_ms)
