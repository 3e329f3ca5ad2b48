"""From grid events to played notes: timing, dynamics, and no note that runs into itself."""

import random
from collections.abc import Sequence

from stemgen_core.corpus.clock import BeatClock
from stemgen_core.corpus.plan import Event
from stemgen_core.score import Note

SHORTEST_NOTE_S = 0.03
DRUM_NOTE_S = 0.1
_SHORTEST_REMAINDER_S = 0.25


def separate_repeats(notes: Sequence[Note]) -> list[Note]:
    """Return the notes with each cut where its pitch is struck again; doubled strokes are merged.

    Args:
        notes: in any order.
    """
    kept: dict[int, Note] = {}
    separated = []
    for note in sorted(notes):
        before = kept.get(note.pitch)
        if before is not None and note.start_s - before.start_s < SHORTEST_NOTE_S:
            continue
        if before is not None:
            separated.append(_cut(before, note.start_s))
        kept[note.pitch] = note
    return sorted([*separated, *kept.values()])


def _cut(note: Note, end_s: float) -> Note:
    return Note(note.start_s, note.pitch, min(note.duration_s, end_s - note.start_s), note.velocity)


def limit_polyphony(notes: Sequence[Note], max_voices: int) -> list[Note]:
    """Return the notes with the oldest released where more than `max_voices` would sound at once.

    Args:
        notes: in any order.
        max_voices: 1 or more.
    """
    sounding: list[Note] = []
    finished: list[Note] = []
    for note in sorted(notes):
        still = [other for other in sounding if other.end_s > note.start_s + 1e-6]
        finished += [other for other in sounding if other.end_s <= note.start_s + 1e-6]
        while len(still) >= max_voices:
            oldest = still.pop(0)
            cut = _cut(oldest, note.start_s)
            if cut.duration_s >= SHORTEST_NOTE_S:
                finished.append(cut)
        sounding = [*still, note]
    return sorted([*finished, *sounding])


def perform(
    events: Sequence[Event],
    clock: BeatClock,
    *,
    duration_s: float,
    timing_ms: float,
    lag_ms: float,
    is_drums: bool,
    rng: random.Random,
    feel_ms: Sequence[float] = (0.0,),
) -> tuple[Note, ...]:
    """Return the notes that a player makes of events, within the audio.

    Strokes struck together move together, as a hand does. What began before the audio is left out if it is a stroke
    or nearly over.

    Args:
        events: in any order.
        clock: the piece's time.
        duration_s: length of the audio.
        timing_ms: standard deviation of onsets.
        lag_ms: how far this player sits behind the beat.
        is_drums: whether lengths have no meaning.
        rng: all chance comes from it.
        feel_ms: by how much each step of a bar comes late for everybody.
    """
    offsets_ms: dict[float, float] = {}
    notes = []
    for event in sorted(events, key=lambda event: (event.step, event.pitch)):
        if event.step not in offsets_ms:
            shared_ms = feel_ms[int(event.step) % len(feel_ms)]
            offsets_ms[event.step] = max(-2.5, min(2.5, rng.gauss(0, 1))) * timing_ms + lag_ms + shared_ms
        personal_ms = rng.gauss(0, 1) * min(1.5, timing_ms * 0.25)
        start_s = clock.time_s(event.step) + (offsets_ms[event.step] + event.delay_ms + personal_ms) / 1000
        end_s = start_s + DRUM_NOTE_S if is_drums else clock.time_s(event.step + event.length)
        velocity = max(1, min(127, round(event.velocity + rng.gauss(0, 1) * (2 + timing_ms * 0.6))))
        if start_s < 0:
            if start_s > -0.03:
                start_s = 0.0
            elif is_drums or end_s < _SHORTEST_REMAINDER_S:
                continue
            start_s = max(0.0, start_s)
        end_s = min(max(end_s, start_s + SHORTEST_NOTE_S), duration_s)
        if end_s - start_s >= SHORTEST_NOTE_S * 0.5:
            notes.append(Note(start_s, event.pitch, end_s - start_s, velocity))
    return tuple(separate_repeats(notes))
