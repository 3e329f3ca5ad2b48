"""How events of the page reach their handlers."""

from collections.abc import Callable
from typing import Any

# Gradio makes every listener a public endpoint unless told otherwise.
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# What one does while something else is still on its way is done as well: Gradio would drop it.
EACH: dict[str, Any] = {**PRIVATE, "trigger_mode": "multiple"}

Listen = Callable[..., Any]  # an event of a component: called with a handler it listens from then on


def wire(listeners: tuple[tuple[Listen, Callable[..., Any]], ...], inputs: Any, outputs: Any) -> None:
    """Let each event call its handler, as often as it happens.

    Args:
        listeners: events and their handlers.
        inputs: what every handler is given.
        outputs: what every handler returns.
    """
    for listen, handler in listeners:
        listen(handler, inputs, outputs, **EACH)
