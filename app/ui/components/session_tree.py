"""The session tree."""

from app.ui.components.base import StudioComponent


class SessionTree(StudioComponent):
    """Every context and picked stem of the session; value: `TreeView` of app.ui.views."""

    asset = "session_tree"
    template = '<div class="tree-root"></div>'
