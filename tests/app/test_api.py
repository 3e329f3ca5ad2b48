"""What programs can do, through a real server and Gradio's own client."""

import json
import socket
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest
import soundfile
from gradio_client import Client, handle_file

from app.api import Api, publish
from app.exporting.desk import ExportDesk
from app.exporting.tickets import DownloadTickets
from app.main import build_studio, serve
from app.services import Studio
from app.settings import Settings
from sessions.store import open_store
from sessions.tree import Node
from stemgen_core.errors import InvalidRequestError
from tests.app.exporting.conftest import NotingGenerator
from tests.app.fakes import write_clip
from tests.app.waiting import OWNER
from tests.generators import PLAYED

pytestmark = pytest.mark.filterwarnings("default")  # the server runs here: Gradio's threads may warn
ENDPOINTS = {
    "/create_token",
    "/list_instruments",
    "/generate_stem",
    "/add_stem",
    "/list_sessions",
    "/list_nodes",
    "/get_mix",
    "/get_package",
}


@dataclass(frozen=True, slots=True)
class Service:
    """A running studio and a client of it."""

    url: str
    client: Client
    clip: Path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("api")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = Settings(port=port, data_path=folder / "data")
    generator = NotingGenerator(seconds_per_step=0, num_steps=1)
    with open_store(settings.data_path) as store:
        studio = build_studio(settings, store, load_generators=[lambda: generator])
        studio.models.wait(10)
        page = serve(settings, studio, prevent_thread_lock=True, quiet=True)
        try:
            url = f"http://127.0.0.1:{port}/"
            yield Service(url, Client(url, verbose=False, download_files=False), write_clip(folder / "loop.wav"))
        finally:
            page.close()
            studio.worker.close()


def public_endpoints(service: Service) -> dict[str, Any]:
    info = service.client.view_api(return_format="dict")
    assert isinstance(info, dict)
    return info


def test_only_the_endpoints_that_are_meant_to_be_are_public(service: Service) -> None:
    info = public_endpoints(service)

    assert set(info["named_endpoints"]) == ENDPOINTS
    assert info["unnamed_endpoints"] == {}


def test_every_parameter_and_answer_has_a_type(service: Service) -> None:
    info = public_endpoints(service)

    for name, endpoint in info["named_endpoints"].items():
        for part in endpoint["parameters"] + endpoint["returns"]:
            assert part["python_type"]["type"] not in ("", "Any"), name
        assert endpoint["description"], name


def test_a_stem_is_generated_for_a_file_and_its_mix_fetched(service: Service) -> None:
    client = service.client
    names = [each["name"] for each in client.predict(api_name="/list_instruments")]
    assert names == [instrument.name for instrument in PLAYED]

    made = client.predict(
        audio=handle_file(str(service.clip)), instrument="bass", seed=7, variations=2, preset="fast",
        api_name="/generate_stem",
    )  # fmt: skip

    assert [each["seed"] for each in made["variations"]] == [7, 8]
    token, first = made["token"], made["variations"][0]
    assert first["fit"]["verdict"] == "poor"  # the fake's odd seeds are
    sessions = client.predict(token, api_name="/list_sessions")
    assert [(each["session_id"], each["name"]) for each in sessions] == [(made["session_id"], "loop")]
    assert sessions[0]["open_node_id"] == first["node_id"]
    nodes = client.predict(made["session_id"], token, api_name="/list_nodes")
    assert [(each["kind"], each["label"]) for each in nodes] == [
        ("context", "loop"),
        ("stem", "Bass B"),
        ("stem", "Bass A"),
    ]
    mix = client.predict(first["node_id"], token, "flac", api_name="/get_mix")
    assert mix["url"].startswith(service.url.rstrip("/"))
    samples, rate_hz = soundfile.read(BytesIO(httpx.get(mix["url"]).content))
    assert (len(samples), rate_hz) == (88_200, 44_100)
    assert np.abs(samples).max() > 0.1
    package = zipfile.ZipFile(BytesIO(httpx.get(first["package_url"]).content))
    assert sum(name.endswith(".wav") for name in package.namelist()) == 3


def test_a_stem_is_added_on_top_of_a_node(service: Service) -> None:
    client = service.client
    token = client.predict(api_name="/create_token")
    made = client.predict(
        audio=handle_file(str(service.clip)), instrument="bass", token=token, api_name="/generate_stem"
    )

    more = client.predict(made["variations"][0]["node_id"], "piano", token, api_name="/add_stem")

    nodes = client.predict(made["session_id"], token, api_name="/list_nodes")
    assert [each["label"] for each in nodes] == ["loop", "Bass A", "Piano A"]
    assert nodes[2]["parent_id"] == made["variations"][0]["node_id"]
    assert more["session_id"] == made["session_id"]
    assert (made["token"], more["token"]) == (token, token)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"audio": {"path": "/etc/passwd"}, "instrument": "bass"}, "did not arrive"),
        ({"audio": "text", "instrument": "bass"}, "as a file"),
        ({"audio": None, "instrument": "bass"}, "as a file"),
    ],
)
def test_a_path_that_was_not_uploaded_is_never_read(service: Service, call: dict, message: str) -> None:
    with pytest.raises(Exception, match=message):
        service.client.predict(**call, api_name="/generate_stem")


def test_errors_say_what_was_wrong_and_a_foreign_token_finds_nothing(service: Service) -> None:
    client = service.client
    made = client.predict(audio=handle_file(str(service.clip)), instrument="bass", api_name="/generate_stem")
    node_id, stranger = made["variations"][0]["node_id"], client.predict(api_name="/create_token")

    with pytest.raises(Exception, match="Choose an instrument"):
        client.predict(node_id, "kazoo", made["token"], api_name="/add_stem")
    with pytest.raises(Exception, match="This is no token"):
        client.predict("x", api_name="/list_sessions")
    assert client.predict(stranger, api_name="/list_sessions") == []
    for call in ((made["session_id"], stranger, "/list_nodes"), (node_id, stranger, "/get_mix")):
        with pytest.raises(Exception, match="There is no such"):
            client.predict(*call[:2], api_name=call[2])


def _mcp(service: Service, method: str, params: dict) -> dict:
    answer = httpx.post(
        f"{service.url}gradio_api/mcp/",
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
        headers={"Accept": "application/json, text/event-stream"},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return json.loads(lines[-1] if lines else answer.text)["result"]


def test_the_same_endpoints_are_tools_of_mcp(service: Service) -> None:
    schema = httpx.get(f"{service.url}gradio_api/mcp/schema").json()

    tools = {tool["name"]: tool for tool in schema}
    assert set(tools) == {name.removeprefix("/") for name in ENDPOINTS}
    wanted = tools["generate_stem"]["inputSchema"]
    assert set(wanted["required"]) == {"audio", "instrument"}
    assert wanted["properties"]["preset"]["enum"] == ["fast", "balanced", "paper"]
    assert wanted["properties"]["seed"]["description"].startswith("0 to 2147483647")
    assert "request" not in wanted["properties"]


def test_a_tool_can_be_called_over_mcp(service: Service) -> None:
    listed = _mcp(service, "tools/list", {})["tools"]
    answer = _mcp(service, "tools/call", {"name": "list_instruments", "arguments": {}})

    assert {tool["name"] for tool in listed} == {name.removeprefix("/") for name in ENDPOINTS}
    assert "bass" in answer["content"][0]["text"]


# ---- without a server ----------------------------------------------------------------------------------------------


@pytest.fixture
def api(studio: Studio) -> Api:
    return Api(studio, ExportDesk(studio.store, studio.sounds), DownloadTickets())


def test_a_link_opens_what_reads(api: Api, studio: Studio, context: Node) -> None:
    share = studio.store.share_session(OWNER, context.session_id).token

    assert [each["node_id"] for each in api.list_nodes(context.session_id, share)] == [context.id]
    assert api.get_mix(context.id, share)["url"].startswith(f"/export/{context.id}/mix.wav?ticket=")
    with pytest.raises(InvalidRequestError, match="This is no token"):
        api.list_sessions(share)
    with pytest.raises(InvalidRequestError, match="This is no token"):
        api.add_stem(context.id, "bass", share)


def test_the_documents_name_every_endpoint(api: Api) -> None:
    with gr.Blocks() as page:
        publish(api)
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")

    for name, endpoint in page.get_api_info()["named_endpoints"].items():
        assert f"`{name.removeprefix('/')}`" in text
        for parameter in endpoint["parameters"]:
            assert f"`{parameter['parameter_name']}`" in text
