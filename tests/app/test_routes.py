"""Who may hear what over HTTP."""

import shutil
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.services import Studio
from app.ui.routes import KEY_HEADER, build_routes
from app.ui.static import FONT
from sessions.home import CACHE_FOLDER, DataHome
from sessions.tree import Node
from tests.app.conftest import OpenStudio
from tests.app.waiting import OWNER


@pytest.fixture
def client(studio: Studio) -> TestClient:
    return TestClient(Starlette(routes=build_routes(studio)))


@pytest.fixture
def url(context: Node) -> str:
    assert context.audio is not None
    return f"/media/{context.audio.sha256}.flac"


def test_the_owner_hears_the_whole_file_which_is_not_to_be_taken_for_anything_else(
    client: TestClient, url: str
) -> None:
    answer = client.get(url, headers={KEY_HEADER: OWNER})

    assert answer.content[:4] == b"fLaC"
    assert answer.headers["content-type"] == "audio/flac"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "private" in answer.headers["cache-control"]
    assert KEY_HEADER in answer.headers["vary"]


def test_a_range_is_answered_with_that_part(client: TestClient, url: str) -> None:
    answer = client.get(url, headers={KEY_HEADER: OWNER, "Range": "bytes=0-3"})

    assert (answer.status_code, answer.content) == (206, b"fLaC")


@pytest.mark.parametrize("headers", [{}, {KEY_HEADER: ""}, {KEY_HEADER: "f" * 32}])
def test_without_the_owners_key_there_is_nothing(client: TestClient, url: str, headers: dict[str, str]) -> None:
    assert client.get(url, headers=headers).status_code == 404


@pytest.mark.parametrize("name", ["..%2f..%2fbrowser.secret", "0" * 64, "%00", "browser.secret"])
def test_no_other_name_leads_to_a_file(client: TestClient, context: Node, name: str) -> None:
    assert client.get(f"/media/{name}.flac", headers={KEY_HEADER: OWNER}).status_code == 404


def test_scripts_are_served_and_nothing_beside_them(client: TestClient) -> None:
    assert "text/javascript" in client.get("/studio-static/engine.js").headers["content-type"]
    assert "text/css" in client.get("/studio-static/page.css").headers["content-type"]
    assert client.get(f"/studio-static/{FONT}").headers["content-type"] == "font/woff2"
    assert client.get("/studio-static/__init__.py").status_code == 404
    assert client.get("/studio-static/..%2ftheme.py").status_code == 404


def test_a_sound_at_an_address_is_heard_in_ranges_by_its_owner_alone_also_when_no_copy_is_here(
    open_studio: OpenStudio, tmp_path: Path
) -> None:
    home = DataHome(tmp_path / "data", blob_url=f"memory://{tmp_path.name}/sounds")
    with open_studio(home=home) as studio:
        node = studio.start_from_example(OWNER, "loop")
        client = TestClient(Starlette(routes=build_routes(studio)))
        assert node.audio is not None
        url, key = f"/media/{node.audio.sha256}.flac", {KEY_HEADER: OWNER}
        whole = client.get(url, headers=key).content
        shutil.rmtree(home.folder / CACHE_FOLDER)

        part = client.get(url, headers=key | {"Range": "bytes=4-99"})

        assert (part.status_code, part.content) == (206, whole[4:100])
        assert part.headers["content-range"] == f"bytes 4-99/{len(whole)}"
        assert client.get(url, headers=key | {"Range": f"bytes={len(whole)}-"}).status_code == 416
        assert client.get(url, headers={KEY_HEADER: "f" * 32}).status_code == 404
        studio.store.blobs.remove(node.audio.sha256)
        assert client.get(url, headers=key).status_code == 404
