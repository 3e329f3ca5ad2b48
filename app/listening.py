"""What is known of a context: what was heard in it, what the user said, and what follows from both. Pure functions.

Analysis (JSON, kept with the node)
    tempo_bpm, beats_per_bar, first_downbeat_s, num_bars, key    what holds; None where neither heard nor said
    confidence   {tempo_bpm, beats_per_bar, first_downbeat_s, key}: 0..1; 1 where the user said it
    is_edited    whether the user said anything
    detected     what was heard: `ContextAnalysis` of the core
    said         what the user said: any of tempo_bpm, beats_per_bar, first_downbeat_s, key
    duration_s   length of the context

What the user says moves the bar grid, the bars that can be made anew and the exports. The model is not told: it listens
to the sound itself.
"""

import math
from collections.abc import Mapping
from typing import Any

from stemgen_core.analysis.context import analyse_context
from stemgen_core.analysis.key import PITCH_CLASS_NAMES
from stemgen_core.errors import InvalidRequestError
from stemgen_core.types import Waveform

Json = dict[str, Any]

MIN_TEMPO_BPM, MAX_TEMPO_BPM = 30.0, 300.0
MAX_BEATS_PER_BAR = 12
NO_KEY = "none"
KEYS = tuple(f"{name} {mode}" for mode in ("major", "minor") for name in PITCH_CLASS_NAMES)
FACTS = ("tempo_bpm", "beats_per_bar", "first_downbeat_s", "key")

_CONFIDENCES = {
    "tempo_bpm": "tempo_confidence",
    "beats_per_bar": "metre_confidence",
    "first_downbeat_s": "downbeat_confidence",
    "key": "key_confidence",
}
_AT_START_S = 0.03  # trackers place a beat at 0 s a little late
_WHOLE_BARS = 0.05  # of a bar: a length this near to whole bars is meant to be whole bars


def hear(waveform: Waveform) -> Json:
    """Return the analysis of a context that nobody has corrected yet."""
    return settle(analyse_context(waveform).to_json(), {})


def settle(detected: Mapping[str, Any], said: Mapping[str, Any]) -> Json:
    """Return what holds, of what was heard and what was said.

    Args:
        detected: `ContextAnalysis` as JSON.
        said: some of `FACTS`, checked; a key of `NO_KEY` says that there is none.
    """
    duration_s = float(detected["duration_s"])
    holds: Json = {name: said.get(name, detected.get(name)) for name in FACTS}
    if holds["key"] == NO_KEY:
        holds["key"] = None
    if holds["first_downbeat_s"] is not None and holds["first_downbeat_s"] < _AT_START_S:
        holds["first_downbeat_s"] = 0.0
    if holds["tempo_bpm"] is not None:
        holds["beats_per_bar"] = holds["beats_per_bar"] or 4
        holds["first_downbeat_s"] = holds["first_downbeat_s"] or 0.0
        if "tempo_bpm" not in said:
            holds["tempo_bpm"] = _fit_to_loop(holds, duration_s)
    return {
        **holds,
        "num_bars": _count_bars(holds, duration_s),
        "confidence": {name: 1.0 if name in said else _confidence(detected, name) for name in FACTS},
        "is_edited": bool(said),
        "detected": dict(detected),
        "said": dict(said),
        "duration_s": duration_s,
    }


def correct(analysis: Mapping[str, Any], changes: Mapping[str, Any]) -> Json:
    """Return the analysis after the user said something.

    Args:
        analysis: as `settle` returned it.
        changes: new values by name of a fact; None takes back what was said of it.

    Raises:
        InvalidRequestError: if a value can't be; the message says what can.
    """
    said = dict(analysis["said"])
    for name, value in changes.items():
        if name not in FACTS:
            raise InvalidRequestError("Only tempo, metre, key and the first downbeat can be put right.")
        if value is None:
            said.pop(name, None)
        else:
            said[name] = _CHECKS[name](value, float(analysis["duration_s"]))
    return settle(analysis["detected"], said)


def bar_edges_s(analysis: Mapping[str, Any] | None, duration_s: float) -> tuple[str, list[float]]:
    """Return the places where a clip can be taken apart, from 0 to its end.

    An analysis may come from a session file that knows a tempo only: bars of four from the start on, then.

    Returns:
        `bar` and the bar lines, an upbeat counted as a bar of its own; `second` and every second where there is no
        tempo.
    """
    if not analysis or not analysis.get("tempo_bpm"):
        return "second", [*(float(second) for second in range(math.ceil(duration_s - 0.5))), duration_s]
    bar_s = _bar_s(analysis)
    first_s = float(analysis.get("first_downbeat_s") or 0.0) % bar_s
    lines = [first_s + bar * bar_s for bar in range(math.ceil((duration_s - first_s) / bar_s))]
    inner = [line for line in lines if _WHOLE_BARS * bar_s < line < duration_s - _WHOLE_BARS * bar_s]
    return "bar", [round(line, 4) for line in (0.0, *inner, duration_s)]


def _bar_s(holds: Mapping[str, Any]) -> float:
    return 60 / float(holds["tempo_bpm"]) * int(holds.get("beats_per_bar") or 4)


def _fit_to_loop(holds: Mapping[str, Any], duration_s: float) -> float:
    """Return the tempo, moved so that a clip of very nearly whole bars is one of exactly whole bars."""
    bars = duration_s / _bar_s(holds)
    whole = round(bars)
    is_loop = whole > 0 and abs(bars - whole) < _WHOLE_BARS
    return 60 * whole * int(holds["beats_per_bar"]) / duration_s if is_loop else float(holds["tempo_bpm"])


def _count_bars(holds: Mapping[str, Any], duration_s: float) -> int | None:
    if holds["tempo_bpm"] is None:
        return None
    return max(0, math.floor((duration_s - float(holds["first_downbeat_s"])) / _bar_s(holds) + _WHOLE_BARS))


def _confidence(detected: Mapping[str, Any], name: str) -> float:
    return round(float(detected.get(_CONFIDENCES[name]) or 0.0), 3)


def _number(value: object, lowest: float, highest: float, what: str) -> float:
    try:
        number = float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        number = math.nan
    if not lowest <= number <= highest:
        raise InvalidRequestError(f"{what} must be {lowest:g} to {highest:g}, not {value!r:.40}.")
    return number


def _check_tempo(value: object, _duration_s: float) -> float:
    return round(_number(value, MIN_TEMPO_BPM, MAX_TEMPO_BPM, "The tempo"), 3)


def _check_metre(value: object, _duration_s: float) -> int:
    beats = _number(value, 2, MAX_BEATS_PER_BAR, "Beats per bar")
    if beats != int(beats):
        raise InvalidRequestError(f"Beats per bar must be a whole number, not {value!r:.40}.")
    return int(beats)


def _check_downbeat(value: object, duration_s: float) -> float:
    return round(_number(value, 0.0, duration_s, "The first downbeat"), 4)


def _check_key(value: object, _duration_s: float) -> str:
    if value != NO_KEY and value not in KEYS:
        raise InvalidRequestError("Choose one of the 24 keys, or none.")
    return str(value)


_CHECKS = {
    "tempo_bpm": _check_tempo,
    "beats_per_bar": _check_metre,
    "first_downbeat_s": _check_downbeat,
    "key": _check_key,
}
