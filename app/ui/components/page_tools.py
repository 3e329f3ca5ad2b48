"""The tools that belong to the page as a whole: light or dark, and the keyboard's sheet."""

import gradio as gr

from app.ui.components.base import build_component

_TEMPLATE = """
<div class="page-tools" role="group" aria-label="Page">
  <button type="button" class="appearance" aria-label="Dark appearance"></button>
</div>
"""


def build_page_tools() -> gr.HTML:
    """Build the tools; they have no value."""
    return build_component("page_tools", _TEMPLATE, elem_id="page-tools")
