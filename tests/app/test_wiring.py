"""How events of the page reach their handlers."""

from app.services import Studio
from app.ui.layout import build_page


def test_what_is_done_while_something_else_is_on_its_way_is_done_as_well(studio: Studio) -> None:
    page = build_page(studio, browser_secret="s")

    listeners = page.config.get("dependencies", [])
    modes = {event: listener["trigger_mode"] for listener in listeners for _, event in listener["targets"]}

    for event in ("pick", "go", "star", "rename", "mixer", "cancel", "trash", "undo", "fork", "remove"):
        assert modes[event] == "multiple", event
