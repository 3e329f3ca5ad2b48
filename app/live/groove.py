"""What a jam can start from without anybody's music: a click, or a groove of the machine's own."""

import math
import random
from collections.abc import Sequence

import numpy as np
import torch

from app.live.clock import LoopClock
from stemgen_core.corpus.genre_table import GENRES
from stemgen_core.corpus.groove import DRUM_KEYS, GROOVES
from stemgen_core.score import Note
from stemgen_core.sound.electronic.drum_machine import play_drums
from stemgen_core.sound.electronic.presets import draw_kit
from stemgen_core.types import Waveform

GROOVE_PEAK = 0.6
CLICK_PEAK = 0.35
CLICK_KEYS = (76, 77)  # of the first beat of a bar, of the others
STEPS_PER_BEAT = 4
_STROKE_S = 0.1
_LOUD = {"kick": 112, "snare": 106, "clap": 100}
_ACCENTED = 92


def usual_tempo(genre: str) -> int:
    """Return the tempo in the middle of a genre's, beats a minute."""
    return round(sum(GENRES[genre].tempo_bpm) / 2)


def make_groove(clock: LoopClock, genre: str | None, seed: int) -> Waveform:
    """Return a loop of drums, [1, L].

    Args:
        clock: of the loop.
        genre: whose grooves; None draws among those that are made for four beats.
        seed: another seed is another groove.
    """
    rng = random.Random(seed)
    fours = [name for name, entry in GENRES.items() if entry.meter == "4/4"]
    entry = GENRES[genre if genre in fours else rng.choice(fours)]
    lanes = GROOVES[rng.choice([name for name in entry.grooves if len(GROOVES[name]["kick"]) == 16] or ["rock"])]
    swing = sum(entry.swing) / 2
    bars = [_draw_bar(lanes, rng)] * (clock.num_bars - 1) + [_draw_bar(lanes, rng)]
    notes = []
    for bar, strokes in enumerate(bars):
        start_s, end_s = (clock.bar_start(at) / clock.sample_rate_hz for at in (bar, bar + 1))
        for step, key, velocity in strokes:
            place = _swung(step, swing, entry.swing_steps) / 16
            notes.append(Note(start_s + place * (end_s - start_s), key, _STROKE_S, velocity))
    return _play(notes, clock, seed, GROOVE_PEAK)


def make_click(clock: LoopClock) -> Waveform:
    """Return a loop of a click on each beat, [1, L]."""
    num_beats = clock.num_bars * clock.beats_per_bar
    notes = [
        Note(beat * clock.duration_s / num_beats, CLICK_KEYS[beat % clock.beats_per_bar > 0], _STROKE_S, 100)
        for beat in range(num_beats)
    ]
    return _play(notes, clock, 0, CLICK_PEAK)


def _draw_bar(lanes: dict[str, str], rng: random.Random) -> list[tuple[int, int, int]]:
    """Return the strokes of one bar: step, drum key, velocity."""
    strokes = []
    for lane, chances in lanes.items():
        for step, character in enumerate(chances):
            chance = {".": 0.0, "x": 1.0}.get(character) if character in ".x" else int(character) / 10
            if chance and rng.random() < chance:
                velocity = _LOUD.get(lane, _ACCENTED if step % 4 == 0 else _ACCENTED - 16)
                strokes.append((step, DRUM_KEYS[lane], velocity if chance >= 0.6 else velocity - 40))
    return strokes


def _swung(step: int, swing: float, swing_steps: int) -> float:
    pair, phase = divmod(step / swing_steps, 1)
    late = phase * 2 * swing if phase < 0.5 else swing + (phase - 0.5) * 2 * (1 - swing)
    return (pair + late) * swing_steps


def _play(notes: Sequence[Note], clock: LoopClock, seed: int, peak: float) -> Waveform:
    """Play a loop twice and keep the second time, which holds what the first one's end let ring."""
    rng = np.random.default_rng(seed)
    again = [Note(note.start_s + clock.duration_s, note.pitch, note.duration_s, note.velocity) for note in notes]
    spill_s = 2.0  # the end of what is played is faded out: that is to be behind the end of the second round
    both = play_drums(
        [*notes, *again, *(_later(notes, 2 * clock.duration_s, spill_s))],
        draw_kit(rng, is_heldout=False),
        num_audio_samples=2 * clock.num_frames + math.ceil(spill_s * clock.sample_rate_hz),
        sample_rate_hz=clock.sample_rate_hz,
        rng=rng,
    )
    loop = both[clock.num_frames : 2 * clock.num_frames]
    loop = loop * (peak / max(float(np.abs(loop).max()), 1e-6))
    return Waveform(torch.from_numpy(np.ascontiguousarray(loop, np.float32))[None], clock.sample_rate_hz)


def _later(notes: Sequence[Note], by_s: float, within_s: float) -> list[Note]:
    return [
        Note(note.start_s + by_s, note.pitch, note.duration_s, note.velocity)
        for note in notes
        if note.start_s < within_s
    ]
