"""The page. Builds components and wires handlers; holds no logic."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from app.accounts import Accounts
from app.api import Api, publish
from app.examples import Example
from app.services import Studio
from app.ui.account_handlers import AccountHandlers
from app.ui.components.export_menu import build_export_menu
from app.ui.components.feed import build_feed
from app.ui.components.live import build_live, build_mode_switch
from app.ui.components.page_tools import build_page_tools
from app.ui.components.player_dock import build_player_dock
from app.ui.components.recorder import build_recorder
from app.ui.components.session_menu import build_session_menu
from app.ui.components.session_tree import build_session_tree
from app.ui.composer import Composer, build_composer, wire_composer, wire_feed
from app.ui.dock_handlers import DockHandlers
from app.ui.feed_handlers import FeedHandlers
from app.ui.handlers import NOWHERE, Handlers
from app.ui.shelf_handlers import ShelfHandlers
from app.ui.uploads import leaves_nothing_behind
from app.ui.wiring import AS_THEY_ARE, EACH, PRIVATE, PageWiring

AUDIO_TYPES = [".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff"]

# Gradio keeps what is uploaded until told otherwise: look every so many seconds, delete what is older than so many.
UPLOADS_KEPT = (300, 900)


@dataclass(frozen=True, slots=True)
class StartPanel:
    """The three doors."""

    column: gr.Column
    examples: dict[str, gr.Button]
    upload: gr.UploadButton
    recorder: gr.HTML
    finished: gr.Button


def build_page(
    studio: Studio, *, browser_secret: str, api: Api | None = None, accounts: Accounts | None = None
) -> gr.Blocks:
    """Lay out the page for `studio`.

    Args:
        studio: the use cases.
        browser_secret: what the browser's own storage is written with; the same at every start, or visitors lose
            their sessions.
        accounts: of those who log in; None where one can't.
        api: endpoints for programs; None for a page without any.
    """
    handlers = FeedHandlers(studio)
    with gr.Blocks(title="StemGen", analytics_enabled=False, fill_width=True, delete_cache=UPLOADS_KEPT) as page:
        state = gr.State(NOWHERE)
        browser = gr.BrowserState({}, storage_key="stemgen-studio", secret=browser_secret)
        ticket = gr.State(0)
        with gr.Row(elem_id="topbar"):
            gr.HTML("<h1>Stem<span>Gen</span></h1>", elem_id="brand")
            build_mode_switch()
            machine = gr.HTML("", elem_id="machine")
            sessions = build_session_menu()
            export = build_export_menu()
            new_session = gr.Button("New session", size="sm", elem_id="new-session")
            if accounts is not None:
                gr.LoginButton("Log in", "Log out {}", size="sm", variant="secondary", elem_id="login")
            build_page_tools()
        notice = gr.HTML("", elem_id="notice", elem_classes="notice")
        model_note = gr.HTML("", elem_id="model-note", elem_classes="notice")
        live = build_live()
        start = _build_start(studio)
        with gr.Row(visible=False, elem_id="workspace") as workspace:
            composer = build_composer()
            with gr.Column(elem_id="feed-column"):
                feed = build_feed()
            with gr.Column(elem_id="tree-column"):
                gr.HTML("<h2>Session tree</h2>", elem_classes="panel-title")
                tree = build_session_tree()
        dock = build_player_dock()

        shown: list[Any] = [state, browser, feed, tree, dock]
        shown += [start.column, workspace, composer.adding_to, sessions, export, ticket, notice]
        leaving = [new_session.click, sessions.open, sessions.duplicate, sessions.recover, sessions.bring, live.open]
        wiring = PageWiring(handlers.answers, state, shown)
        _wire_follow(handlers, ticket, [state, browser], feed, leaving)
        _wire_start(handlers, start, browser, wiring)
        wire_composer(handlers, composer, [state, browser], wiring)
        wire_feed(handlers, feed, composer, [state, browser], wiring)
        _wire_session(handlers, (tree, dock), [state, browser], wiring)
        dock.mixer(DockHandlers(studio).on_mixer, browser, notice, **EACH)
        wiring.one(new_session.click, handlers.on_new_session, browser)
        _wire_shelf(ShelfHandlers(handlers), (tree, sessions, export), [state, browser], wiring)
        _wire_arrival(page, ShelfHandlers(handlers), accounts, browser, wiring)
        wiring.each(((live.open, ShelfHandlers(handlers).on_open),), browser)
        if api is not None:
            publish(api)
        _wire_model(page, handlers, composer, (model_note, machine))
    return page


def _wire_model(page: gr.Blocks, handlers: FeedHandlers, composer: Composer, told: tuple[gr.HTML, gr.HTML]) -> None:
    model_note, machine = told
    page.load(handlers.on_model, None, [composer.model, *composer.offered, model_note], **PRIVATE)
    page.load(handlers.on_machine, None, machine, concurrency_limit=None, **PRIVATE)
    page.load(handlers.on_next_seed, [composer.seed, composer.lock], composer.seed, **PRIVATE)


def _wire_arrival(
    page: gr.Blocks, shelf: ShelfHandlers, accounts: Accounts | None, browser: gr.BrowserState, wiring: PageWiring
) -> None:
    if accounts is None:
        wiring.one(page.load, shelf.on_arrive, browser)
        return
    account = gr.BrowserState({}, storage_key="stemgen-account", secret=browser.secret)
    arrival = AccountHandlers(shelf, accounts).on_arrive
    wiring.one(page.load, arrival, [browser, account], (account,))


def _build_start(studio: Studio) -> StartPanel:
    buttons: dict[str, gr.Button] = {}
    with gr.Column(elem_id="start") as column:
        gr.HTML(
            "<h2>Bring a sound.<br>Build a piece on it, stem by stem.</h2>"
            "<p>StemGen listens to what you have and plays along: ask for a bass, hear it in the mix, keep the take "
            "you like, and go on from there.</p>",
            elem_id="welcome",
        )
        with gr.Row(elem_id="doors"):
            with gr.Column():
                _door_title("Try an example", "Short loops to start from at once.")
                for example in studio.examples.values():
                    buttons[example.id] = _example_button(example)
            with gr.Column():
                _door_title("Upload", f"WAV, FLAC, MP3 and more, up to {studio.max_context_s:.0f} seconds.")
                upload = leaves_nothing_behind(
                    gr.UploadButton(
                        "Choose a file", file_types=AUDIO_TYPES, elem_classes="door-button", elem_id="upload"
                    )
                )
            with gr.Column():
                _door_title("Record", "Sing, tap or play a loop into the microphone.")
                recorder = build_recorder(studio.max_context_s)
        finished = gr.Button(
            "" if studio.finished is None else f"Or open a finished session: drums, {studio.finished.summary}",
            elem_id="finished",
            visible=studio.finished is not None,
        )
    return StartPanel(column, buttons, upload, recorder, finished)


def _door_title(title: str, text: str) -> None:
    gr.HTML(f"<h3>{title}</h3><p>{text}</p>", elem_classes="door-title")


def _example_button(example: Example) -> gr.Button:
    return gr.Button(f"{example.label} · {example.detail}", elem_classes="example-button")


def _wire_follow(
    handlers: Handlers, ticket: gr.State, inputs: list[Component], feed: gr.HTML, leaving: list[Any]
) -> None:
    # A new ticket while a follower runs is followed when that one ends: one follower sees every turn of its session.
    following = ticket.change(
        handlers.on_follow, inputs, feed, trigger_mode="always_last", concurrency_limit=None, **PRIVATE, **AS_THEY_ARE
    )
    for leave in leaving:
        leave(None, None, None, cancels=[following], **PRIVATE)


def _wire_start(handlers: FeedHandlers, start: StartPanel, browser: gr.BrowserState, wiring: PageWiring) -> None:
    for example_id, button in start.examples.items():
        wiring.one(button.click, _on_example(handlers, example_id), browser)
    wiring.one(start.finished.click, handlers.on_finished, browser)
    wiring.one(start.upload.upload, handlers.on_file, [start.upload, browser])
    wiring.one(start.recorder.record, handlers.on_recording, browser)


def _on_example(handlers: Handlers, example_id: str) -> Any:
    return partial(handlers.on_example, example_id)


def _wire_session(
    handlers: Handlers, components: tuple[gr.HTML, gr.HTML], inputs: list[Component], wiring: PageWiring
) -> None:
    tree, dock = components
    wiring.each(
        (
            (tree.go, handlers.on_go),
            (dock.go, handlers.on_go),
            (tree.star, handlers.on_star),
            (dock.remove, handlers.on_remove),
            (tree.rename, handlers.on_rename),
            (tree.comment, handlers.on_comment),
        ),
        inputs,
    )


def _wire_shelf(
    shelf: ShelfHandlers, components: tuple[gr.HTML, gr.HTML, gr.HTML], inputs: list[Component], wiring: PageWiring
) -> None:
    tree, sessions, export = components
    wiring.each(
        (
            (tree.undo, shelf.on_undo),
            (tree.redo, shelf.on_redo),
            (tree.trash, shelf.on_trash),
            (tree.restore, shelf.on_restore),
            (tree.tidy, shelf.on_tidy),
            (sessions.title, shelf.on_title),
            (sessions.discard, shelf.on_discard),
            (sessions.fork, shelf.on_fork),
            (export.link, shelf.on_share),
            (export.unlink, shelf.on_unshare),
        ),
        inputs,
    )
    wiring.each(
        (
            (sessions.open, shelf.on_open),
            (sessions.duplicate, shelf.on_duplicate),
            (sessions.recover, shelf.on_recover),
            (sessions.bring, shelf.on_bring),
        ),
        inputs[1],
    )
