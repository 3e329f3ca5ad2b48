"""Hand percussion as a part of its own: one to three players over the drums."""

import random

from stemgen_core.corpus.plan import Event, Plan

# A lane: sixteen steps (or twelve), `x` accent, `o` soft, `.` rest, digits = chance in tenths of a soft stroke.
_PLAYERS_16: tuple[dict[int, str], ...] = (
    {62: "..o...o...o...o.", 63: "....x.......x...", 64: "......xo......xo"},  # congas, tumbao
    {62: "x.......o.......", 63: "...x..x....x..x.", 64: "x...o...x...o..."},
    {60: "x.oox.oox.oox.o.", 61: "......x.......x."},  # bongos, martillo
    {60: "x..x..x.x..x..x.", 61: "..o...o...o...ox"},
    {70: "xoooxoooxoooxooo"},  # maracas
    {70: "x.o.x.o.x.o.x.o."},
    {70: "..x...x...x...x."},
    {69: "x.oxx.oxx.oxx.ox"},  # cabasa
    {54: "....x.......x..."},  # tambourine
    {54: "x.x.x.x.x.x.x.x."},
    {54: "..x.x.x...x.x.x."},
    {56: "x...x...x...x..."},  # cowbell
    {56: "x.x..x.xx.x.x.x."},
    {75: "x..x..x...x.x..."},  # claves, son
    {75: "..x.x...x..x..x."},
    {76: "x..x..x..x..x...", 77: ".....o..o.....o."},  # wood blocks
    {80: "....o.......o...", 81: "x.......x......."},  # triangle
    {60: "..3..3..3..3..3.", 63: "x.....x...x.....", 64: "....o..o....o..o"},
)
_PLAYERS_12: tuple[dict[int, str], ...] = (
    {70: "x.o.x.o.x.o."},
    {70: "x.o.o.x.o.o."},
    {54: "....x...x..."},
    {54: "......x....."},
    {63: "x...o.x...o.", 64: "....x.....x."},
    {56: "x.x.xx.x.x.x"},  # bell of six eight
    {75: "x.x.x..x.x.."},
    {81: "x...........", 80: "......o....."},
)
_ACCENT, _SOFT = 92, 64


def write_percussion(plan: Plan, rng: random.Random) -> list[Event]:
    """Write a part of hand percussion, a loop of one or two bars with small variations.

    Args:
        plan: grid and form.
        rng: all choices come from it.
    """
    steps = plan.meter.steps_per_bar
    players = rng.sample(_PLAYERS_16 if steps == 16 else _PLAYERS_12, rng.choice((1, 2, 2, 3)))
    loudness = rng.uniform(0.75, 1.0)
    has_break = rng.random() < 0.3
    events = []
    for section in plan.sections:
        silent = rng.choice(players) if has_break and section.energy < 0.7 and len(players) > 1 else None
        for bar in range(section.start_bar, section.end_bar):
            for player in players:
                if player is silent:
                    continue
                for key, lane in player.items():
                    for step, character in enumerate(lane):
                        is_soft = character == "o" or (character.isdigit() and rng.random() < int(character) / 10)
                        if character == "x" or is_soft:
                            if is_soft and rng.random() < 0.08:  # hands are not machines
                                continue
                            velocity = round((_SOFT if is_soft else _ACCENT) * loudness)
                            events.append(Event(bar * steps + step, 1, key, velocity))
    return events
