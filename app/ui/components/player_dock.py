"""The player dock."""

import gradio as gr

from app.ui.components.base import build_component

_STYLES = ("player_dock", "player_dock_transport", "player_dock_desk", "player_dock_narrow")
_TEMPLATE = """
<div class="dock" role="region" aria-label="Player" hidden>
  <div class="transport">
    <span class="keys">
      <button type="button" class="stop" aria-label="Back to the start" title="Back to the start"></button>
      <button type="button" class="play" aria-label="Play" title="Play or pause (Space)"></button>
      <button type="button" class="loop" aria-label="Loop" title="Loop (L)" aria-pressed="true"></button>
    </span>
    <span class="lengths segments" role="group" aria-label="Length of the loop" hidden></span>
    <span class="position"><span class="count" hidden></span><span class="time">0:00.0 / 0:00.0</span></span>
    <span class="dock-title"></span>
    <span class="candidates" role="group" aria-label="Variations" hidden>
      <span class="quiet"></span>
      <span class="choices"></span>
      <button type="button" class="pick" title="Make it part of the mix (Enter)">Pick</button>
    </span>
    <span class="listen segments" role="group" aria-label="What to hear">
      <button type="button" data-mode="mix" title="Everything">Mix</button>
      <button type="button" data-mode="context" title="Without the variation">Context</button>
      <button type="button" data-mode="solo" title="The variation alone">Solo</button>
    </span>
    <span class="compare" role="group" aria-label="Compare with another mix" hidden>
      <select aria-label="The other mix"></select>
      <button type="button" title="Hold to hear the other mix (C)" aria-pressed="false">Compare</button>
    </span>
    <span class="master-group">
      <span class="speaker"></span>
      <span class="master-stack">
        <input type="range" class="master" min="0" max="1" step="0.005" aria-label="Master volume" />
        <span class="meter" aria-hidden="true" title="Level; the dot says that it was too loud. Click to clear it.">
          <span class="side"></span><span class="side"></span>
        </span>
      </span>
    </span>
    <button type="button" class="help" aria-label="Keyboard" title="Keyboard (?)"></button>
    <button type="button" class="fold" aria-label="Show or hide the strips" title="Show or hide the strips"></button>
  </div>
  <p class="dock-message" role="status"></p>
  <div class="desk">
    <div class="ruler-row"></div>
    <div class="strips"></div>
    <div class="playhead" aria-hidden="true"></div>
  </div>
  <nav class="tabs" aria-label="Parts of the page"></nav>
</div>
"""


def build_player_dock() -> gr.HTML:
    """Build the dock: transport and one strip per sound; value: `DockView` of app.ui.dock_views."""
    return build_component("player_dock", _TEMPLATE, elem_id="dock", styles=_STYLES)
