"""How sounds end: a font that stops them at once clicks, and is told to let them go."""

import math
from dataclasses import replace

from stemgen_core.sound.hydra import Font, FontInstrument, Zone

_GEN_RELEASE = 38  # releaseVolEnv, timecents
_AT_ONCE = -12_000  # what a zone that says nothing has: a millisecond


def soften_releases(font: Font, shortest_s: float) -> Font:
    """Return the font with no release shorter than `shortest_s`.

    FluidR3's clarinet and some keys of its steel guitar end within a millisecond, which is heard as a click.
    """
    shortest = round(1200 * math.log2(shortest_s))
    return replace(font, instruments=tuple(_softened(one, shortest) for one in font.instruments))


def _softened(instrument: FontInstrument, shortest: int) -> FontInstrument:
    usual = next((_release(zone) for zone in instrument.zones if zone.target is None), None)
    zones = []
    for zone in instrument.zones:
        own = _release(zone)
        release = next((each for each in (own, usual) if each is not None), _AT_ONCE)
        if zone.target is not None and release < shortest:
            others = tuple(pair for pair in zone.generators if pair[0] != _GEN_RELEASE)
            zone = replace(zone, generators=(*others, (_GEN_RELEASE, shortest & 0xFFFF)))
        zones.append(zone)
    return replace(instrument, zones=tuple(zones))


def _release(zone: Zone) -> int | None:
    """Return a zone's own release, timecents, signed."""
    raw = next((amount for operator, amount in zone.generators if operator == _GEN_RELEASE), None)
    return None if raw is None else raw - 0x10000 if raw >= 0x8000 else raw
