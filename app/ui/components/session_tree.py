"""The session tree."""

import gradio as gr

from app.ui.components.base import build_component

_TEMPLATE = """
<div class="shelf-tree">
  <div class="tree-bar" role="toolbar" aria-label="Session tree">
    <button type="button" class="undo" disabled></button>
    <button type="button" class="redo" disabled></button>
    <span class="siblings" hidden></span>
    <button type="button" class="tidy">Tidy up</button>
  </div>
  <div class="tree-filter" role="search" hidden>
    <button type="button" class="only-starred" aria-pressed="false" aria-label="Only starred"></button>
    <select class="by-instrument" aria-label="Only this instrument"></select>
    <input class="by-text" type="search" placeholder="Find" aria-label="Find by name" />
  </div>
  <div class="tree-root"></div>
  <p class="tree-status" role="status"></p>
  <details class="tree-trash" hidden>
    <summary></summary>
    <ul></ul>
  </details>
</div>
"""


def build_session_tree() -> gr.HTML:
    """Build the tree: every context and picked stem of the session; value: `TreeView` of app.ui.shelf_views."""
    return build_component("session_tree", _TEMPLATE, elem_id="tree", styles=("named_lines", "session_tree"))
