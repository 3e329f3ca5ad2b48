"""Gradio event handlers of the player dock: convert, call, convert back."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import gradio as gr

from app.mixing import keep_strip
from app.services import Studio
from app.ui.handlers import EXPECTED_ERRORS, notice
from app.ui.views import Json
from sessions.tree import Mixer
from stemgen_core.errors import InvalidRequestError

MAX_STRIPS = 64  # in one message; the page sends what changed within a third of a second
MAX_GAIN_DB = 12.0
MIN_GAIN_DB = -60.0  # silent


@dataclass(frozen=True, slots=True)
class DockHandlers:
    """The handlers of the player dock."""

    studio: Studio

    def on_mixer(self, browser: Json, event: gr.EventData) -> Any:
        """Keep the strips that were moved; says what went wrong, and is silent otherwise."""
        token = self.studio.accept_token((browser or {}).get("token"))
        try:
            for mixer_id, mixer in read_strips(event._data):
                keep_strip(self.studio.store, token, mixer_id, mixer)
        except EXPECTED_ERRORS as error:
            return notice(str(error))
        return gr.skip()


def read_strips(data: object) -> list[tuple[str, Mixer]]:
    """Read what the page says of its strips; it comes from outside and may be anything.

    Raises:
        InvalidRequestError: if it is no list of strips.
    """
    strips = data.get("strips") if isinstance(data, Mapping) else None
    if not isinstance(strips, list) or len(strips) > MAX_STRIPS:
        raise InvalidRequestError("The mixer could not be saved: reload the page and try again.")
    return [_read_strip(strip) for strip in strips]


def _read_strip(strip: object) -> tuple[str, Mixer]:
    try:
        if not isinstance(strip, Mapping):
            raise TypeError
        gain_db, pan = float(strip["gain_db"]), float(strip["pan"])
        if not (isfinite(gain_db) and isfinite(pan)):
            raise ValueError
        mixer = Mixer(
            gain_db=min(MAX_GAIN_DB, max(MIN_GAIN_DB, gain_db)),
            pan=min(1.0, max(-1.0, pan)),
            is_muted=bool(strip["is_muted"]),
            is_soloed=bool(strip["is_soloed"]),
        )
        return str(strip["mixer_id"]), mixer
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRequestError("The mixer could not be saved: reload the page and try again.") from error
