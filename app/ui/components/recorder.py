"""The microphone's door: count-in, recording, trimming."""

import gradio as gr

from app.ui.components.base import build_component
from app.ui.static import WORKLET, url_of

_TEMPLATE = """
<div class="recorder" role="group" aria-label="Recorder" data-state="loading"
  data-worklet="WORKLET_URL" data-max-s="MAX_S">
  <div class="before">
    <label class="field">
      <span>Count-in</span>
      <select class="count-in">
        <option value="0 4">None</option>
        <option value="1 4">1 bar of 4</option>
        <option value="2 4">2 bars of 4</option>
        <option value="1 3">1 bar of 3</option>
        <option value="2 3">2 bars of 3</option>
      </select>
    </label>
    <span class="tempo-choice" hidden>
      <label class="field">
        <span>Tempo, BPM</span>
        <input class="bpm" type="number" min="30" max="300" step="any" value="100" />
      </label>
      <button type="button" class="tap plain" title="Tap the beat here, four times or more">Tap</button>
    </span>
  </div>
  <div class="review" hidden>
    <div class="picture">
      <canvas class="wave" role="img" aria-label="The recording; what is cut off is pale"></canvas>
      <span class="cut of-start"></span><span class="cut of-end"></span><span class="head"></span>
    </div>
    <input class="trim from" type="range" min="0" step="0.01" aria-label="Begin at" />
    <input class="trim to" type="range" min="0" step="0.01" aria-label="End at" />
    <p class="kept"></p>
    <div class="row">
      <button type="button" class="listen plain"></button>
      <button type="button" class="bars plain" hidden>Whole bars</button>
    </div>
  </div>
  <div class="live" hidden>
    <span class="beat" aria-hidden="true"></span>
    <span class="level" aria-hidden="true"><span></span></span>
    <span class="elapsed"></span>
  </div>
  <div class="row">
    <button type="button" class="record"></button>
    <button type="button" class="stop" hidden></button>
    <button type="button" class="use" hidden>Use this recording</button>
  </div>
  <p class="status" role="status"></p>
</div>
"""


def build_recorder(max_duration_s: float) -> gr.HTML:
    """Build the recorder; it has no value. Its event says where the upload lies, and the tempo that was counted.

    Args:
        max_duration_s: longest recording; it stops by itself.
    """
    template = _TEMPLATE.replace("WORKLET_URL", url_of(WORKLET)).replace("MAX_S", f"{max_duration_s:g}")
    return build_component("recorder", template, elem_id="recorder")
