"""The session menu: which session is open, the list of all, their trash, and bringing one from a file."""

import gradio as gr

from app.ui.components.base import build_component

_TEMPLATE = """
<div class="session-menu">
  <button type="button" class="opener" hidden><span class="opener-name"></span></button>
  <div class="panel" aria-label="Sessions" hidden>
    <ul class="list" aria-label="Sessions"></ul>
    <div class="row">
      <label class="import"><input type="file" accept=".zip" /><span>Bring a session from a file</span></label>
      <span class="status" role="status"></span>
    </div>
    <details class="trash" hidden><summary></summary><ul></ul></details>
    <details class="programs">
      <summary>For programs</summary>
      <p>This key opens the sessions of this browser to your own programs, and to anybody else you give it to.</p>
      <div class="row"><code class="key"></code><button type="button" class="copy-key">Copy</button></div>
    </details>
  </div>
  <div class="shared" hidden>
    <span class="shared-name"></span>
    <button type="button" class="fork">Make it my own</button>
  </div>
</div>
"""


def build_session_menu() -> gr.HTML:
    """Build the menu; value: `SessionsView` of app.ui.shelf_views."""
    styles = ("popover_panel", "named_lines", "session_menu")
    return build_component("session_menu", _TEMPLATE, elem_id="session-choice", styles=styles)
