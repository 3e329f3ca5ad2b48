"""The feed of turns."""

from app.ui.components.base import StudioComponent

from gradio.events import Dependency

class Feed(StudioComponent):
    """Contexts and turns with their variations; value: `FeedView` of app.ui.views."""

    asset = "feed"
    template = '<div class="feed-log" role="log" aria-label="What was asked for and what came back"></div>'
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component