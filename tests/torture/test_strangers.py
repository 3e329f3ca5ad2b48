"""Nobody reaches what is somebody else's, no path leads to a file of the server's, no address is ever opened."""

import http.client
import json
import random
import re
import secrets
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from app.main import TABS_REMEMBERED
from app.services import StemOrder
from app.ui.tab_memory import UnheardAnswers
from sessions.tree import Node, Turn
from tests.app.fakes import write_clip
from tests.app.waiting import wait_for
from tests.torture.payloads import TRAVERSALS, addresses
from tests.torture.server import Server, free_port, run_server
from tests.torture.visitor import Visitor, generate_inputs

pytestmark = pytest.mark.filterwarnings("default")  # the server's threads are Gradio's

MARK = "marker-of-the-victim"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_server(tmp_path_factory.mktemp("strangers"), free_port(), max_upload_mb=1) as running:
        wait_for(lambda: running.studio.instruments(5), timeout_s=60)
        yield running


class Victim:
    """Somebody with a session, a picked stem and names that would be recognised anywhere."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.studio = server.studio
        self.token = secrets.token_hex(16)
        clip = write_clip(folder / "victim.wav", seconds=1.5, sample_rate_hz=8_000, seed=99)
        self.context: Node = self.studio.start_from_file(self.token, clip, MARK)
        turn = self.studio.request_stem(self.token, self.context.id, StemOrder("bass", 2, "balanced", 5))
        self.turn: Turn = wait_for(self._finished(turn.id), timeout_s=60)
        self.stem: Node = self.studio.pick(self.token, self.turn.variations[0].id)

    def _finished(self, turn_id: str) -> Callable[[], Turn | None]:
        def look() -> Turn | None:
            turn = self.studio.store.turn(self.token, turn_id)
            return turn if turn.state.is_finished else None

        return look

    @property
    def ids(self) -> list[str]:
        variations = [variation.id for variation in self.turn.variations]
        return [self.context.session_id, self.context.id, self.stem.id, self.turn.id, *variations]

    @property
    def sounds(self) -> list[str]:
        return [thing.audio.sha256 for thing in (self.context, *self.turn.variations) if thing.audio is not None]

    def everything(self) -> str:
        return repr(self.studio.snapshot(self.token, self.context.session_id))


@pytest.fixture(scope="module")
def victim(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Victim:
    return Victim(server, tmp_path_factory.mktemp("victim"))


NONSENSE: tuple[Any, ...] = (
    None,
    "",
    0,
    -1,
    1e308,
    True,
    [],
    {},
    [[]],
    "0" * 32,
    "' OR 1=1 --",
    "../../x",
    "\0",
    "a" * 9999,
)


def _forge(rng: random.Random, victim: Victim) -> Any:
    return rng.choice([*victim.ids, secrets.token_hex(16), rng.choice(NONSENSE)])


def _forged_event(
    rng: random.Random, victim: Victim, dependency: dict[str, Any], browser: Any
) -> tuple[list[Any], Any]:
    """Return inputs and event data for a listener, with forged ids wherever one may stand."""
    data: list[Any] = [
        rng.choice([_forge(rng, victim), {"session_id": _forge(rng, victim)}]) for _ in dependency["inputs"]
    ]
    if data:
        data[rng.randrange(len(data))] = browser
    names = ("node_id", "turn_id", "variation_id", "session_id", "name", "is_starred")
    event = {name: _forge(rng, victim) for name in names if rng.random() < 0.7}
    return data, rng.choice([event, event, event, _forge(rng, victim)])


def _leaks(text: str, victim: Victim) -> list[str]:
    return [secret for secret in (MARK, victim.token, *victim.sounds) if secret in text]


@pytest.mark.parametrize("num_attempts", [120, pytest.param(10_000, marks=pytest.mark.torture)])
def test_forged_ids_open_nothing_by_event_media_or_api(
    server: Server, victim: Victim, tell: Callable[[str], None], num_attempts: int
) -> None:
    before = victim.everything()
    local = threading.local()
    began_s = time.monotonic()

    def stranger() -> Visitor:
        if not hasattr(local, "visitor"):
            local.visitor = Visitor(server.url)
        return local.visitor

    def attempt(number: int) -> tuple[str, list[str]]:
        rng, visitor = random.Random(number), stranger()
        if number % 2:
            sha256 = rng.choice([*victim.sounds, secrets.token_hex(32)])
            token = rng.choice([visitor.token, "", "0" * 32, victim.token[:-1], victim.token.upper(), "*", MARK])
            answer = visitor.media(f"/media/{sha256}.flac", token)
            return f"media {answer.status_code}", _leaks(answer.text, victim) + (["sound"] if answer.is_success else [])
        listeners = [one for some in visitor.listeners.values() for one in some if one["backend_fn"]]
        dependency = listeners[number // 2 % len(listeners)]
        browser = rng.choice([visitor.browser, {"token": visitor.token, "session_id": victim.context.session_id}])
        data, event = _forged_event(rng, victim, dependency, browser)
        if number % 40 == 0:
            path = f"/gradio_api/{rng.choice(['call', 'run', 'api'])}/{dependency['api_name']}"
            answer = visitor.http.post(path, json={"data": data, "session_hash": secrets.token_hex(4)})
            return f"api {answer.status_code}", _leaks(answer.text, victim)
        joined = visitor.call(dependency["id"], data, event)
        said = [secret for secret in _leaks(joined.text, victim) if secret not in json.dumps([data, event])]
        return f"event {joined.is_success}", said + (["traceback"] if "Traceback" in joined.text else [])

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(attempt, range(num_attempts)))

    tell(f"{num_attempts} attempts in {time.monotonic() - began_s:.0f} s: {dict(Counter(kind for kind, _ in results))}")
    assert not [result for result in results if result[1]]
    assert victim.everything() == before


@pytest.mark.torture
@pytest.mark.parametrize(("num_clients", "num_requests"), [(6, 5), (50, 20)], ids=["quick", "full"])
def test_clients_at_the_same_time_see_only_their_own(
    server: Server, tell: Callable[[str], None], num_clients: int, num_requests: int
) -> None:
    began_s = time.monotonic()

    everybody, store = threading.Barrier(num_clients), server.studio.store
    loop = server.studio.start_from_example(secrets.token_hex(16), "loop").audio
    assert loop is not None

    def use(number: int) -> list[str]:
        """Return what went wrong, with the answers in which it did."""
        visitor, mark = Visitor(server.url), f"client-{number:03d}-"
        node = store.add_context(visitor.token, store.create_session(visitor.token).id, loop)
        browser = visitor.browser | {"session_id": node.session_id}
        arrive, rename = (visitor.listeners[name][0]["id"] for name in ("on_arrive", "on_rename"))
        everybody.wait(900)  # seconds, of a machine with much else to do
        answers = []
        for request in range(num_requests):
            if request % 2 == 0:
                answers.append(visitor.call(arrive, [browser]))
            name = f"{mark}{request}"
            answers.append(visitor.call(rename, [None, browser], {"node_id": node.id, "name": name}))
        visitor.close()
        foreign = [answer.text for answer in answers if set(re.findall(r"client-\d{3}-", answer.text)) - {mark}]
        refused = [answer.text for answer in answers if not answer.is_success]
        kept = store.node(visitor.token, node.id).name
        return foreign + refused + ([] if kept == f"{mark}{num_requests - 1}" else [f"the last name is {kept}"])

    with ThreadPoolExecutor(num_clients) as pool:
        wrong = [words for words_of_one in pool.map(use, range(num_clients)) for words in words_of_one]

    tell(f"{num_clients} clients x {num_requests} requests in {time.monotonic() - began_s:.0f} s; {len(wrong)} wrong")
    assert wrong == []


def test_a_tab_that_was_forgotten_because_many_others_came_goes_on_where_it_stood(server: Server) -> None:
    tabs = server.page.state_holder
    with Visitor(server.url) as visitor:
        visitor.open_page()
        assert visitor.call(visitor.example, [visitor.browser]).is_success
        session = server.studio.store.sessions(visitor.token)[0]
        del tabs.session_data[visitor.session_hash]

        answer = visitor.call(visitor.listeners["on_generate"][0]["id"], generate_inputs(visitor))

    assert answer.is_success, answer.text
    turns = server.studio.store.turns(visitor.token, session.id)
    assert [turn.node_id for turn in turns] == [session.current_node_id]
    assert tabs.capacity == TABS_REMEMBERED


def test_a_running_server_keeps_little_of_its_tabs_and_refuses_names_that_no_tab_has(server: Server) -> None:
    with Visitor(server.url) as visitor:
        visitor.open_page()
        assert visitor.call(visitor.example, [visitor.browser]).is_success
        shown = server.page.state_holder.session_data[visitor.session_hash]
        load = visitor.listeners["on_machine"][0]["id"]
        visitor.session_hash = "x" * 100_000
        refused = visitor.join(load, [])

    assert list(shown.components) == []
    assert isinstance(server.page._queue.pending_messages_per_session, UnheardAnswers)
    assert refused.status_code == 400
    assert "at most 128 characters" in refused.text


ROUTES = ("/media/{}.flac", "/media/{}", "/studio-static/{}", "/gradio_api/file={}", "/static/{}", "/assets/{}")
ROUTES += ("/custom_component/x/{}", "/svelte/{}", "/{}")
SIGNS = (b"root:x:0", b"SQLite format 3", b"HOME=/", b"def main() -> int")


@pytest.mark.torture
def test_two_hundred_paths_lead_to_no_file_on_any_route(server: Server, tell: Callable[[str], None]) -> None:
    secret = (server.data_path / "browser.secret").read_bytes().strip()
    host, port = server.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    statuses: Counter[int] = Counter()
    wrong: list[tuple[str, int, bytes]] = []

    for payload in TRAVERSALS:
        for route in ROUTES:
            # As it is, not tidied by a client; only what no request line can carry is escaped.
            path = route.format(quote(payload, safe="/\\%.:;$*?'{}=-~!"))
            connection.putrequest("GET", path.replace("\\", "%5C"), skip_accept_encoding=True)
            connection.putheader("X-StemGen-Browser", "0" * 32)
            connection.endheaders()
            try:
                answer = connection.getresponse()
                content = answer.read()
            except ConnectionError:  # not even answered
                connection.close()
                statuses[0] += 1
                continue
            statuses[answer.status] += 1
            is_page = path in ("/", "/?")  # the page itself knows what its storage in the browser is sealed with
            if answer.status >= 500 or (secret in content and not is_page) or any(sign in content for sign in SIGNS):
                wrong.append((path, answer.status, content[:200]))
            if answer.getheader("X-Injected"):
                wrong.append((path, answer.status, b"header"))

    tell(f"{len(TRAVERSALS)} payloads x {len(ROUTES)} routes: {dict(statuses)}")
    assert len(TRAVERSALS) >= 200
    assert not wrong, "\n".join(map(str, wrong[:20]))
    assert not statuses[0]


_watched: list[tuple[str, Any]] | None = None


def _note_sockets(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched is None:
        return
    if event == "socket.connect":
        _watched.append((event, arguments[1]))
    elif event == "socket.getaddrinfo":
        _watched.append((event, arguments[:2]))


sys.addaudithook(_note_sockets)


@contextmanager
def _watch_sockets(own_port: int) -> Iterator[Callable[[], list[tuple[str, Any]]]]:
    """Watch every connection and look-up of this process, which is the server's, but those to the server itself."""
    global _watched
    _watched = noted = list[tuple[str, Any]]()
    try:
        yield lambda: [entry for entry in noted if own_port not in tuple(entry[1])]
    finally:
        _watched = None


def test_thirty_addresses_are_given_in_every_place_and_none_is_opened(
    server: Server, victim: Victim, tell: Callable[[str], None]
) -> None:
    canary = socket.create_server(("127.0.0.1", 0))
    canary.settimeout(0.2)
    visitor = Visitor(server.url)
    own_port = int(server.url.rsplit(":", 1)[1])
    urls = addresses(canary.getsockname()[1])
    refused = ""
    places = [visitor.listeners["on_file"][0]["id"]]

    with _watch_sockets(own_port) as opened:
        for url in urls:
            for fn_index in places:
                for file in ({"path": url}, {"path": url, "url": url}, {"path": "x.wav", "url": url}):
                    sent = file | {"meta": {"_type": "gradio.FileData"}, "orig_name": url}
                    answer = visitor.call(fn_index, [sent, visitor.browser])
                    assert not answer.is_success or "alert" in answer.text  # of our own words about the file
                    refused += answer.text if len(refused) < 10_000 else ""
                    assert "Traceback" not in answer.text
            for route in ("/gradio_api/file=", "/gradio_api/proxy=", "/file=", "/proxy="):
                visitor.http.get(route + quote(url, safe=":/@[]"))
            visitor.http.post("/gradio_api/upload", data={"files": url})
        found = opened()

    with pytest.raises(TimeoutError):
        canary.accept()
    canary.close()
    tell(f"{len(urls)} addresses in {3 + 5} places: {len(found)} sockets")
    assert len(urls) >= 30
    assert "Addresses are not opened here" in refused
    assert not found, "\n".join(map(str, found[:20]))


def test_the_watch_over_sockets_sees_one(server: Server) -> None:
    with _watch_sockets(int(server.url.rsplit(":", 1)[1])) as opened, pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", 1), timeout=2)

    assert [event for event, _ in opened()] == ["socket.getaddrinfo", "socket.connect"]


def test_the_public_is_offered_nothing_but_the_documented_endpoints_and_nothing_is_collected(server: Server) -> None:
    visitor = Visitor(server.url)
    config = visitor.http.get("/config").json()
    public = {name for name, some in visitor.listeners.items() for one in some if one["api_visibility"] != "private"}

    assert set(visitor.http.get("/gradio_api/info").json()["named_endpoints"]) == {f"/{name}" for name in public}
    assert visitor.http.get("/gradio_api/info").json()["unnamed_endpoints"] == {}
    assert not [name for name in public if name.startswith(("on_", "unnamed", "partial"))]
    assert config["analytics_enabled"] is False
    assert not config.get("run_history")
    assert visitor.http.get("/monitoring/summary").status_code == 404
    assert visitor.http.get("/openapi.json").status_code == 404


def test_the_real_server_refuses_foreign_pages_and_names(server: Server) -> None:
    visitor = Visitor(server.url)

    assert visitor.http.post("/gradio_api/queue/join", json={}, headers={"Origin": "http://evil"}).status_code == 403
    assert visitor.http.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert visitor.http.get("/", headers={"Origin": server.url}).status_code == 200


@pytest.mark.parametrize("says_length", [True, False])
def test_an_upload_beyond_the_limit_is_told_the_limit(server: Server, says_length: bool) -> None:
    visitor = Visitor(server.url)
    part = (
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
        + bytes(3_000_000)
        + b"\r\n--b--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    content: Any = part if says_length else iter([part[at : at + 65_536] for at in range(0, len(part), 65_536)])

    answer = visitor.http.post("/gradio_api/upload", content=content, headers=headers)

    assert answer.status_code == 413
    assert answer.text.startswith("This file is larger than 1 MB")
