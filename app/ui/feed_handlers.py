"""Gradio event handlers of the composer and the feed: convert, call one use case, convert back."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.errors import StudioError
from app.labels import model_label
from app.machine import machine_words
from app.model_shelf import Generator
from app.orders import recipe_of_turn
from app.revising import extend, nudge, revise_part
from app.starting import start_from_finished
from app.ui.handlers import READABLE_SEEDS, SHOWN, Handlers, Shown, data_of, field_of, node_id_of, notice, says_errors
from app.ui.views import Json
from sessions.errors import NotFoundError
from sessions.tree import MAX_SEED
from stemgen_core.errors import InvalidRequestError
from stemgen_core.sampling.settings import PRESETS

MODEL_WAIT_S = 20.0
SPEED_WAIT_S = 120.0
LOOK_S = 1.0
ANY = "any"  # a genre or kind of part that is left open


@dataclass(frozen=True, slots=True)
class FeedHandlers(Handlers):
    """The handlers of the composer and of what stands in the feed."""

    @says_errors
    def on_finished(self, browser: Json) -> Shown:
        """Begin with a copy of the finished example session."""
        token = self._token(browser)
        return self._open(token, start_from_finished(self.studio, token))

    # ---- the composer ------------------------------------------------------------------------------------------

    def on_model(self) -> tuple[Any, ...]:
        """Offer the models, and what the first one does, once they are loaded.

        Returns:
            Updates of model, instrument, genre, kind of part and the Generate button, and a note.
        """
        models = self.studio.models.wait_for_all(MODEL_WAIT_S)
        try:
            first = self.studio.models.get()
        except StudioError as error:
            return (
                gr.skip(),
                gr.update(choices=[]),
                gr.skip(),
                gr.skip(),
                gr.update(interactive=False),
                notice(str(error)),
            )
        choices = [(model_label(model.model_id), model.model_id) for model in models]
        return (
            gr.update(choices=choices, value=first.model_id, visible=len(choices) > 1),
            *_offers(first, ""),
            gr.update(interactive=True),
            "",
        )

    def on_other_model(self, model_id: str, instrument: str | None) -> tuple[Any, ...]:
        """Offer what another model does, and keep the instrument that is chosen if it plays that one, too."""
        try:
            return _offers(self.studio.models.get(str(model_id)), instrument or "")
        except StudioError:  # none of this server's: what is asked of it will be refused in words
            return gr.skip(), gr.skip(), gr.skip()

    async def on_machine(self) -> AsyncIterator[str]:
        """Say how fast this machine is, once that is measured."""
        for _ in range(int(SPEED_WAIT_S / LOOK_S)):
            words = machine_words(self.studio)
            if words:
                yield words
                return
            await asyncio.sleep(LOOK_S)
        yield ""

    def on_preset(self, preset: str) -> tuple[float, float, float]:
        """Return the sliders' values in a preset."""
        settings = PRESETS[preset]
        return settings.temperature, settings.context_guidance_scale, settings.instrument_guidance_scale

    def on_keep_seed(self, event: gr.EventData) -> tuple[int, bool]:
        """Put a seed into the composer and lock it."""
        return read_seed(data_of(event).get("seed")), True

    def on_reuse(self, browser: Json, event: gr.EventData) -> tuple[Any, ...]:
        """Put the settings of an earlier turn into the composer."""
        turn = self.studio.store.turn(self._token(browser), field_of(event, "turn_id"))
        recipe = recipe_of_turn(turn)
        settings = recipe.settings
        return (
            turn.instrument,
            min(len(turn.variations), 4),
            turn.preset if turn.preset in ("tight", "balanced", "wild") else None,
            turn.first_seed,
            settings.temperature,
            settings.context_guidance_scale,
            settings.instrument_guidance_scale,
            recipe.genre or ANY,
            recipe.stem_category or ANY,
            self.studio.models.made_by(turn.model_id).model_id,
            True,
        )

    # ---- turns -------------------------------------------------------------------------------------------------

    @says_errors
    def on_reroll(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Ask for the same again with new seeds."""
        token = self._token(browser)
        self.studio.reroll_turn(token, field_of(event, "turn_id"), secrets.randbelow(READABLE_SEEDS))
        return self._refresh(token, page)

    @says_errors
    def on_revise(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Ask for some bars of a stem anew."""
        token, data = self._token(browser), data_of(event)
        try:
            first, last, num_variations = (int(data.get(name, -1)) for name in ("first", "last", "num_variations"))
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidRequestError("Choose which bars to make anew.") from error
        turn = revise_part(
            self.studio,
            token,
            field_of(event, "variation_id"),
            parts=(first, last),
            first_seed=secrets.randbelow(READABLE_SEEDS),
            num_variations=num_variations,
            open_node_id=node_id_of(page),
        )
        return self.show(token, turn.session_id, turn.node_id)

    @says_errors
    def on_nudge(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Move a stem by the offset that was measured on it."""
        token = self._token(browser)
        nudge(self.studio, token, field_of(event, "variation_id"))
        return self._refresh(token, page)

    @says_errors
    def on_extend(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Make a mix twice as long."""
        token = self._token(browser)
        return self._open(token, extend(self.studio, token, field_of(event, "node_id")))

    # ---- the context -------------------------------------------------------------------------------------------

    @says_errors
    def on_correct(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Put right what was heard in a context."""
        token, data = self._token(browser), data_of(event)
        changes = data.get("changes")
        self.studio.correct_context(token, field_of(event, "node_id"), changes if isinstance(changes, dict) else {})
        return self._refresh(token, page)

    def on_refresh(self, page: Json, browser: Json) -> Shown:
        """Read the session again: another tab may have changed it."""
        if not page.get("session_id") or page.get("share"):
            return tuple(gr.skip() for _ in SHOWN)
        try:
            return (*self._refresh(self._token(browser), page)[:-1], gr.skip())
        except NotFoundError:  # put in the trash by the other tab
            return self.on_new_session(browser)


def read_seed(value: object) -> int:
    """Return a seed that the page sent; anything that is none becomes 0."""
    return value if isinstance(value, int) and 0 <= value <= MAX_SEED else 0


def _offers(model: Generator, instrument: str) -> tuple[Any, Any, Any]:
    """Return updates of instrument, genre and kind of part."""
    choices = [(each.label, each.name) for each in model.instruments]
    names = [each.name for each in model.instruments]
    usual = "bass" if "bass" in names else names[0]  # most contexts lack one
    chosen = instrument if instrument in names else usual
    return gr.update(choices=choices, value=chosen), _open_choice(model.genres), _open_choice(model.stem_categories)


def _open_choice(names: tuple[str, ...]) -> Any:
    """Return the update of a choice that the model may not have, and that may be left open."""
    choices = [("Any", ANY), *((name.replace("_", " ").capitalize(), name) for name in names)]
    return gr.update(choices=choices, value=ANY, visible=bool(names))
