"""Out of the browser: downloads of what is open, and the link to show it to others."""

import gradio as gr

from app.ui.components.base import build_component

_TEMPLATE = """
<div class="export-menu" hidden>
  <button type="button" class="opener share-opener"><span class="word">Share</span></button>
  <div class="panel share-panel" hidden aria-label="Share"></div>
  <button type="button" class="opener export-opener"><span class="word">Export</span></button>
  <div class="panel export-panel" hidden aria-label="Export">
    <h3 class="what"></h3>
    <div class="choices"></div>
    <p class="hint"></p>
    <p class="status" role="status"></p>
  </div>
</div>
"""


def build_export_menu() -> gr.HTML:
    """Build the two menus; value: `ExportView` of app.ui.shelf_views."""
    return build_component("export_menu", _TEMPLATE, elem_id="export-menu", styles=("popover_panel", "export_menu"))
