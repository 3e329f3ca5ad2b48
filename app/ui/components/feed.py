"""The feed of turns."""

import gradio as gr

from app.ui.components.base import build_component

_TEMPLATE = '<div class="feed-log" role="log" aria-label="What was asked for and what came back"></div>'


def build_feed() -> gr.HTML:
    """Build the feed: contexts and turns with their variations; value: `FeedView` of app.ui.views."""
    return build_component("feed", _TEMPLATE, elem_id="feed", styles=("feed", "context_card", "turn_card"))
