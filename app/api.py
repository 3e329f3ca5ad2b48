"""For programs: a few endpoints with types and words, the same as tools of the Model Context Protocol.

docs/api.md says how to call them. Everything else that the page does is private. Each call says whose sessions it is
about by a token: 32 hex digits that nobody else knows. `create_token` makes one; the key that the page shows under its
sessions is that of the browser, for programs that are to see the same sessions.
"""

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import gradio as gr
from gradio.events import api as offer

from app.errors import StudioError
from app.exporting.desk import ExportDesk
from app.exporting.tickets import DownloadTickets
from app.labels import node_labels
from app.orders import StemOrder
from app.services import Studio
from app.ui.export_routes import export_path
from app.ui.uploads import uploaded_path
from sessions.errors import SessionError
from sessions.tree import MAX_SEED, Node, Turn, Variation, WorkState
from stemgen_core.errors import InvalidRequestError, StemGenError

Preset = Literal["fast", "balanced", "paper"]
MixFormat = Literal["wav", "flac", "mp3", "ogg", "opus", "m4a"]
Json = dict[str, Any]

P = ParamSpec("P")
R = TypeVar("R")

LONGEST_WAIT_S = 1800.0
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Api:
    """The endpoints. Errors that a caller can do something about come as `gr.Error` with words.

    Attributes:
        studio: the use cases.
        desk: makes files.
        tickets: open downloads to callers that send no header.
    """

    studio: Studio
    desk: ExportDesk
    tickets: DownloadTickets

    def create_token(self) -> str:
        """Make a new token: the key to sessions of its own. Keep it secret; who has it can read and change them."""
        return self.studio.accept_token(None)

    def list_instruments(self) -> list[Json]:
        """List the instruments that the model plays: the names to ask for, and what people call them."""
        self.studio.models.get()
        return [{"name": each.name, "label": each.label} for each in self.studio.instruments()]

    def generate_stem(
        self,
        audio: gr.FileData,
        instrument: str,
        token: str = "",
        preset: Preset = "balanced",
        seed: int = 0,
        variations: int = 1,
        request: gr.Request | None = None,
    ) -> Json:
        """Generate a stem that fits a piece of audio, and wait for it.

        A session is begun from the audio, variations are generated on it, and the first is picked. The answer holds
        the new session and its token, and for each variation its seed, what was measured on it, and addresses of the
        mix with it.

        Args:
            audio: what to play along with: WAV, FLAC, MP3 and more, 1 second to 2 minutes.
            instrument: a name that list_instruments gives.
            token: whose session it becomes; empty makes a new token.
            preset: fast, balanced or paper, from quick to thorough.
            seed: 0 to 2147483647; the same seed and settings give the same stem again.
            variations: 1 to 4, with seeds counted up from the first.
            request: given by Gradio.
        """
        owner_token = self._token(token) if token else self.create_token()
        path = _file_of(audio)
        context = self.studio.start_from_file(owner_token, path, path.stem)
        return self._generate(owner_token, context, StemOrder(instrument, variations, preset, seed), request)

    def add_stem(
        self,
        node_id: str,
        instrument: str,
        token: str,
        preset: Preset = "balanced",
        seed: int = 0,
        variations: int = 1,
        request: gr.Request | None = None,
    ) -> Json:
        """Generate a stem on top of a node of a session, and wait for it; the first variation is picked.

        Args:
            node_id: the mix to play along with.
            instrument: a name that list_instruments gives.
            token: whose session it is.
            preset: fast, balanced or paper, from quick to thorough.
            seed: 0 to 2147483647; the same seed and settings give the same stem again.
            variations: 1 to 4, with seeds counted up from the first.
            request: given by Gradio.
        """
        owner_token = self._token(token)
        node = self.studio.store.node(owner_token, node_id)
        return self._generate(owner_token, node, StemOrder(instrument, variations, preset, seed), request)

    def list_sessions(self, token: str) -> list[Json]:
        """List the sessions of a token, last changed first.

        Args:
            token: whose sessions they are.
        """
        sessions = self.studio.sessions(self._token(token))
        return [
            {"session_id": each.id, "name": each.name, "open_node_id": each.current_node_id, "updated": each.updated_ms}
            for each in sessions
        ]

    def list_nodes(self, session_id: str, token: str) -> list[Json]:
        """List the nodes of a session: its contexts, stems and removals, parents before children.

        Args:
            session_id: one that list_sessions gives.
            token: whose session it is, or that of a link to it.
        """
        reader = self._reader(token)
        nodes = self.studio.store.tree(reader, session_id)
        labels = node_labels(nodes, self.studio.store.turns(reader, session_id))
        return [_node(each, labels[each.id]) for each in nodes]

    def get_mix(self, node_id: str, token: str, format: MixFormat = "wav", request: gr.Request | None = None) -> Json:
        """Get the mix of a node as a file: an address that opens for an hour.

        Args:
            node_id: one that list_nodes gives.
            token: whose node it is, or that of a link to its session.
            format: wav, flac, mp3, ogg, opus or m4a.
            request: given by Gradio.
        """
        reader = self._reader(token)
        self.studio.store.node(reader, node_id)  # an address that leads nowhere helps nobody
        return {"url": self._address(reader, node_id, "mix", format, request)}

    def get_package(
        self, node_id: str, token: str, format: Literal["wav", "flac"] = "wav", request: gr.Request | None = None
    ) -> Json:
        """Get stems, mix, MIDI, settings and a Reaper project of a node as one zip: an address that opens for an hour.

        Args:
            node_id: one that list_nodes gives.
            token: whose node it is, or that of a link to its session.
            format: of the stems and the mix, wav or flac.
            request: given by Gradio.
        """
        reader = self._reader(token)
        self.studio.store.node(reader, node_id)
        return {"url": self._address(reader, node_id, "package", format, request)}

    # ---- what they have in common ------------------------------------------------------------------------------

    def _token(self, token: str) -> str:
        if self.studio.accept_token(token) != token:
            raise InvalidRequestError("This is no token: it must be 32 hex digits, as create_token makes them.")
        return token

    def _reader(self, token: str) -> str:
        return token if token.startswith("share-") else self._token(token)

    def _address(self, token: str, node_id: str, what: str, format_name: str, request: gr.Request | None) -> str:
        path = export_path(node_id, what, format_name)
        return f"{_server_of(request)}{path}?ticket={self.tickets.issue(token, path)}"

    def _generate(self, token: str, node: Node, order: StemOrder, request: gr.Request | None) -> Json:
        if not 0 <= order.first_seed <= MAX_SEED:
            raise InvalidRequestError(f"The seed must be 0 to {MAX_SEED}, got {order.first_seed}.")
        turn = self._wait(token, self.studio.request_stem(token, node.id, order))
        done = [each for each in turn.variations if each.state is WorkState.DONE]
        if not done:
            raise InvalidRequestError(turn.error or next(each.error for each in turn.variations if each.error) or "")
        picked = [self.studio.pick(token, each.id) for each in reversed(done)][::-1]  # the first is open at the end
        return {
            "token": token,
            "session_id": node.session_id,
            "context_node_id": node.id,
            "model_id": turn.model_id,
            "variations": [self._variation(token, each, its, request) for each, its in zip(done, picked, strict=True)],
        }

    def _wait(self, token: str, turn: Turn) -> Turn:
        deadline_s = time.monotonic() + LONGEST_WAIT_S
        with self.studio.hosting(token):
            while not turn.state.is_finished:
                if time.monotonic() > deadline_s:
                    self.studio.cancel_turn(token, turn.id)
                    raise InvalidRequestError("This took too long and was stopped. Ask for less at once.")
                time.sleep(_POLL_S)
                turn = self.studio.store.turn(token, turn.id)
        return turn

    def _variation(self, token: str, variation: Variation, node: Node, request: gr.Request | None) -> Json:
        return {
            "node_id": node.id,
            "seed": variation.seed,
            "fit": dict(variation.fit or {}),
            "seconds_spent": variation.seconds_spent,
            "audio": None if variation.audio is None else asdict(variation.audio),
            "mix_url": self._address(token, node.id, "mix", "wav", request),
            "package_url": self._address(token, node.id, "package", "wav", request),
        }


def publish(api: Api) -> None:
    """Make the endpoints part of the page that is being built."""
    for endpoint in _endpoints(api):
        offer(_says_errors(endpoint), api_name=endpoint.__name__, concurrency_limit=4)


def _endpoints(api: Api) -> Sequence[Callable[..., Any]]:
    return (
        api.create_token,
        api.list_instruments,
        api.generate_stem,
        api.add_stem,
        api.list_sessions,
        api.list_nodes,
        api.get_mix,
        api.get_package,
    )


def _says_errors(endpoint: Callable[P, R]) -> Callable[P, R]:
    """Let callers read what they can do something about."""

    @functools.wraps(endpoint)
    def safe(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return endpoint(*args, **kwargs)
        except (StudioError, SessionError, StemGenError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    return safe


def _server_of(request: gr.Request | None) -> str:
    """Return what the caller calls this server, also behind a proxy; empty where there is no request."""
    if request is None:
        return ""
    headers: Mapping[str, str] = request.headers
    host = headers.get("x-forwarded-host") or headers.get("host")
    scheme = headers.get("x-forwarded-proto", "http").split(",")[0]
    return f"{scheme}://{host}" if host else ""


def _file_of(audio: Any) -> Path:
    """Return the file of an upload; a dict without Gradio's mark was not looked at by Gradio, so it may name any file.

    Raises:
        InvalidRequestError: if it is none.
    """
    if not isinstance(audio, Mapping):
        raise InvalidRequestError("Send the audio as a file, such as gradio_client's handle_file makes it.")
    return uploaded_path(audio.get("path"))


def _node(node: Node, label: str) -> Json:
    return {
        "node_id": node.id,
        "parent_id": node.parent_id,
        "kind": node.kind.value,
        "label": label,
        "instrument": node.instrument,
        "seed": node.seed,
        "is_starred": node.is_starred,
        "fit": dict(node.fit or {}),
        "analysis": dict(node.analysis or {}),
    }
