"""Logging in where one may: sessions follow the login, and nobody has to log in."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import gradio.oauth
import pytest

from app.accounts import Accounts
from app.main import accounts_secret, browser_secret
from app.services import Studio
from app.settings import Settings
from app.ui.account_handlers import AccountHandlers
from app.ui.feed_handlers import FeedHandlers
from app.ui.handlers import SHOWN
from app.ui.layout import build_page
from app.ui.shelf_handlers import ShelfHandlers
from sessions.tree import Node
from tests.app.waiting import OWNER

ACCOUNTS = Accounts("a secret of the server")
ADA = gr.OAuthProfile({"sub": "ada-1", "name": "Ada", "preferred_username": "ada", "profile": "", "picture": ""})
REQUEST: Any = SimpleNamespace(query_params={})


def _arrive(studio: Studio, browser: dict, account: dict, profile: gr.OAuthProfile | None) -> SimpleNamespace:
    handlers = AccountHandlers(ShelfHandlers(FeedHandlers(studio)), ACCOUNTS)
    *shown, kept = handlers.on_arrive(browser, account, REQUEST, profile)
    return SimpleNamespace(**dict(zip(SHOWN, shown, strict=True)), account=kept)


def _be_a_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Gradio build its button as on a Space; elsewhere it wants this machine to be logged in."""
    monkeypatch.setenv("SYSTEM", "spaces")
    monkeypatch.setenv("SPACE_ID", "somebody/stemgen")
    for name in ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL"):
        monkeypatch.setattr(gradio.oauth, name, "https://login.invalid")


def test_sessions_follow_the_login_into_another_browser_and_stay_there_after_logging_out(
    studio: Studio, context: Node
) -> None:
    stranger = "b" * 32

    here = _arrive(studio, {"token": OWNER, "session_id": context.session_id}, {}, ADA)
    there = _arrive(studio, {"token": stranger}, {}, ADA)

    assert here.page["session_id"] == context.session_id
    assert here.browser["token"] == there.browser["token"] == ACCOUNTS.token_of("ada-1")
    assert [each["session_id"] for each in there.sessions["sessions"]] == [context.session_id]
    out = _arrive(studio, here.browser, here.account, None)
    assert out.browser["token"] == OWNER
    assert out.sessions["sessions"] == []
    assert out.account == {}
    again = _arrive(studio, out.browser, out.account, ADA)
    assert [each["session_id"] for each in again.sessions["sessions"]] == [context.session_id]


def test_whoever_does_not_log_in_notices_nothing(studio: Studio, context: Node) -> None:
    shown = _arrive(studio, {"token": OWNER, "session_id": context.session_id}, {}, None)

    assert shown.page["session_id"] == context.session_id
    assert shown.browser["token"] == OWNER


def test_what_is_begun_while_logged_in_is_the_accounts(studio: Studio) -> None:
    first = _arrive(studio, {}, {}, ADA)
    node = studio.start_from_example(first.browser["token"], "loop")

    reload = _arrive(studio, {**first.browser, "session_id": node.session_id}, first.account, ADA)

    assert reload.page["session_id"] == node.session_id
    assert studio.sessions(reload.account["before"]) == ()


def test_tokens_differ_by_account_and_by_server_and_are_tokens(studio: Studio) -> None:
    token = ACCOUNTS.token_of("ada-1")

    assert studio.accept_token(token) == token
    assert len({token, ACCOUNTS.token_of("ada-2"), Accounts("another server").token_of("ada-1")}) == 3


def test_the_secret_of_accounts_is_kept_and_is_not_the_one_that_browsers_are_told(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _be_a_space(monkeypatch)
    folder = tmp_path / "secrets"
    folder.mkdir()
    told, kept = browser_secret(folder), accounts_secret(folder)

    page = build_page(studio, browser_secret=told, accounts=Accounts(kept))

    assert accounts_secret(folder) == kept != told
    assert kept not in str(page.config)
    assert (folder / "accounts.secret").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("has_login", [False, True])
def test_the_button_is_there_only_where_one_can_log_in(
    studio: Studio, has_login: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _be_a_space(monkeypatch)
    page = build_page(studio, browser_secret="s", accounts=ACCOUNTS if has_login else None)

    buttons = [block for block in page.blocks.values() if isinstance(block, gr.LoginButton)]
    assert bool(buttons) is has_login
    assert page.expects_oauth is has_login
    endpoints = set(page.get_api_info()["named_endpoints"])
    assert endpoints == ({"/_check_login_status"} if has_login else set())  # Gradio's own; tells callers of themselves


def test_spaces_say_by_their_variables_what_they_are() -> None:
    space = {"SYSTEM": "spaces", "SPACE_ID": "a/b", "OAUTH_CLIENT_ID": "x"}
    assert Settings.from_environment(space).has_login is True
    for name in space:
        assert Settings.from_environment({**space, name: ""}).has_login is False
    assert Settings.from_environment({}).is_zero_gpu is False
    assert Settings.from_environment({"SPACES_ZERO_GPU": "true"}).is_zero_gpu is True
