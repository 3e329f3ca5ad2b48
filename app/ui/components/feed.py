"""The feed of turns."""

from app.ui.components.base import StudioComponent


class Feed(StudioComponent):
    """Contexts and turns with their variations; value: `FeedView` of app.ui.views."""

    asset = "feed"
    template = '<div class="feed-log" role="log" aria-label="What was asked for and what came back"></div>'
