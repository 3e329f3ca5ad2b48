"""The session tree."""

import gradio as gr

from app.ui.components.base import build_component


def build_session_tree() -> gr.HTML:
    """Build the tree: every context and picked stem of the session; value: `TreeView` of app.ui.views."""
    return build_component("session_tree", '<div class="tree-root"></div>', elem_id="tree")
