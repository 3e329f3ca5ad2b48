"""Choices that depend on the model.

Gradio refuses what is not among the choices that it remembers of a tab. It forgets tabs when many others come, and
would then refuse every choice on a page that is still open. What can be chosen is the studio's to say: it knows the
model, and says so in words.
"""

from typing import Any, TypeVar

from gradio.components import Dropdown, Radio

Choice = TypeVar("Choice", Radio, Dropdown)


def offered(component: Choice) -> Choice:
    """Return a component without choices yet that hands on whatever a page sends."""
    # Of this one alone: Gradio writes a file beside the module of whoever derives from a component.
    component.preprocess = _as_sent
    return component


def _as_sent(payload: Any) -> Any:
    return payload
