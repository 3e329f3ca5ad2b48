"""The player dock."""

from app.ui.components.base import StudioComponent

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

from gradio.events import Dependency

class PlayerDock(StudioComponent):
    """Transport and one strip per sound; value: `DockView` of app.ui.views."""

    asset = "player_dock"
    template = _TEMPLATE
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component