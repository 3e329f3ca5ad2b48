"""The player dock."""

import gradio as gr

from app.ui.components.base import build_component

_TEMPLATE = """
<div class="dock" role="region" aria-label="Player">
  <div class="transport">
    <button type="button" class="play" aria-label="Play" title="Play or pause (Space)"></button>
    <button type="button" class="stop" aria-label="Stop" title="Back to the start"></button>
    <button type="button" class="loop" aria-label="Loop" title="Loop" aria-pressed="true"></button>
    <span class="time">0:00.0 / 0:00.0</span>
    <span class="dock-title"></span>
    <span class="candidates" role="group" aria-label="Variations" hidden></span>
    <span class="listen" role="group" aria-label="What to hear">
      <button type="button" data-mode="mix" title="Everything">Mix</button>
      <button type="button" data-mode="context" title="Without the variation">Context</button>
      <button type="button" data-mode="solo" title="The variation alone">Solo</button>
    </span>
    <label class="volume-label">
      <span class="meter" aria-hidden="true"><span></span></span>
      <input type="range" class="master" min="0" max="1" step="0.01" value="1" aria-label="Master volume" />
    </label>
    <button type="button" class="fold" aria-label="Show or hide the strips" title="Show or hide the strips"></button>
  </div>
  <p class="dock-message" role="status"></p>
  <div class="strips"></div>
</div>
"""


def build_player_dock() -> gr.HTML:
    """Build the dock: transport and one strip per sound; value: `DockView` of app.ui.views."""
    return build_component("player_dock", _TEMPLATE, elem_id="dock")
