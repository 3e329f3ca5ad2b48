"""What the page of live is given by Gradio: the browser's secret, and the way to a session."""

from dataclasses import dataclass

from app.services import Studio
from app.ui.views import Json


@dataclass(frozen=True, slots=True)
class LiveHandlers:
    """The handlers of live."""

    studio: Studio

    def on_key(self, browser: Json | None) -> Json:
        """Return what the page of live asks the server with."""
        return {"media_key": self.studio.accept_token((browser or {}).get("token"))}
