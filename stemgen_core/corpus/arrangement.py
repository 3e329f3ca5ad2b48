"""A whole piece from one seed: who plays, what, and when."""

import math
import random
from dataclasses import replace

from stemgen_core.corpus import bass, comping, drums, melody, percussion
from stemgen_core.corpus.clock import METERS, BeatClock
from stemgen_core.corpus.genre import Genre
from stemgen_core.corpus.genre_table import GENRES, choose_genre
from stemgen_core.corpus.palette import COLOURS
from stemgen_core.corpus.performance import limit_polyphony, perform
from stemgen_core.corpus.performed_drums import DrumPerformance, perform_drums
from stemgen_core.corpus.piece import ChordSpan, KeyChange, Piece, StemScore
from stemgen_core.corpus.plan import Event, Plan, draw_plan
from stemgen_core.corpus.traits import choose_start, draw_feel, has_percussion, vary_meter
from stemgen_core.score import Note

GENERATOR_VERSION = 3
MAX_VOICES = 5
_MAX_SILENCE_S = 9.0
_LEAST_PARTS, _MAX_PARTS = (2, 3, 3, 4), 5
_COLOUR_CHANCE = 0.45
_REST_CHANCE = {"drums": 0.04, "bass": 0.05}
PERFORMED = "performed"  # the style of drums that a person played
_PERFORMED_TEMPOS = (0.94, 1.06)  # times the performance's own
_KICK_BASS_CHANCE = 0.4  # beside the genre's own bass styles: what people play is worth locking to


def _draw_clock(genre: Genre, rng: random.Random) -> BeatClock:
    meter = METERS[genre.meter]
    has_drift = genre.timing_ms > 2 and rng.random() < 0.3
    start_step = 0.0
    if rng.random() < 0.5:
        start_step = rng.uniform(0, meter.steps_per_bar)
    elif rng.random() < 0.5:
        start_step = -rng.uniform(0, 0.3) * meter.steps_per_beat
    return BeatClock(
        meter,
        tempo_bpm=rng.uniform(*genre.tempo_bpm),
        swing=rng.uniform(*genre.swing),
        swing_steps=genre.swing_steps,
        start_step=start_step,
        drift_s=rng.uniform(0.005, 0.02) if has_drift else 0.0,
        drift_period_s=rng.uniform(8, 16),
        drift_phase=rng.uniform(0, 2 * math.pi),
    )


def _choose_parts(genre: Genre, rng: random.Random, *, has_theme: bool) -> list[tuple[str, str, int]]:
    """Return (instrument, style, program) of the chairs that are taken, two to five; one plays the theme if any."""
    taken = [part for part in genre.parts if rng.random() < part.chance]
    free = [part for part in genre.parts if part not in taken]
    rng.shuffle(free)
    least = rng.choice(_LEAST_PARTS)
    while len(taken) < least and free:
        taken.append(free.pop())
    if rng.random() < _COLOUR_CHANCE:
        taken.insert(1, rng.choice(COLOURS))
    taken = taken[:1] + rng.sample(taken[1:], min(len(taken) - 1, _MAX_PARTS - 1))
    chosen = []
    for part in taken:
        instrument, programs = rng.choice(part.options)
        style = rng.choice(part.styles)
        if style in melody.STYLES and any(other in ("melody", style) for _, other, _ in chosen):
            fallback = [name for name in part.styles if name in comping.STYLES]
            style = rng.choice(fallback or ["line"])
        chosen.append((instrument, style, rng.choice(programs)))
    if has_theme:
        # Whoever has a tune plays the theme; if nobody has, the last to come.
        singers = [number for number, (_, style, _) in enumerate(chosen) if style in melody.STYLES]
        number = singers[0] if singers else len(chosen) - 1
        instrument, _, program = chosen[number]
        chosen[number] = (instrument, "theme", program)
    return chosen


def _drop_sections(plan: Plan, events: list[Event], step_s: float, chance: float, rng: random.Random) -> list[Event]:
    """Let a part rest for a section now and then, never long."""
    steps = plan.meter.steps_per_bar
    resting, num_sections = set(), len(plan.sections)
    for index, section in enumerate(plan.sections):
        length_s = (section.end_bar - section.start_bar) * steps * step_s
        if num_sections > 1 and index - 1 not in resting and length_s <= _MAX_SILENCE_S and rng.random() < chance:
            resting.add(index)
    bars = {bar for index in resting for bar in range(plan.sections[index].start_bar, plan.sections[index].end_bar)}
    return [event for event in events if int(event.step // steps) not in bars]


def _shape(plan: Plan, events: list[Event]) -> list[Event]:
    """Scale velocities by the energy of the section."""
    energies = {bar: section.energy for section in plan.sections for bar in range(section.start_bar, section.end_bar)}
    steps = plan.meter.steps_per_bar
    last = plan.num_bars - 1
    return [
        Event(
            e.step,
            e.length,
            e.pitch,
            round(e.velocity * (0.8 + 0.25 * energies[min(last, int(e.step // steps))])),
            e.delay_ms,
        )
        for e in events
    ]


def _draw_frame(rng: random.Random, performance: DrumPerformance | None) -> tuple[str, Genre, BeatClock]:
    """Return the genre's name, the genre as this piece has it, and the clock; a performance brings its tempo along."""
    if performance is None:
        name = choose_genre(rng)
        genre = vary_meter(name, GENRES[name], rng)
        return name, genre, _draw_clock(genre, rng)
    name = rng.choice(performance.genres)
    slowest, fastest = _PERFORMED_TEMPOS
    genre = replace(
        GENRES[name],
        meter="4/4",
        tempo_bpm=(slowest * performance.tempo_bpm, fastest * performance.tempo_bpm),
        swing=(performance.swing, performance.swing),
        swing_steps=4,
        drums_chance=1.0,
    )
    # The drummer followed a click.
    return name, genre, replace(_draw_clock(genre, rng), drift_s=0.0)


def _write_stems(
    name: str, plan: Plan, seed: int, drum_part: drums.DrumPart, *, is_performed: bool
) -> list[tuple[str, str, int, list[Event]]]:
    """Return (instrument, style, program, events) of each stem; each part has its own stream of chance."""
    genre, theme = plan.genre, plan.theme
    rng = random.Random(f"{seed}:band")
    stems = []
    if rng.random() < genre.drums_chance:
        style = PERFORMED if is_performed else "groove"
        stems.append(("drums", style, rng.choice(genre.kits), list(drum_part.events)))
    if rng.random() < 0.96:
        style = rng.choice(genre.bass_styles)
        if theme is not None and theme.kind == "riff" and rng.random() < 0.7:
            style = "theme"
        if is_performed and rng.random() < _KICK_BASS_CHANCE:
            style = "kick"
        line = bass.write_bass(plan, style, drum_part.kick_steps, random.Random(f"{seed}:bass"))
        stems.append(("bass", style, rng.choice(genre.bass_programs), line))
    for number, (instrument, style, program) in enumerate(_choose_parts(genre, rng, has_theme=theme is not None)):
        part_rng = random.Random(f"{seed}:part{number}")
        if style in melody.STYLES:
            events = melody.write_melody(plan, style, melody.REGISTERS[instrument], part_rng)
        else:
            events = comping.write_comping(plan, style, comping.REGISTERS[instrument], part_rng)
        stems.append((instrument, style, program, events))
    if has_percussion(name, rng):
        events = percussion.write_percussion(plan, random.Random(f"{seed}:percussion"))
        stems.append(("drums", "percussion", 0, events))
    return stems


def compose_piece(
    seed: int, duration_s: float = 24.0, *, performance: DrumPerformance | None = None, title: str = ""
) -> Piece:
    """Compose a piece; the same arguments and generator version give the same piece.

    Args:
        seed: any integer.
        duration_s: length of the audio, seconds, > 0.
        performance: what the drums play, with a band composed to it; None: drums are composed, too.
        title: of the piece.

    Raises:
        ValueError: if `duration_s` is not positive.
    """
    if duration_s <= 0:
        raise ValueError(f"duration_s must be > 0, got {duration_s}")
    rng = random.Random(f"{seed}:piece")
    name, genre, clock = _draw_frame(rng, performance)
    bar_s = clock.step_s * clock.meter.steps_per_bar
    plan = draw_plan(genre, math.ceil(duration_s / bar_s) + 2, rng, choose_start(name, rng))
    timing_ms = genre.timing_ms * rng.uniform(0.3, 1.2)
    feel_ms = draw_feel(name, genre, clock.meter, rng)
    drum_rng = random.Random(f"{seed}:drums")
    if performance is None:
        drum_part = drums.write_drums(plan, drum_rng)
    else:
        drum_part = perform_drums(plan, clock, performance, drum_rng.randrange(performance.num_bars))
    stems, names = [], set()
    written = _write_stems(name, plan, seed, drum_part, is_performed=performance is not None)
    for number, (instrument, style, program, events) in enumerate(written):
        stem_rng = random.Random(f"{seed}:{number}:performance")
        notes = _play(plan, clock, instrument, style, events, (duration_s, timing_ms, feel_ms), stem_rng)
        if not notes:
            continue
        label = instrument
        while label in names:
            label = f"{instrument}-{int(label.rpartition('-')[2]) + 1 if '-' in label else 2}"
        names.add(label)
        stems.append(StemScore(label, instrument, program, notes, style))
    return Piece(
        seed=seed,
        genre=name,
        tempo_bpm=clock.tempo_bpm,
        beats_per_bar=clock.meter.beats_per_bar,
        key_pitch_class=plan.key_pitch_class,
        mode=plan.mode,
        chords=_chord_spans(plan, clock, duration_s),
        beat_times_s=_grid_times(plan, clock, clock.meter.steps_per_beat, duration_s),
        downbeat_times_s=_grid_times(plan, clock, clock.meter.steps_per_bar, duration_s),
        stems=tuple(stems),
        duration_s=duration_s,
        key_changes=_key_changes(plan, clock, duration_s),
        start=plan.theme.kind if plan.theme else "chords",
        source="composer" if performance is None else "groove",
        title=title,
    )


def _play(
    plan: Plan,
    clock: BeatClock,
    instrument: str,
    style: str,
    events: list[Event],
    feel: tuple[float, float, tuple[float, ...]],
    rng: random.Random,
) -> tuple[Note, ...]:
    """Return a stem's notes; what was performed is left as it was.

    Args:
        plan: of the piece.
        clock: of the piece.
        instrument: who plays.
        style: how the part was written.
        events: on the grid.
        feel: length of the audio in seconds, spread of timing and by how much each step is late, milliseconds.
        rng: all chance comes from it.
    """
    duration_s, timing_ms, feel_ms = feel
    is_drums = instrument == "drums"
    if style == PERFORMED:
        return perform(events, clock, duration_s=duration_s, timing_ms=0.0, lag_ms=0.0, is_drums=True, rng=rng)
    events = _drop_sections(plan, events, clock.step_s, _REST_CHANCE.get(instrument, 0.12), rng)
    notes = perform(
        _shape(plan, events),
        clock,
        duration_s=duration_s,
        timing_ms=timing_ms,
        lag_ms=rng.uniform(-0.5, 1.0) * timing_ms,
        is_drums=is_drums,
        rng=rng,
        feel_ms=feel_ms,
    )
    if is_drums:
        return notes
    return tuple(limit_polyphony(notes, 1 if style in melody.STYLES or instrument == "bass" else MAX_VOICES))


def _key_changes(plan: Plan, clock: BeatClock, duration_s: float) -> tuple[KeyChange, ...]:
    changes = [KeyChange(clock.time_s(step), key) for step, key in plan.key_changes]
    return tuple(change for change in changes if change.start_s < duration_s)


def _grid_times(plan: Plan, clock: BeatClock, stride: int, duration_s: float) -> tuple[float, ...]:
    times = [clock.time_s(step) for step in range(0, plan.num_bars * plan.meter.steps_per_bar, stride)]
    return tuple(time_s for time_s in times if 0 <= time_s < duration_s)


def _chord_spans(plan: Plan, clock: BeatClock, duration_s: float) -> tuple[ChordSpan, ...]:
    spans = []
    for spot in plan.spots:
        start_s, end_s = max(0.0, clock.time_s(spot.start_step)), min(duration_s, clock.time_s(spot.end_step))
        if end_s > start_s:
            spans.append(ChordSpan(start_s, end_s, spot.chord.root, spot.chord.quality, spot.chord.pitch_classes))
    return tuple(spans)
