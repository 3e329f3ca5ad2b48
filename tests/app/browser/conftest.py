"""A studio server with a fake model, and Chromium to visit it."""

import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from app.examples import Example
from app.live.room import LiveRoom
from app.main import build_studio, serve
from app.services import Studio
from app.settings import Settings
from sessions.store import open_store
from tests.app.fakes import NoiseBurstGenerator, write_clip
from tests.generators import FakeGenerator

CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
LOOP_S = 2.0
# The server runs in this process: warnings of Gradio's own threads (pandas deprecations) must not become errors there.
BROWSER_MARKS = [pytest.mark.browser, pytest.mark.filterwarnings("default")]


@dataclass(frozen=True, slots=True)
class Server:
    """A running studio."""

    url: str
    studio: Studio
    generator: NoiseBurstGenerator
    live: LiveRoom


Serve = Callable[..., AbstractContextManager[Server]]
Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium, or set CHROMIUM_PATH.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Return what runs a server on the module's data folder; running it twice in a row is a restart."""
    folder = tmp_path_factory.mktemp("studio")
    port = _free_port()

    @contextmanager
    def _serve(
        max_upload_mb: int = 50, *, more_models: Sequence[FakeGenerator] = (), **generator_options: Any
    ) -> Iterator[Server]:
        settings = Settings(port=port, data_path=folder / "data", max_upload_mb=max_upload_mb)
        generator = NoiseBurstGenerator(**generator_options)
        clip = write_clip(folder / "loop.wav", seconds=LOOP_S)
        with open_store(settings.data_path) as store:
            studio = build_studio(
                settings, store, load_generators=[lambda each=each: each for each in (generator, *more_models)]
            )
            studio = replace(studio, examples={"loop": Example("loop", "Noise loop", "120 BPM", clip)})
            room = LiveRoom(studio)
            page = serve(settings, studio, room=room, prevent_thread_lock=True, quiet=True)
            try:
                yield Server(f"http://127.0.0.1:{port}", studio, generator, room)
            finally:
                page.close()
                room.close()
                studio.worker.close()

    return _serve


@pytest.fixture(scope="module")
def server(start_server: Serve) -> Iterator[Server]:
    with start_server() as running:
        yield running


@pytest.fixture(scope="module")
def usual_context(chromium: Browser) -> Iterator[BrowserContext]:
    """Return a browser profile that keeps the page's files in its cache from test to test, and nothing else."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    yield context
    context.close()


@pytest.fixture
def visit(chromium: Browser, usual_context: BrowserContext) -> Iterator[Visit]:
    """Return what opens the page as a visitor who was never there; every error that the page logs fails the test."""
    with visiting(chromium, usual_context) as open_page:
        yield open_page


@contextmanager
def visiting(chromium: Browser, usual_context: BrowserContext) -> Iterator[Visit]:
    """Yield what opens the page; closes all pages and forgets what they kept, and fails if one logged an error.

    Args:
        chromium: for visitors beside the first one.
        usual_context: of the first one.
    """
    complaints: list[str] = []
    pages: list[Page] = []
    contexts: list[BrowserContext] = []

    def _visit(
        url: str,
        *,
        size: tuple[int, int] = (1400, 900),
        is_another: bool = False,
        kept: Mapping[str, str] | None = None,
    ) -> Page:
        """Open the page.

        Args:
            url: of the server.
            size: of the window, pixels.
            is_another: a visitor beside the first one of the test, in a browser of their own.
            kept: what the browser kept from an earlier visit; None for a visitor who was never there.
        """
        if is_another:
            contexts.append(chromium.new_context())
        page = (contexts[-1] if is_another else usual_context).new_page()
        pages.append(page)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.set_default_timeout(60_000)
        _note_complaints(page, complaints)
        if kept:
            page.add_init_script(f"if (location.host) Object.assign(localStorage, {json.dumps(kept)})")
        page.goto(url)
        # What a visitor is given last: from here on the page answers to clicks.
        page.wait_for_function("localStorage.length > 0")
        return page

    try:
        yield _visit
    finally:
        for page in pages:
            _leave(page)
        for context in contexts:
            context.close()
    assert complaints == []


def _leave(page: Page) -> None:
    """Close a page and forget what it kept: after it is gone, or an answer on its way would be kept again."""
    origin = "/".join(page.url.split("/")[:3])
    page.goto("about:blank")
    browser_tools = page.context.new_cdp_session(page)
    browser_tools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "local_storage"})
    page.close()


# What Gradio's client says of its own open streams when the page is left; nothing of ours, and nobody sees it.
LEAVING = re.compile(r"abort|errored out", re.IGNORECASE)


def _note_complaints(page: Page, complaints: list[str]) -> None:
    def note(text: str) -> None:
        if not LEAVING.search(text):
            complaints.append(text)

    def note_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            note(message.text)

    def note_foreign(request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1", "data:", "blob:")):
            complaints.append(f"asked another host: {request.url}")

    page.on("console", note_console)
    page.on("pageerror", lambda error: note(str(error)))
    page.on("request", note_foreign)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
