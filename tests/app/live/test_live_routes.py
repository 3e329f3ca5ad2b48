"""What the page of live asks the server, and what strangers and nonsense are told."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from app.live.room import LiveRoom
from app.services import Studio
from app.ui.live_routes import build_live_routes
from app.ui.routes import KEY_HEADER
from tests.app.conftest import OpenStudio
from tests.app.fakes import NoiseBurstGenerator
from tests.app.waiting import OWNER, wait_for

KEY = {KEY_HEADER: OWNER}
START = {"kind": "groove", "instruments": ["bass"], "tempo_bpm": 120, "num_bars": 1, "genre": "lofi"}


@pytest.fixture
def studio(open_studio: OpenStudio) -> Iterator[Studio]:
    with open_studio(NoiseBurstGenerator(seconds_per_step=0.001, genres=("lofi",))) as opened:
        yield opened


@pytest.fixture
def room(studio: Studio) -> Iterator[LiveRoom]:
    opened = LiveRoom(studio)
    yield opened
    opened.close()


@pytest.fixture
def client(room: LiveRoom) -> TestClient:
    return TestClient(Starlette(routes=build_live_routes(room)))


def test_the_page_learns_what_the_model_plays(client: TestClient) -> None:
    offers = client.get("/live/offers").json()

    assert "bass" in [one["name"] for one in offers["instruments"]]
    assert offers["genres"] == [{"name": "lofi", "label": "Lofi", "tempo_bpm": 80}]


def test_a_jam_is_opened_beaten_and_heard(client: TestClient) -> None:
    jam = client.post("/live", json=START, headers=KEY).json()
    groove, bass = jam["parts"]
    beat = {"loop": 0, "position_s": 0.1, "sounding": {groove["part_id"]: groove["playing"]["version_id"]}}

    client.post(f"/live/{jam['id']}/beat", json=beat, headers=KEY)

    def coming() -> dict[str, object] | None:
        said = client.post(f"/live/{jam['id']}/beat", json=beat, headers=KEY).json()
        return said["parts"][1]["coming"]

    version = wait_for(coming)
    sound = client.get(str(version["url"]), headers=KEY)
    assert version["loop"] == 1
    assert sound.headers["content-type"] == "audio/flac"
    assert sound.content[:4] == b"fLaC"
    assert jam["controls"]["genre"] == "lofi"
    assert not bass["is_fixed"]


def test_what_people_do_is_in_the_answer(client: TestClient) -> None:
    jam = client.post("/live", json=START, headers=KEY).json()
    part_id = jam["parts"][1]["part_id"]

    def do(**said: object) -> dict[str, object]:
        answer = client.post(f"/live/{jam['id']}/do", json=said, headers=KEY)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def part(said: dict[str, object]) -> dict[str, object]:
        return said["parts"][1]  # pyright: ignore[reportIndexIssue]

    assert not part(do(what="switch", part_id=part_id, is_on=False))["is_on"]
    assert part(do(what="hold", part_id=part_id, is_held=True))["is_held"]
    assert part(do(what="regenerate", part_id=part_id))["is_on"]
    assert do(what="controls", controls={"density": 2})["controls"]["density"] == 2  # pyright: ignore[reportIndexIssue]
    assert do(what="record", is_recording=True)["is_recording"]
    assert len(do(what="add", instrument="piano")["parts"]) == 3  # pyright: ignore[reportArgumentType]
    assert len(do(what="remove", part_id=part_id)["parts"]) == 2  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"what": "explode"}, 422, "no such thing"),
        ({"what": "switch", "part_id": "x"}, 422, "not there any more"),
        ({"what": "undo", "part_id": "x"}, 422, "not there any more"),
        ({"what": "controls", "controls": {"density": "much"}}, 422, "must be a number"),
        ({"what": "controls", "controls": 7}, 400, "no request"),
    ],
)
def test_nonsense_is_refused_in_words(client: TestClient, said: object, status: int, words: str) -> None:
    jam = client.post("/live", json=START, headers=KEY).json()

    answer = client.post(f"/live/{jam['id']}/do", json=said, headers=KEY)

    assert answer.status_code == status
    assert words in answer.text


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"kind": "groove", "tempo_bpm": "fast"}', b'{"kind": {}}'])
def test_a_body_that_the_page_never_sends_is_refused(client: TestClient, body: bytes) -> None:
    assert client.post("/live", content=body, headers=KEY).status_code in (400, 422)


@pytest.mark.parametrize("beat", [{}, {"loop": 0, "position_s": 0, "sounding": 3}, {"loop": 1e400, "position_s": 0}])
def test_a_beat_that_is_none_is_refused(client: TestClient, beat: object) -> None:
    jam = client.post("/live", json=START, headers=KEY).json()

    answer = client.post(f"/live/{jam['id']}/beat", content=json.dumps(beat), headers=KEY)

    assert answer.status_code in (400, 422)


def test_only_files_that_were_uploaded_can_be_loops(client: TestClient) -> None:
    answer = client.post("/live", json={"kind": "loop", "path": "/etc/passwd"}, headers=KEY)

    assert answer.status_code == 422
    assert "did not arrive" in answer.text


@pytest.mark.parametrize("headers", [{}, {KEY_HEADER: "1" * 32}])
def test_strangers_find_nothing(client: TestClient, headers: dict[str, str]) -> None:
    jam = client.post("/live", json=START, headers=KEY).json()
    url = jam["parts"][0]["playing"]["url"]

    assert client.get(url, headers=headers).status_code == 404
    assert client.get(f"/live/{jam['id']}/take.flac", headers=headers).status_code == 404
    for what in ("beat", "do", "leave", "open-take"):
        assert client.post(f"/live/{jam['id']}/{what}", json={}, headers=headers).status_code == 422


def test_the_microphones_blocks_are_put_where_they_were_played(client: TestClient, room: LiveRoom) -> None:
    jam = client.post("/live", json=START, headers=KEY).json()
    live = room.find(OWNER, jam["id"])
    block = (5).to_bytes(8, "little", signed=True) + np.full(10, 16_384, "<i2").tobytes()

    with client.websocket_connect(f"/live/{jam['id']}/microphone") as socket:
        socket.send_text(OWNER)
        socket.send_bytes(block)
        heard = wait_for(live.microphone.latest)
        assert heard.samples[0, :20].tolist() == [0.0] * 5 + [0.5] * 10 + [0.0] * 5

    wait_for(lambda: not live.microphone.is_open)


@pytest.mark.parametrize("block", [b"", b"1234567", b"12345678x", bytes(200_000)])
def test_blocks_that_are_none_close_the_microphone(client: TestClient, room: LiveRoom, block: bytes) -> None:
    jam = client.post("/live", json=START, headers=KEY).json()

    with client.websocket_connect(f"/live/{jam['id']}/microphone") as socket:
        socket.send_text(OWNER)
        socket.send_bytes(block)
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()


def test_a_stranger_gets_no_microphone(client: TestClient) -> None:
    jam = client.post("/live", json=START, headers=KEY).json()

    with client.websocket_connect(f"/live/{jam['id']}/microphone") as socket:
        socket.send_text("1" * 32)
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()
