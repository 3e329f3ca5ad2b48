"""Gradio event handlers of the shelf: the tree's ways back, whole sessions, links, bringing and taking away."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.library import Library
from app.session_files import import_session
from app.ui.handlers import SHOWN, Handlers, Shown, field_of, notice, says_errors
from app.ui.uploads import uploaded_path
from app.ui.views import Json
from sessions.errors import NotFoundError, ShareNotFoundError

SHARE_PARAMETER = "share"


@dataclass(frozen=True, slots=True)
class ShelfHandlers:
    """The handlers of the session tree, the session menu and the export menu.

    Attributes:
        page_handlers: of the page, which know how to show it.
    """

    page_handlers: Handlers

    @property
    def _library(self) -> Library:
        return Library(self.page_handlers.studio.store)

    # ---- arriving ----------------------------------------------------------------------------------------------

    def on_arrive(self, browser: Json | None, request: gr.Request) -> Shown:
        """Show the session of the link that was followed, else the one that was open last, else the three doors."""
        share_token = dict(request.query_params).get(SHARE_PARAMETER)
        if not share_token:
            return self.page_handlers.on_load(browser)
        try:
            return self.page_handlers.show_shared(str(share_token), self._token(browser))
        except ShareNotFoundError as error:
            return self._saying(self.page_handlers.on_load(browser), str(error))

    @says_errors
    def on_fork(self, page: Json, browser: Json) -> Shown:
        """Make the session of a link one's own and open it."""
        token = self._token(browser)
        return self._show(token, self._library.fork(str(page.get("share")), token).id)

    # ---- ways back ---------------------------------------------------------------------------------------------

    @says_errors
    def on_undo(self, page: Json, browser: Json) -> Shown:
        """Undo the last change and stand where one stood before it."""
        token, session_id = self._token(browser), str(page.get("session_id"))
        node_id = self.page_handlers.studio.editing.undo(token, session_id)
        return self._show(token, session_id, node_id)

    @says_errors
    def on_redo(self, page: Json, browser: Json) -> Shown:
        """Do again what was undone last and stand where one stood after it."""
        token, session_id = self._token(browser), str(page.get("session_id"))
        node_id = self.page_handlers.studio.editing.redo(token, session_id)
        return self._show(token, session_id, node_id)

    @says_errors
    def on_trash(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Put a node into the trash; whoever stood on it or above it steps down to its parent."""
        token = self._token(browser)
        node = self.page_handlers.studio.editing.trash_node(token, field_of(event, "node_id"))
        return self._show(token, node.session_id, page.get("node_id"))

    @says_errors
    def on_restore(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Take a node out of the trash."""
        token = self._token(browser)
        node = self.page_handlers.studio.editing.restore_node(token, field_of(event, "node_id"))
        return self._show(token, node.session_id, page.get("node_id"))

    @says_errors
    def on_tidy(self, page: Json, browser: Json) -> Shown:
        """Put every branch without a star into the trash."""
        token, session_id = self._token(browser), str(page.get("session_id"))
        self.page_handlers.studio.editing.tidy(token, session_id)
        return self._show(token, session_id, page.get("node_id"))

    # ---- whole sessions ----------------------------------------------------------------------------------------

    @says_errors
    def on_open(self, browser: Json, event: gr.EventData) -> Shown:
        """Go to another session."""
        return self._show(self._token(browser), field_of(event, "session_id"))

    @says_errors
    def on_title(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Call a session something else."""
        token = self._token(browser)
        self._library.rename(token, field_of(event, "session_id"), field_of(event, "name"))
        return self._stay(token, page)

    @says_errors
    def on_duplicate(self, browser: Json, event: gr.EventData) -> Shown:
        """Make a copy of a session and open it."""
        token = self._token(browser)
        return self._show(token, self._library.duplicate(token, field_of(event, "session_id")).id)

    @says_errors
    def on_discard(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Put a session into the trash; if it was the open one, the three doors are next."""
        token = self._token(browser)
        session = self._library.trash(token, field_of(event, "session_id"))
        if session.id == page.get("session_id"):
            return self.page_handlers.on_new_session(browser)
        return self._stay(token, page)

    @says_errors
    def on_recover(self, browser: Json, event: gr.EventData) -> Shown:
        """Take a session out of the trash and open it."""
        token = self._token(browser)
        return self._show(token, self._library.restore(token, field_of(event, "session_id")).id)

    @says_errors
    def on_bring(self, browser: Json, event: gr.EventData) -> Shown:
        """Make a session of a file that was uploaded, and open it."""
        token = self._token(browser)
        path = uploaded_path(field_of(event, "path"))
        try:
            session = import_session(self.page_handlers.studio.store, token, path)
        finally:
            path.unlink(missing_ok=True)  # it is in the store now, or was none
        return self._show(token, session.id)

    # ---- links -------------------------------------------------------------------------------------------------

    @says_errors
    def on_share(self, page: Json, browser: Json) -> Shown:
        """Make a link of the open session."""
        token = self._token(browser)
        self._library.share(token, str(page.get("session_id")))
        return self._stay(token, page)

    @says_errors
    def on_unshare(self, page: Json, browser: Json) -> Shown:
        """Take the link of the open session back."""
        token = self._token(browser)
        self._library.unshare(token, str(page.get("session_id")))
        return self._stay(token, page)

    # ---- what the page shows -----------------------------------------------------------------------------------

    def _token(self, browser: Json | None) -> str:
        return self.page_handlers.studio.accept_token((browser or {}).get("token"))

    def _show(self, token: str, session_id: str, node_id: Any = None) -> Shown:
        return self.page_handlers.show(token, session_id, node_id)

    def _stay(self, token: str, page: Json) -> Shown:
        """Show the page as it is: a session, or the three doors."""
        try:
            return self._show(token, str(page.get("session_id")), page.get("node_id"))
        except NotFoundError:
            return self.page_handlers.on_new_session({"token": token})

    def _saying(self, shown: Shown, words: str) -> Shown:
        values = dict(zip(SHOWN, shown, strict=True))
        values["notice"] = notice(words)
        return tuple(values.values())
