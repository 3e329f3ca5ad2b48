"""How events of the page reach their handlers, and how the answers reach the page."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
import gradio as gr

from app.ui.answer_order import ANSWERING, AnswerOrder, Numbered, current_tab

# Gradio makes every listener a public endpoint unless told otherwise.
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# What one does while something else is still on its way is done as well: Gradio would drop it.
EACH: dict[str, Any] = {**PRIVATE, "trigger_mode": "multiple"}
# Gradio would take every value through a thread of its own before it is sent, and answers could pass each other there.
# The values of this page are sent as they are.
AS_THEY_ARE: dict[str, Any] = {"postprocess": False}

Listen = Callable[..., Any]  # an event of a component: called with a handler it listens from then on


@dataclass(frozen=True, slots=True)
class PageWiring:
    """Connects events with handlers that change the page.

    Attributes:
        answers: their order.
        state: where the page stands; a handler that is given it gets what was done last, answered or not.
        shown: what such a handler returns.
    """

    answers: AnswerOrder
    state: gr.State
    shown: list[Any]

    def one(self, listen: Listen, handler: Callable[..., Any], inputs: Any, more: tuple[Any, ...] = ()) -> Any:
        """Let an event call a handler; it is dropped while one like it is under way.

        Args:
            listen: the event.
            handler: of it.
            inputs: what the handler is given.
            more: what it returns beside `shown`.
        """
        return self._listen(listen, handler, inputs, more, PRIVATE)

    def each(self, listeners: tuple[tuple[Listen, Callable[..., Any]], ...], inputs: Any) -> None:
        """Let each event call its handler, as often as it happens.

        Args:
            listeners: events and their handlers.
            inputs: what every handler is given.
        """
        for listen, handler in listeners:
            self._listen(listen, handler, inputs, (), EACH)

    def _listen(
        self, listen: Listen, handler: Callable[..., Any], inputs: Any, more: tuple[Any, ...], mode: dict[str, Any]
    ) -> Any:
        stands = isinstance(inputs, list) and inputs[0] is self.state
        answer = in_order(self.answers, handler, stands=stands)
        return listen(answer, inputs, [*self.shown, *more], **mode, **AS_THEY_ARE)


def in_order(answers: AnswerOrder, handler: Callable[..., Any], *, stands: bool = False) -> Callable[..., Any]:
    """Return a handler whose answers change nothing where a newer answer has been given to the tab.

    Args:
        answers: their order.
        handler: returns a tuple, and numbers what it reads with `AnswerOrder.begin`.
        stands: whether its first argument is where the page stands.
    """

    @functools.wraps(handler)
    async def answer(*args: Any) -> tuple[Any, ...]:
        tab, numbered = current_tab(), Numbered()
        if stands:
            args = (answers.place(tab) or args[0], *args[1:])
        ANSWERING.set(numbered)
        shown = await anyio.to_thread.run_sync(functools.partial(handler, *args))
        # Nothing waits between here and the message that is sent, so nothing can pass.
        if numbered.number and not answers.give(numbered.number, tab):
            return tuple(gr.skip() for _ in shown)
        return shown

    return answer
