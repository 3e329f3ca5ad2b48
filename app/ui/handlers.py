"""Gradio event handlers: convert, call one `Studio` method, convert back."""

import asyncio
import functools
import html
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec

import gradio as gr

from app.errors import StudioError
from app.exporting.desk import ExportDesk
from app.library import Library
from app.orders import StemOrder
from app.services import Studio
from app.ui.answer_order import AnswerOrder, Place, current_tab, give_in_any_case
from app.ui.dock_views import EMPTY_DOCK, dock_view
from app.ui.feed_view import EMPTY_FEED, feed_view
from app.ui.shelf_views import EMPTY_EXPORT, EMPTY_TREE, export_view, sessions_view, tree_view
from app.ui.uploads import uploaded_path
from app.ui.views import Json, node_labels
from sessions.errors import NotFoundError, SessionError
from sessions.tree import MAX_SEED, Node
from stemgen_core.errors import InvalidRequestError, StemGenError

EXPECTED_ERRORS = (StudioError, SessionError, StemGenError)
POLL_S = 0.25
DEFAULT_PRESET = "balanced"  # of settings that began from none that is offered
READABLE_SEEDS = 100_000  # drawn seeds stay short enough to read out; any other can be typed

# What a handler that changes the page returns, in this order; `layout.py` lists the components in the same order.
SHOWN = ("page", "browser", "feed", "tree", "dock", "start", "workspace", "adding_to")
SHOWN += ("sessions", "export", "ticket", "notice")
Shown = tuple[Any, ...]
NOWHERE: Place = {"session_id": None, "node_id": None}
_UNCHANGED: Shown = tuple(gr.skip() for _ in SHOWN)
P = ParamSpec("P")


def says_errors(handler: Callable[P, Shown]) -> Callable[P, Shown]:
    """Let expected errors appear on the page as words, with everything else left as it is."""

    @functools.wraps(handler)
    def safe(*args: P.args, **kwargs: P.kwargs) -> Shown:
        try:
            return handler(*args, **kwargs)
        except EXPECTED_ERRORS as error:
            give_in_any_case()
            return (*_UNCHANGED[:-1], notice(str(error)))

    return safe


def notice(message: str) -> str:
    """Return markup that says `message`, whatever stands in it."""
    return f'<p role="alert">{html.escape(message)}</p>' if message else ""


@dataclass(frozen=True, slots=True)
class Handlers:
    """The handlers of one page.

    `page` is the tab's state {session_id, node_id}; `browser` is what the browser keeps {token, session_id}. Both come
    from outside and are checked by the store at each use.
    """

    studio: Studio
    answers: AnswerOrder = field(default_factory=AnswerOrder)

    # ---- coming and starting -----------------------------------------------------------------------------------

    def on_load(self, browser: Json | None) -> Shown:
        """Show the session that was open last, or the three doors."""
        known = browser or {}
        token = self.studio.accept_token(known.get("token"))
        try:
            return self.show(token, str(known.get("session_id") or ""))
        except NotFoundError:
            return self._show_doors(token)

    @says_errors
    def on_example(self, example_id: str, browser: Json) -> Shown:
        """Begin from an example."""
        token = self._token(browser)
        return self._open(token, self.studio.start_from_example(token, example_id))

    @says_errors
    def on_file(self, source: str | None, browser: Json) -> Shown:
        """Begin from an uploaded file."""
        if not source:
            raise InvalidRequestError("Choose an audio file first.")
        token = self._token(browser)
        return self._open(token, self.studio.start_from_file(token, Path(source), Path(source).stem))

    @says_errors
    def on_recording(self, browser: Json, event: gr.EventData) -> Shown:
        """Begin from what was recorded; a tempo that was counted in is one that the user said."""
        token, said = self._token(browser), data_of(event).get("said")
        source = uploaded_path(field_of(event, "path"))
        try:
            node = self.studio.start_from_file(token, source, "Recording")
        finally:
            source.unlink(missing_ok=True)  # it is in the store now, or was no sound
        if isinstance(said, dict):
            node = self.studio.correct_context(token, node.id, said)
        return self._open(token, node)

    def on_new_session(self, browser: Json) -> Shown:
        """Show the three doors again; what was there stays."""
        return self._show_doors(self._token(browser))

    # ---- asking for stems --------------------------------------------------------------------------------------

    @says_errors
    def on_generate(self, page: Json, browser: Json, *composer: Any) -> Shown:
        """Queue what the composer asks for."""
        token = self._token(browser)
        self.studio.request_stem(token, node_id_of(page), read_order(*composer))
        return self._refresh(token, page)

    def on_next_seed(self, seed: float | None, is_locked: bool) -> int:
        """Return a new seed for the next turn, unless it is locked, and is one.

        A number with hundreds of digits can be sent, but not sent back: Gradio's answers would end with it.
        """
        is_kept = is_locked and 0 <= (seed or 0) <= MAX_SEED
        return int(seed or 0) if is_kept else secrets.randbelow(READABLE_SEEDS)

    @says_errors
    def on_cancel(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Stop a turn."""
        token = self._token(browser)
        self.studio.cancel_turn(token, field_of(event, "turn_id"))
        return self._refresh(token, page)

    @says_errors
    def on_retry(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Ask again for what a turn did not finish."""
        token = self._token(browser)
        self.studio.retry_turn(token, field_of(event, "turn_id"))
        return self._refresh(token, page)

    async def on_follow(self, page: Json, browser: Json) -> AsyncIterator[Json]:
        """Yield the feed whenever it changes, until nothing waits or runs. Ending it stops nothing."""
        token, tab = self._token(browser), current_tab()
        with self.studio.hosting(token):
            last: Json = {}
            seen = 0
            while True:
                number = self.answers.begin(tab)
                try:
                    snapshot = await asyncio.to_thread(self.studio.snapshot, token, str(page.get("session_id")))
                except NotFoundError:
                    return
                view, newest = feed_view(snapshot), self.answers.newest(tab)
                # An answer brings a feed of its own: a newer one than this, or one that this has to follow.
                if newest < number and (view != last or newest != seen):
                    yield view
                    last, seen = view, newest
                if not snapshot.has_work:
                    return
                await asyncio.sleep(POLL_S)

    # ---- the tree ----------------------------------------------------------------------------------------------

    @says_errors
    def on_pick(self, browser: Json, event: gr.EventData) -> Shown:
        """Make a variation part of the session and stand on it."""
        token = self._token(browser)
        return self._open(token, self.studio.editing.pick(token, field_of(event, "variation_id")))

    @says_errors
    def on_go(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Stand on another node; in a session of somebody else's only to look."""
        token = self._token(browser)
        if page.get("share"):
            return self.show_shared(str(page["share"]), token, field_of(event, "node_id"))
        return self._open(token, self.studio.go_to(token, str(page.get("session_id")), field_of(event, "node_id")))

    @says_errors
    def on_remove(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Go on without one of the stems."""
        token = self._token(browser)
        return self._open(token, self.studio.editing.remove_stem(token, node_id_of(page), field_of(event, "node_id")))

    @says_errors
    def on_star(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Give or take a star."""
        token, data = self._token(browser), data_of(event)
        self.studio.editing.star(
            token,
            node_id=data.get("node_id"),
            variation_id=data.get("variation_id"),
            is_starred=bool(data.get("is_starred")),
        )
        return self._refresh(token, page)

    @says_errors
    def on_rename(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Call a node something else."""
        token = self._token(browser)
        self.studio.editing.rename(token, field_of(event, "node_id"), field_of(event, "name"))
        return self._refresh(token, page)

    @says_errors
    def on_comment(self, page: Json, browser: Json, event: gr.EventData) -> Shown:
        """Write a line on a node."""
        token = self._token(browser)
        self.studio.editing.comment(token, field_of(event, "node_id"), field_of(event, "comment"))
        return self._refresh(token, page)

    # ---- what the page shows -----------------------------------------------------------------------------------

    def _token(self, browser: Json | None) -> str:
        return self.studio.accept_token((browser or {}).get("token"))

    def _open(self, token: str, node: Node) -> Shown:
        return self.show(token, node.session_id, node.id)

    def _refresh(self, token: str, page: Json) -> Shown:
        return self.show(token, str(page.get("session_id")), page.get("node_id"))

    def show(self, token: str, session_id: str, node_id: str | None = None) -> Shown:
        """Show a session as seen from one of its nodes; None is the one last open.

        Raises:
            SessionNotFoundError: if the token opens no such session.
        """
        place = {"session_id": session_id, "node_id": node_id} if node_id else None
        return self._in_order(lambda: self._show_session(token, session_id, node_id), place)

    def _show_doors(self, token: str) -> Shown:
        return self._in_order(lambda: self._show_start(token), NOWHERE)

    def _in_order(self, read: Callable[[], Shown], place: Place | None = None) -> Shown:
        """Return what is read, numbered before that; `place` is where the tab then stands, if that is known."""
        tab, found = current_tab(), None
        number = self.answers.begin(tab, place)
        try:
            shown = read()
            found = shown[SHOWN.index("page")]
        finally:
            self.answers.settle(number, tab, found)
        return shown

    def _show_session(self, token: str, session_id: str, node_id: str | None) -> Shown:
        snapshot = self.studio.snapshot(token, session_id, node_id)
        if not snapshot.lineage:
            return self._show_start(token)
        current_id = snapshot.lineage[-1].id
        share = self.studio.store.share(token, session_id)
        editing = self.studio.editing
        return (
            {"session_id": session_id, "node_id": current_id},
            {"token": token, "session_id": session_id},
            feed_view(snapshot),
            tree_view(
                snapshot,
                editing.trash(token, session_id),
                (editing.next_undo(token, session_id), editing.next_redo(token, session_id)),
            ),
            dock_view(snapshot, token),
            gr.update(visible=False),
            gr.update(visible=True),
            f"<p>Adding to <strong>{html.escape(node_labels(snapshot)[current_id])}</strong></p>",
            self._sessions(token, session_id),
            export_view(snapshot, token, self._offers(), share=share, is_own=True),
            time.monotonic_ns() if snapshot.has_work else gr.skip(),
            "",
        )

    def show_shared(self, share_token: str, own_token: str, node_id: str | None = None) -> Shown:
        """Show the session of a link, to look and listen.

        Raises:
            ShareNotFoundError: if the link leads nowhere (any more).
        """
        return self._in_order(lambda: self._show_shared(share_token, own_token, node_id))

    def _show_shared(self, share_token: str, own_token: str, node_id: str | None) -> Shown:
        session = self.studio.store.shared_session(share_token)
        snapshot = self.studio.snapshot(share_token, session.id, node_id)
        values = dict(zip(SHOWN, self._show_session(share_token, session.id, node_id), strict=True))
        values |= {
            "page": values["page"] | {"share": share_token},
            "browser": {"token": own_token, "session_id": None},
            "tree": tree_view(snapshot, is_read_only=True),
            "sessions": self._sessions(own_token, None)
            | {"shared": {"name": session.name or "Untitled", "num_nodes": len(snapshot.nodes)}},
            "export": export_view(snapshot, share_token, self._offers(), share=None, is_own=False),
            "ticket": gr.skip(),
        }
        return tuple(values.values())

    def _show_start(self, token: str) -> Shown:
        return (
            NOWHERE,
            {"token": token, "session_id": None},
            EMPTY_FEED,
            EMPTY_TREE,
            EMPTY_DOCK,
            gr.update(visible=True),
            gr.update(visible=False),
            "",
            self._sessions(token, None),
            EMPTY_EXPORT,
            gr.skip(),
            "",
        )

    def _sessions(self, token: str, session_id: str | None) -> Json:
        return sessions_view(Library(self.studio.store).listed(token), session_id, token)

    def _offers(self) -> dict[str, tuple[str, ...]]:
        return ExportDesk(self.studio.store, self.studio.sounds).offers()


def read_order(*composer: Any) -> StemOrder:
    """Make an order of the composer's values; they come from outside and may be anything.

    Args:
        composer: instrument, count, preset, seed, temperature, context guidance, instrument guidance, genre, kind of
            part, model.

    Raises:
        InvalidRequestError: if a number is none.
    """
    instrument, count, preset, seed, *scales, genre, stem_category, model_id = composer
    try:
        temperature, context_guidance_scale, instrument_guidance_scale = (
            None if value is None else float(value) for value in scales
        )
        return StemOrder(
            instrument=str(instrument),
            num_variations=int(count),
            preset=str(preset or DEFAULT_PRESET),
            first_seed=int(seed),
            temperature=temperature,
            context_guidance_scale=context_guidance_scale,
            instrument_guidance_scale=instrument_guidance_scale,
            genre=_choice_or_none(genre),
            stem_category=_choice_or_none(stem_category),
            model_id=_choice_or_none(model_id),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidRequestError("Fill in every field with a number before generating.") from error


def _choice_or_none(value: object) -> str | None:
    return None if value in (None, "", "any") else str(value)


def node_id_of(page: Json) -> str:
    """Return the node that the page says it stands on."""
    return str(page.get("node_id"))


def data_of(event: gr.EventData) -> Json:
    """Return what a component of ours sent along; it comes from outside and may hold anything."""
    data = event._data
    return data if isinstance(data, dict) else {}


def field_of(event: gr.EventData, name: str) -> str:
    """Return one field of it as text."""
    return str(data_of(event).get(name, ""))
