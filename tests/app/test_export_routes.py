"""Who may download what."""

import errno
import re
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.exporting.desk import MAX_AT_ONCE, MAX_WAITING, ExportDesk
from app.exporting.tickets import DownloadTickets
from app.services import Studio
from app.ui.export_routes import build_export_routes, export_path
from app.ui.routes import KEY_HEADER
from sessions.tree import Node
from tests.app.waiting import OWNER

STRANGER = "f" * 32


@pytest.fixture
def tickets() -> DownloadTickets:
    return DownloadTickets()


@pytest.fixture
def desk(studio: Studio) -> ExportDesk:
    return ExportDesk(studio.store, studio.sounds)


@pytest.fixture
def client(desk: ExportDesk, tickets: DownloadTickets) -> TestClient:
    return TestClient(Starlette(routes=build_export_routes(desk, tickets)))


def test_the_owner_gets_a_file_under_its_own_name(studio: Studio, client: TestClient, context: Node) -> None:
    studio.store.rename_node(OWNER, context.id, 'Größe "x"')

    answer = client.get(export_path(context.id, "mix", "wav"), headers={KEY_HEADER: OWNER})

    assert answer.status_code == 200
    assert answer.content[:4] == b"RIFF"
    assert int(answer.headers["content-length"]) == len(answer.content)
    told = re.fullmatch(
        r"attachment; filename=\"([^\"]*)\"; filename\*=UTF-8''(\S+)", answer.headers["content-disposition"]
    )
    assert told is not None
    assert unquote(told[2]) == "Loop - Größe -x-.wav"
    assert told[1] == "Loop - Gr__e -x-.wav"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("key", [None, "", STRANGER])
def test_without_the_owners_key_there_is_nothing(client: TestClient, context: Node, key: str | None) -> None:
    headers = {} if key is None else {KEY_HEADER: key}

    assert client.get(export_path(context.id, "mix", "wav"), headers=headers).status_code == 404


def test_a_ticket_opens_its_own_download_only(client: TestClient, tickets: DownloadTickets, context: Node) -> None:
    path = export_path(context.id, "mix", "flac")
    ticket = tickets.issue(OWNER, path)

    assert client.get(path, params={"ticket": ticket}).status_code == 200
    assert client.get(export_path(context.id, "mix", "wav"), params={"ticket": ticket}).status_code == 404
    assert client.get(path, params={"ticket": "0" * 32}).status_code == 404


def test_a_ticket_of_a_stranger_opens_nothing(client: TestClient, tickets: DownloadTickets, context: Node) -> None:
    path = export_path(context.id, "mix", "flac")

    assert client.get(path, params={"ticket": tickets.issue(STRANGER, path)}).status_code == 404


def test_what_can_not_be_made_is_answered_in_words(client: TestClient, context: Node) -> None:
    answer = client.get(export_path(context.id, "midi", "mid"), headers={KEY_HEADER: OWNER})

    assert answer.status_code == 422
    assert "there is no MIDI" in answer.text


def test_too_many_downloads_at_once_are_refused_and_hold_no_thread(
    client: TestClient, desk: ExportDesk, context: Node
) -> None:
    paths = (export_path(context.id, "mix", "wav"), f"/export/session/{context.session_id}.zip")
    for _ in range(MAX_AT_ONCE + MAX_WAITING):
        desk._places.acquire()
    for path in paths:
        refused = client.get(path, headers={KEY_HEADER: OWNER})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        assert "Try again in about 10 s" in refused.text

    desk._places.release()

    for path in paths:
        assert client.get(path, headers={KEY_HEADER: OWNER}).status_code == 200


def test_downloads_that_fail_give_their_places_back(client: TestClient, context: Node) -> None:
    for _ in range(MAX_AT_ONCE + MAX_WAITING):
        assert client.get(export_path("nowhere", "mix", "wav"), headers={KEY_HEADER: OWNER}).status_code == 404

    assert client.get(export_path(context.id, "mix", "wav"), headers={KEY_HEADER: OWNER}).status_code == 200


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk of the studio's server is full"), (errno.EIO, "disk .* does not do its work")],
)
def test_a_disk_that_can_not_take_the_download_is_said_in_words(
    client: TestClient, context: Node, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr("app.exporting.desk._write_mix", fail)
    monkeypatch.setattr("sessions.archive._add_file", fail)

    for path in (export_path(context.id, "mix", "wav"), f"/export/session/{context.session_id}.zip"):
        refused = client.get(path, headers={KEY_HEADER: OWNER})
        assert refused.status_code == 422
        assert re.search(words, refused.text)
