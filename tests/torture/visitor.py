"""A visitor who speaks Gradio's protocol without a browser, and may say anything in it."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.ui.routes import KEY_HEADER

Json = dict[str, Any]
ORDER = ["bass", 1, "balanced", 7, 1.0, 1.0, 1.0]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one event: whether the handler ran to its end, what it returned, and all words of the answer."""

    is_success: bool
    data: list[Any]
    text: str


@dataclass(slots=True)
class Visitor:
    """One browser: its token, its tab, the page's listeners by the name of their handler, and the first example's."""

    url: str
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    session_hash: str = field(default_factory=lambda: secrets.token_hex(8))
    http: httpx.Client = field(init=False)
    listeners: Mapping[str, list[Json]] = field(init=False)
    example: int = field(init=False)

    def __post_init__(self) -> None:
        # The server hangs up on a connection that was quiet for five seconds; a busy machine may ask in that moment.
        limits = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=self.url, timeout=600, limits=limits)
        config = self.http.get("/config").json()
        self.listeners = {}
        for dependency in config["dependencies"]:
            self.listeners.setdefault(dependency["api_name"], []).append(dependency)  # type: ignore[attr-defined]
        is_example = {part["id"] for part in config["components"] if "example-button" in str(part["props"])}
        clicked = [one["id"] for one in config["dependencies"] for at, _ in one["targets"] if at in is_example]
        self.example = clicked[0]

    @property
    def browser(self) -> Json:
        return {"token": self.token, "session_id": None}

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def open_page(self) -> None:
        """Ask for what a page asks for when it opens; only then has the server this tab's list of instruments."""
        for dependency in [one for some in self.listeners.values() for one in some]:
            if "load" in [event for _, event in dependency["targets"]]:
                num_inputs = len(dependency["inputs"])
                self.call(dependency["id"], [self.browser] if num_inputs == 1 else [None] * num_inputs)

    def close(self) -> None:
        self.http.close()

    def join(self, fn_index: int, data: list[Any], event_data: Any = None, **more: Any) -> httpx.Response:
        """Ask for an event and return the server's answer to that alone."""
        body = {"data": data, "fn_index": fn_index, "session_hash": self.session_hash, "event_data": event_data}
        return self.http.post("/gradio_api/queue/join", json=body | more)

    def call(self, fn_index: int, data: list[Any], event_data: Any = None) -> Answer:
        """Ask for an event and wait until it is over."""
        joined = self.join(fn_index, data, event_data)
        if joined.status_code != 200:
            return Answer(False, [], joined.text)
        event_id = joined.json()["event_id"]
        texts: list[str] = []
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session_hash}) as stream:
            for line in stream.iter_lines():
                texts.append(line)
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed" and message.get("event_id") == event_id:
                    output = message.get("output") or {}
                    return Answer(bool(message.get("success")), output.get("data") or [], "\n".join(texts))
        return Answer(False, [], "\n".join(texts))

    def media(self, path: str, token: str | None = None) -> httpx.Response:
        """Ask for a sound."""
        return self.http.get(path, headers={KEY_HEADER: self.token if token is None else token})


def generate_inputs(visitor: Visitor) -> list[Any]:
    """Return the inputs of the Generate button; what the composer has more of keeps its default."""
    num_inputs = len(visitor.listeners["on_generate"][0]["inputs"])
    data: list[Any] = [None, visitor.browser, *ORDER]
    return (data + [None] * num_inputs)[:num_inputs]
