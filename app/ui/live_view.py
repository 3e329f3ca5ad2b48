"""What the page shows of a jam. Pure functions of a jam whose lock is held, or of what the model offers."""

from dataclasses import asdict

from app.live.controls import RANGES
from app.live.groove import usual_tempo
from app.live.jam import Part, Version
from app.live.session import LiveSession
from app.model_shelf import Generator
from app.ui.views import Json, hue_of


def offers_view(generator: Generator) -> Json:
    """Return what a jam can be begun with: instruments, genres with their usual tempo, ranges of the controls."""
    return {
        "instruments": [{"name": one.name, "label": one.label, "hue": one.index} for one in generator.instruments],
        "genres": [
            {"name": name, "label": name.replace("_", " ").capitalize(), "tempo_bpm": usual_tempo(name)}
            for name in generator.genres
        ],
        "ranges": {name: list(limits) for name, limits in RANGES.items()},
    }


def live_view(live: LiveSession, session_id: str | None) -> Json:
    """Return a jam as the page needs it."""
    with live.lock:
        jam, clock = live.jam, live.clock
        task, delays_s = jam.task, sorted(jam.score.delays_s)
        return {
            "id": live.id,
            "name": live.name,
            "sample_rate_hz": clock.sample_rate_hz,
            "num_frames": clock.num_frames,
            "num_bars": clock.num_bars,
            "beats_per_bar": clock.beats_per_bar,
            "tempo_bpm": round(float(clock.tempo_bpm), 2),
            "parts": [_part(live, part) for part in jam.parts.values()],
            "making": None if task is None else {"part_id": task.part_id, "loop": task.loop},
            "controls": asdict(jam.controls),
            "next_change_loop": live.next_change_loop(),
            "score": {
                "swap_rate": jam.score.swap_rate,
                "num_in_time": jam.score.num_in_time,
                "num_missed": jam.score.num_missed,
                "making_s": live.quantile_s(0.95),
                "delay_s": delays_s[len(delays_s) // 2] if delays_s else None,
            },
            "times_longer": live.times_longer,
            "message": live.message,
            "is_recording": live.is_recording,
            "take_s": len(live.take) * clock.duration_s,
            "session_id": session_id,
        }


def _part(live: LiveSession, part: Part) -> Json:
    coming = part.coming
    return {
        "part_id": part.id,
        "label": live.label(part.id),
        "hue": hue_of(part.instrument),
        "is_fixed": part.instrument is None,
        "is_on": part.is_on,
        "is_held": part.is_held,
        "is_timekeeper": part.id == live.timekeeper_id,
        "can_undo": bool(part.past) or (coming is not None and part.playing is not None),
        "playing": _version(live, part.playing),
        "coming": None if coming is None else {**(_version(live, coming.version) or {}), "loop": coming.loop},
    }


def _version(live: LiveSession, version: Version | None) -> Json | None:
    if version is None:
        return None
    return {
        "version_id": version.id,
        "number": version.number,
        "url": f"/live/{live.id}/sound/{version.id}.flac",
    }
