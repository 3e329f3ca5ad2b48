"""Arriving where one may log in: sessions follow the login into every browser, and nobody has to log in."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.accounts import Accounts
from app.ui.handlers import Shown
from app.ui.shelf_handlers import ShelfHandlers
from app.ui.views import Json


@dataclass(frozen=True, slots=True)
class AccountHandlers:
    """The handler of arriving.

    `account` is what the browser keeps beside its own token: {before}, the token from before the login; empty while
    nobody is logged in.

    Attributes:
        shelf: of the page, which show what there is.
        accounts: of those who log in.
    """

    shelf: ShelfHandlers
    accounts: Accounts

    def on_arrive(
        self, browser: Json | None, account: Json | None, request: gr.Request, profile: gr.OAuthProfile | None
    ) -> tuple[Any, ...]:
        """Show the page to whoever is logged in, or to the browser as such.

        What was begun before the login comes along; what is still being worked on comes at the next arrival. After
        logging out the browser is what it was before.
        """
        known, before = browser or {}, (account or {}).get("before")
        if profile is None:
            return *self._show({"token": before} if before else known, request), {}
        studio = self.shelf.page_handlers.studio
        own = studio.accept_token(before or known.get("token"))
        token = self.accounts.token_of(str(profile["sub"]))
        studio.store.hand_over(own, token)
        return *self._show({**known, "token": token}, request), {"before": own}

    def _show(self, browser: Json, request: gr.Request) -> Shown:
        return self.shelf.on_arrive(browser, request)
