"""Whom the server serves, and what it says when something is too much."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.main import _guard
from app.settings import Settings
from app.ui.guard import CLOSED, MAX_EVENT_BYTES, Guard
from app.ui.uploads import uploaded_bytes


async def _answer(request: Request) -> PlainTextResponse:
    await request.body()
    return PlainTextResponse("let in", int(request.query_params.get("status", "200")))


async def _talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("let in")
    await socket.close()


def _client(host: str = "studio.example", *, allowed: tuple[str, ...] = (), any_host: bool = True) -> TestClient:
    guard = Middleware(Guard, allowed_hosts=allowed, any_host=any_host, max_upload_mb=1)
    routes = [WebSocketRoute("/live", _talk), Route("/{path:path}", _answer, methods=["GET", "POST", "OPTIONS"])]
    return TestClient(Starlette(routes=routes, middleware=[guard]), base_url=f"http://{host}")


FOREIGN = ["http://evil.example", "https://studio.example.evil.example", "null", "file://", "http://studio.example:81"]
FOREIGN += ["", "http://", "http://[", "javascript:alert(1)", "http://studio.example@evil.example", "//studio.example"]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_page_of_another_site_is_refused_whatever_it_asks(origin: str, method: str) -> None:
    answer = _client().request(method, "/", headers={"Origin": origin, "X-Forwarded-Host": "evil.example"})

    assert (answer.status_code, answer.text) == (403, "Pages of other sites may not use this server.")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "origin", [None, "http://studio.example", "https://studio.example", "http://STUDIO.example:80"]
)
def test_the_own_page_and_programs_without_one_are_let_in(origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}

    assert _client().post("/", headers=headers).text == "let in"


def test_a_proxy_that_hides_the_name_is_served_once_the_name_is_allowed() -> None:
    headers = {"Origin": "https://studio.example"}

    assert _client("127.0.0.1").post("/", headers=headers).status_code == 403
    assert _client("127.0.0.1", allowed=("Studio.example",)).post("/", headers=headers).text == "let in"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example"])
def test_a_name_that_the_server_does_not_go_by_is_refused(host: str) -> None:
    answer = _client(host, any_host=False).get("/")

    assert answer.status_code == 421
    assert "STEMGEN_ALLOWED_HOSTS" in answer.text


@pytest.mark.parametrize("host", ["", ":7860", "[", "[::1", "/"])
def test_what_is_no_name_is_refused_too(host: str) -> None:
    assert _client("localhost", any_host=False).get("/", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "LOCALHOST", "[::1]:7860", "studio.example"])
def test_names_of_this_machine_and_allowed_ones_are_served(host: str) -> None:
    answer = _client("studio.example", allowed=("studio.example",), any_host=False).get("/", headers={"Host": host})

    assert answer.text == "let in"


def test_a_websocket_of_another_site_is_closed_before_it_opens() -> None:
    client = _client()

    with client.websocket_connect("/live", headers={"Origin": "http://testserver"}) as socket:
        assert socket.receive_text() == "let in"
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/live", headers={"Origin": "http://evil"}):
        pass


@pytest.mark.parametrize(
    "path", [*CLOSED, "/GRADIO_API/Proxy=http://x", "/gradio_api//proxy=x", "//monitoring/summary"]
)
def test_routes_that_nobody_needs_are_not_there(path: str) -> None:
    assert _client().get(f"http://studio.example{path}").status_code == 404


@pytest.mark.parametrize(
    ("path", "num_bytes", "status"),
    [
        ("/gradio_api/queue/join", MAX_EVENT_BYTES + 1, 413),
        ("/gradio_api/queue/join", MAX_EVENT_BYTES, 200),
        ("/gradio_api/upload", 3_000_000, 413),
        ("/gradio_api/upload", 2_000_000, 200),
    ],
)
def test_what_is_too_large_is_refused_unread(path: str, num_bytes: int, status: int) -> None:
    answer = _client().post(path, content=bytes(num_bytes))

    assert answer.status_code == status


def test_an_upload_that_is_too_large_is_told_the_limit_and_what_to_do() -> None:
    for answer in (
        _client().post("/gradio_api/upload", content=bytes(3_000_000)),
        _client().post("/gradio_api/upload?status=413", content=b""),  # counted by Gradio
    ):
        assert answer.status_code == 413
        assert answer.text.startswith("This file is larger than 1 MB, the most that can be uploaded here. Shorten it")


def test_all_uploads_together_have_a_limit_and_the_next_is_told_when_to_come_back() -> None:
    kept: list[int] = [40 * 2**20 - 1_000]
    guard = Middleware(Guard, any_host=True, max_upload_mb=1, kept_bytes=lambda: kept[0])
    client = TestClient(Starlette(routes=[Route("/{path:path}", _answer, methods=["POST"])], middleware=[guard]))

    refused = client.post("/gradio_api/upload", content=bytes(1_001))

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "300")
    assert refused.text == "Many files were uploaded just now. Try again in some minutes."
    assert client.post("/gradio_api/upload", content=bytes(1_000)).status_code == 200
    kept[0] += 1_001
    for path in ("/gradio_api/upload/", "//gradio_api//upload", "/GRADIO_API/upload"):  # however it is written
        assert client.post(f"http://testserver{path}", content=b"small").status_code == 429
    assert client.post("/gradio_api/upload", content=iter([b"of unknown length"])).status_code == 429
    assert client.post("/gradio_api/queue/join", content=b"{}").status_code == 200


def test_all_that_lies_in_the_folder_of_uploads_is_counted_and_nothing_that_links_lead_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").write_bytes(bytes(1_000_000))
    folder = tmp_path / "uploads"
    (folder / "0123" / "deep").mkdir(parents=True)
    (folder / "0123" / "clip.wav").write_bytes(bytes(700))
    (folder / "0123" / "deep" / "clip.wav").write_bytes(bytes(300))
    monkeypatch.setattr("app.ui.uploads.upload_folder", lambda: folder)

    assert uploaded_bytes() == 1_000

    (folder / "link").symlink_to(tmp_path / "elsewhere")

    assert uploaded_bytes() < 2_000


def test_a_server_counts_what_lies_in_its_folder_of_uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ui.uploads.upload_folder", lambda: tmp_path)
    middleware = [_guard(Settings(host="0.0.0.0", max_upload_mb=1))]
    client = TestClient(Starlette(routes=[Route("/{path:path}", _answer, methods=["POST"])], middleware=middleware))
    assert client.post("/gradio_api/upload", content=b"small").status_code == 200

    with (tmp_path / "clip.wav").open("wb") as file:
        file.truncate(40 * 2**20)

    assert client.post("/gradio_api/upload", content=b"small").status_code == 429


def test_an_event_of_unknown_length_is_refused() -> None:
    answer = _client().post("/gradio_api/queue/join", content=iter([b"x"]))

    assert answer.status_code == 411


def test_a_full_queue_is_told_as_429_with_the_time_to_come_back() -> None:
    answer = _client().post("/gradio_api/queue/join?status=503")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert answer.text == "Too many requests are waiting. Try again in about 10 s."
    assert _client().post("/elsewhere?status=503").status_code == 503


def test_every_answer_says_what_the_browser_may_not_do() -> None:
    for answer in (_client().get("/"), _client().get("/", headers={"Origin": "http://evil"})):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_allowed_hosts_come_from_the_environment() -> None:
    settings = Settings.from_environment(
        {"STEMGEN_ALLOWED_HOSTS": " A.example, b.example,", "SPACE_HOST": "c.hf.space"}
    )

    assert settings.allowed_hosts == ("a.example", "b.example", "c.hf.space")
    assert Settings.from_environment({}).allowed_hosts == ()
