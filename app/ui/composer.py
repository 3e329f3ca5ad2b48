"""The composer: what a stem is asked for with. Builds the panel and wires it; holds no logic."""

from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from app.orders import MAX_VARIATIONS
from app.ui.components.choices import offered
from app.ui.feed_handlers import FeedHandlers
from app.ui.wiring import PRIVATE, PageWiring
from stemgen_core.sampling.settings import MAX_GUIDANCE_SCALE, MAX_TEMPERATURE, PRESETS

DEFAULT_PRESET = "balanced"
# What each is and what was measured of it: docs/decisions/0033-presets.md.
PRESET_CHOICES = [("Tight", "tight"), ("Balanced", "balanced"), ("Wild", "wild")]


@dataclass(frozen=True, slots=True)
class Composer:
    """The panel's parts."""

    adding_to: gr.HTML
    model: gr.Radio
    instrument: gr.Radio
    genre: gr.Dropdown
    stem_category: gr.Radio
    count: gr.Radio
    preset: gr.Radio
    seed: gr.Number
    lock: gr.Checkbox
    scales: tuple[gr.Slider, gr.Slider, gr.Slider]
    generate: gr.Button

    @property
    def order(self) -> list[Component]:
        """In the order of `handlers.read_order`."""
        return [
            self.instrument,
            self.count,
            self.preset,
            self.seed,
            *self.scales,
            self.genre,
            self.stem_category,
            self.model,
        ]

    @property
    def offered(self) -> list[Component]:
        """What depends on the model, in the order of `FeedHandlers.on_model`."""
        return [self.instrument, self.genre, self.stem_category, self.generate]

    @property
    def asked_of(self) -> list[Component]:
        """What another model may offer otherwise, in the order of `FeedHandlers.on_other_model`."""
        return [self.instrument, self.genre, self.stem_category]


def build_composer() -> Composer:
    """Build the panel; what the model offers is filled in once it is loaded."""
    with gr.Column(elem_id="composer"):
        adding_to = gr.HTML("", elem_id="adding-to")
        model = offered(gr.Radio([], label="Model", elem_classes="pills", elem_id="model", visible=False))
        instrument = offered(gr.Radio([], label="Add a stem", elem_classes="pills", elem_id="instrument"))
        stem_category = offered(
            gr.Radio([], label="Kind of part", elem_classes="pills", elem_id="stem-category", visible=False)
        )
        genre = offered(gr.Dropdown([], label="Genre", elem_id="genre", visible=False))
        count = gr.Radio(
            list(range(1, MAX_VARIATIONS + 1)), value=2, label="Variations", elem_classes="pills", elem_id="count"
        )
        preset = gr.Radio(
            PRESET_CHOICES,
            value=DEFAULT_PRESET,
            label="Playing",
            elem_classes="pills",
            elem_id="preset",
        )
        with gr.Row(elem_id="seed-row"):
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="seed", min_width=100)
            lock = gr.Checkbox(label="Keep", elem_id="lock", min_width=70, container=False)
        with gr.Accordion("Advanced", open=False, elem_id="advanced"):
            scales = _build_scales()
        generate = gr.Button("Generate", variant="primary", elem_id="generate")
    return Composer(adding_to, model, instrument, genre, stem_category, count, preset, seed, lock, scales, generate)


def _build_scales() -> tuple[gr.Slider, gr.Slider, gr.Slider]:
    start = PRESETS[DEFAULT_PRESET]
    return (
        gr.Slider(0.05, MAX_TEMPERATURE, start.temperature, step=0.05, label="Temperature", elem_id="temperature"),
        gr.Slider(0, MAX_GUIDANCE_SCALE, start.context_guidance_scale, step=0.1, label="Follow the mix"),
        gr.Slider(0, MAX_GUIDANCE_SCALE, start.instrument_guidance_scale, step=0.1, label="Follow the instrument"),
    )


def wire_composer(handlers: FeedHandlers, composer: Composer, inputs: list[Component], wiring: PageWiring) -> None:
    """Let the panel's buttons do what they say.

    Args:
        handlers: of the page.
        composer: the panel.
        inputs: the page's state and the browser's.
        wiring: of handlers that change the page.
    """
    asked = wiring.one(composer.generate.click, handlers.on_generate, [*inputs, *composer.order])
    asked.then(handlers.on_next_seed, [composer.seed, composer.lock], composer.seed, **PRIVATE)
    composer.model.input(handlers.on_other_model, [composer.model, composer.instrument], composer.asked_of, **PRIVATE)
    composer.preset.input(handlers.on_preset, composer.preset, list(composer.scales), **PRIVATE)


def wire_feed(
    handlers: FeedHandlers, feed: gr.HTML, composer: Composer, inputs: list[Component], wiring: PageWiring
) -> None:
    """Let what stands in the feed do what it says; arguments as for `wire_composer`."""
    wiring.each(((feed.pick, handlers.on_pick),), inputs[1])
    wiring.each(
        (
            (feed.go, handlers.on_go),
            (feed.star, handlers.on_star),
            (feed.cancel, handlers.on_cancel),
            (feed.retry, handlers.on_retry),
            (feed.reroll, handlers.on_reroll),
            (feed.correct, handlers.on_correct),
            (feed.revise, handlers.on_revise),
            (feed.nudge, handlers.on_nudge),
            (feed.extend, handlers.on_extend),
        ),
        inputs,
    )
    # Coming back to a tab is no deed: it must not undo what the page says meanwhile.
    wiring.one(feed.refresh, handlers.on_refresh, inputs)
    feed.reuse(handlers.on_reuse, inputs[1], [*composer.order, composer.lock], **PRIVATE)
    feed.keep_seed(handlers.on_keep_seed, None, [composer.seed, composer.lock], **PRIVATE)
