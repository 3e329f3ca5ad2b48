"""The session tree."""

from app.ui.components.base import StudioComponent

from gradio.events import Dependency

class SessionTree(StudioComponent):
    """Every context and picked stem of the session; value: `TreeView` of app.ui.views."""

    asset = "session_tree"
    template = '<div class="tree-root"></div>'
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component