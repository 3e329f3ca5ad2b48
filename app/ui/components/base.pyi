"""What the page's own components have in common."""

from pathlib import Path
from typing import Any

import gradio as gr

from app.ui.static import HEAD

FOLDER = Path(__file__).parent

from gradio.events import Dependency

class StudioComponent(gr.HTML):
    """A fixed template, filled by the script of the same name; the value is JSON and only ever goes to the page.

    Values reach the script through `props.value`, never through the template: Gradio puts template values into the
    page as markup, and names that people type must stay text.
    """

    asset = ""  # name of the .js and .css beside the class
    template = ""

    def __init__(self, value: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(
            value=value,
            html_template=self.template,
            css_template=(FOLDER / f"{self.asset}.css").read_text("utf-8"),
            js_on_load=(FOLDER / f"{self.asset}.js").read_text("utf-8"),
            head=HEAD,
            apply_default_css=False,
            **kwargs,
        )

    def postprocess(self, value: dict[str, Any] | None) -> Any:
        """Hand the JSON through."""
        return value

    def api_info(self) -> dict[str, Any]:
        """Describe the value as JSON; Gradio's own class says it is text."""
        return {"type": "object"}
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component