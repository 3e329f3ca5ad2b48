"""Stands before everything that the server answers: whom it serves, what it leaves out, and what it says when full.

Gradio lets every site read its answers unless it runs on localhost, and brings routes that this studio does not use. So
requests that a page of another site makes are refused here, by their `Origin`, as are names that the server does not go
by (DNS rebinding) and the routes nobody needs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
MAX_EVENT_BYTES = 2_000_000  # of what a page says in one event; files come by the upload route
MAX_NAME_BYTES = 255  # longer names are none of any file; Gradio breaks on them with a traceback
JOIN = "/gradio_api/queue/join"
UPLOAD = "/gradio_api/upload"
RETRY_AFTER_S = 10
# Gradio keeps what is uploaded for a quarter of an hour. So many of the largest files may lie there at once: without an
# end, anybody could fill the disk that everybody's sessions are written to.
MAX_UPLOADS_KEPT = 40
UPLOAD_RETRY_AFTER_S = 300

# What Gradio has and this studio does not use: proxies, editors, dashboards, streams, links to copies of a page.
CLOSED = (
    "/monitoring",
    "/dev",
    "/gradio_api/component_server",
    "/gradio_api/deep_link",
    "/gradio_api/dev",
    "/gradio_api/file=http",
    "/gradio_api/process_recording",
    "/gradio_api/profiling",
    "/gradio_api/proxy",
    "/gradio_api/run-history",
    "/gradio_api/runs",
    "/gradio_api/stream",
    "/gradio_api/undo-vibe",
    "/gradio_api/vibe",
)

# No address but the server's own is ever needed by the page; Spaces shows it in a frame.
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'self' https://huggingface.co https://*.hf.space"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": POLICY,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a request is told that is not let in."""

    status: int
    words: str
    headers: dict[str, str]


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        allowed_hosts: Iterable[str] = (),
        any_host: bool,
        max_upload_mb: int,
        kept_bytes: Callable[[], int] = lambda: 0,
    ) -> None:
        """Wrap `app`.

        Args:
            app: what answers whoever is let in.
            allowed_hosts: names by which the server is reached, beside those of this machine; a page of such a name
                may also call it when a proxy hides the name.
            any_host: whether it answers to every other name, too.
            max_upload_mb: largest upload, to be said when one is larger.
            kept_bytes: returns how much of what was uploaded lies on the disk.
        """
        self._app = app
        self._allowed = frozenset(host.lower() for host in allowed_hosts)
        self._any_host = any_host
        self._max_upload_mb = max_upload_mb
        self._kept_bytes = kept_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or say why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._find_refusal(scope)
        if refusal is None and scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()  # the handshake
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.words})
        else:
            await _say(refusal, scope, receive, send)

    def _find_refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        host, origin, path = headers.get("host", ""), headers.get("origin"), scope["path"].lower()
        if not self._any_host and _name(f"//{host}") not in self._allowed | LOOPBACK:
            return Refusal(421, "This server does not go by that name. STEMGEN_ALLOWED_HOSTS names those it has.", {})
        if origin is not None and not self._is_own(origin, host):
            return Refusal(403, "Pages of other sites may not use this server.", {})
        while "//" in path:
            path = path.replace("//", "/")
        if path.startswith(CLOSED) or max(len(part.encode()) for part in path.split("/")) > MAX_NAME_BYTES:
            return Refusal(404, "Not found", {})
        length = headers.get("content-length", "0")
        num_bytes = int(length) if length.isascii() and length.isdigit() else 0
        if path.rstrip("/") == UPLOAD:
            return self._refuse_upload(num_bytes)
        if "transfer-encoding" in headers:  # Gradio counts an upload while it writes it; nobody counts other bodies
            return Refusal(411, "Say how long the request is (Content-Length).", {})
        return Refusal(413, "This request is too large.", {}) if num_bytes > MAX_EVENT_BYTES else None

    def _is_own(self, origin: str, host: str) -> bool:
        asking = _place(origin)
        if asking is None:
            return False
        return asking == _place(f"{urlsplit(origin).scheme}://{host}") or asking[0] in self._allowed

    def _refuse_upload(self, num_bytes: int) -> Refusal | None:
        if num_bytes > (self._max_upload_mb + 1) * 2**20:
            return self._too_large()
        if self._kept_bytes() + num_bytes > MAX_UPLOADS_KEPT * self._max_upload_mb * 2**20:
            words = "Many files were uploaded just now. Try again in some minutes."
            return Refusal(429, words, {"Retry-After": str(UPLOAD_RETRY_AFTER_S)})
        return None

    def _too_large(self) -> Refusal:
        return Refusal(
            413,
            f"This file is larger than {self._max_upload_mb} MB, the most that can be uploaded here. "
            "Shorten it or save it as FLAC or MP3.",
            {},
        )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the answer on with our headers; where it says "too much", say it in our words."""
        replaced: list[Refusal] = []

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                refusal = self._replacement(scope["path"], message["status"])
                if refusal is not None:
                    replaced.append(refusal)
                    await _say(refusal, scope, receive, send)
                    return
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            if not replaced:
                await send(message)

        await self._app(scope, receive, send_on)

    def _replacement(self, path: str, status: int) -> Refusal | None:
        if status == 413 and path.rstrip("/") == UPLOAD:
            return self._too_large()
        if status == 503 and path.rstrip("/") == JOIN:
            words = f"Too many requests are waiting. Try again in about {RETRY_AFTER_S} s."
            return Refusal(429, words, {"Retry-After": str(RETRY_AFTER_S)})
        return None


async def _say(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    answer = PlainTextResponse(refusal.words, refusal.status, headers=HEADERS | refusal.headers)
    await answer(scope, receive, send)


def _name(url: str) -> str:
    """Return the name of the host in a URL, in small letters; "" if there is none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:  # a bracket that is never closed, for instance
        return ""


def _place(url: str) -> tuple[str, int | None] | None:
    """Return host and port of a web address, a port that goes without saying left out; None of "null" and nonsense."""
    try:
        parts = urlsplit(url)
        name, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return None
    if not name or parts.scheme not in ("http", "https"):
        return None
    return name, None if port == {"http": 80, "https": 443}[parts.scheme] else port
