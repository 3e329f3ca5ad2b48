"""Whatever people type is shown as what they typed: forty pieces of markup and script in every field for text."""

from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.app.browser.conftest import BROWSER_MARKS, Server, Visit
from tests.app.browser.steps import start_from_example
from tests.app.fakes import write_clip
from tests.torture.payloads import SCRIPTS

pytestmark = BROWSER_MARKS

QUICK = SCRIPTS[::8]
HOW_MANY = pytest.mark.parametrize(
    "payloads", [QUICK, pytest.param(SCRIPTS, marks=pytest.mark.torture)], ids=["quick", "all"]
)


def _watch(page: Page) -> list[str]:
    """Note every dialog; whatever a payload does to the page is looked for in `_assert_unharmed`."""
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    return dialogs


def _assert_unharmed(page: Page, dialogs: list[str]) -> None:
    assert dialogs == []
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.locator(".hacked").count() == 0
    assert page.evaluate("getComputedStyle(document.body).display") != "none"


@HOW_MANY
def test_a_nodes_name_is_text_everywhere_it_is_shown(server: Server, visit: Visit, payloads: tuple[str, ...]) -> None:
    page = visit(server.url)
    dialogs = _watch(page)
    start_from_example(page)
    node_id = page.evaluate("stemStage.feed.contexts[0].node_id")
    token = page.evaluate("stemEngine.mediaKey")

    for payload in payloads:
        server.studio.rename(token, node_id, payload)
        page.reload()
        expect(page.locator("#tree .name")).to_have_text(" ".join(payload.split()))
        page.keyboard.press("Tab")
        _assert_unharmed(page, dialogs)


@HOW_MANY
def test_a_name_typed_into_the_page_is_text(server: Server, visit: Visit, payloads: tuple[str, ...]) -> None:
    page = visit(server.url)
    dialogs = _watch(page)
    start_from_example(page)

    for payload in payloads:
        page.locator("#tree .name").dblclick()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.insert_text(payload)
        page.keyboard.press("Enter")
        expect(page.locator("#tree .name")).to_have_text(" ".join(payload.split()))
        expect(page.locator("#adding-to")).to_have_text("Adding to " + " ".join(payload.split()))
        _assert_unharmed(page, dialogs)


@HOW_MANY
def test_a_comment_and_a_sessions_title_are_text(server: Server, visit: Visit, payloads: tuple[str, ...]) -> None:
    page = visit(server.url)
    dialogs = _watch(page)
    start_from_example(page)
    menu = page.locator("#session-choice")
    menu.locator(".opener").click()

    for payload in payloads:
        words = " ".join(payload.split())
        menu.locator(".list .tools button").first.click()
        menu.locator(".rename").fill(payload)
        page.keyboard.press("Enter")
        expect(menu.locator(".opener-name")).to_have_text(words)
        expect(menu.locator(".session-name")).to_have_text(words)
        _assert_unharmed(page, dialogs)
    page.keyboard.press("Escape")
    for payload in payloads:
        page.locator("#tree [role=treeitem]").focus()
        page.keyboard.press("c")
        page.locator("#tree .of-comment").fill(payload)
        page.keyboard.press("Enter")
        expect(page.locator("#tree .comment")).to_have_text(" ".join(payload.split()))
        _assert_unharmed(page, dialogs)


@pytest.mark.torture
@HOW_MANY
def test_a_files_name_is_text_in_the_session_it_begins_and_in_errors(
    server: Server, visit: Visit, tmp_path: Path, payloads: tuple[str, ...]
) -> None:
    clip = write_clip(tmp_path / "clip.wav", sample_rate_hz=8_000).read_bytes()
    page = visit(server.url)
    dialogs = _watch(page)
    start_from_example(page)  # without a session there is no button for a new one

    for at, payload in enumerate(payloads):
        content = clip if at % 2 else b"this is no audio"
        page.get_by_role("button", name="New session").click()
        chooser = page.locator("#start input[type=file]")
        chooser.set_input_files({"name": f"{payload}.wav", "mimeType": "audio/wav", "buffer": content})
        expect(page.locator("#tree .name" if at % 2 else "#notice [role=alert]")).to_be_visible()
        _assert_unharmed(page, dialogs)
