"""The page of live, and the switch that leads to it."""

import gradio as gr

from app.ui.components.base import build_component

_SWITCH = """
<div class="mode-switch" role="group" aria-label="Studio or live">
  <button type="button" data-mode="studio" aria-pressed="true">Studio</button>
  <button type="button" data-mode="live" aria-pressed="false">Live</button>
</div>
"""

_TEMPLATE = """
<section class="live" aria-label="Live">
  <div class="begin">
    <h2>Play along, and never stop.</h2>
    <p class="lead">Loops go round while the model makes the next version of one part for what the others play. When it
    is ready in time it takes over on the beat; when it isn't, what plays goes on.</p>
    <div class="form"><p class="quiet waiting">Asking what the model plays …</p></div>
  </div>
  <div class="stage" hidden>
    <div class="bar">
      <button type="button" class="end" title="Stop the music (Space)"></button>
      <span class="count">1.1</span>
      <span class="round" aria-hidden="true"><span class="lines"></span><span class="needle"></span></span>
      <span class="facts"></span>
      <button type="button" class="mic" aria-pressed="false" title="The microphone is part of what the model hears">
        Follow me</button>
      <button type="button" class="record" aria-pressed="false" title="Record a take from the next loop on">
        Record</button>
    </div>
    <p class="notice slow" role="status" hidden></p>
    <p class="notice refusal" role="alert" hidden></p>
    <div class="columns">
      <div class="band">
        <h2 class="title">The band</h2>
        <ul class="parts"></ul>
        <div class="join">
          <select aria-label="Who joins"></select><button type="button" class="add">Join in</button>
        </div>
      </div>
      <div class="turning">
        <h2 class="title">How they play</h2>
        <div class="controls"></div>
        <p class="heard quiet" role="status"></p>
      </div>
    </div>
    <p class="keeping quiet"></p>
    <div class="leaving">
      <button type="button" class="save" hidden>Download the take</button>
      <button type="button" class="take" hidden>Open the take in the studio</button>
      <button type="button" class="tree" hidden>Stop, and open it in the studio</button>
    </div>
  </div>
</section>
"""


def build_mode_switch() -> gr.HTML:
    """Build the switch; it has no value."""
    return build_component("mode_switch", _SWITCH, elem_id="mode-switch")


def build_live() -> gr.HTML:
    """Build the page of live; it has no value. Its event `open` names a session to go to."""
    return build_component("live", _TEMPLATE, elem_id="live")
