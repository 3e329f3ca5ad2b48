"""A start on a machine that has much else to do."""

from pathlib import Path

import httpx
import pytest

from tests.torture.server import free_port, run_server

pytestmark = pytest.mark.filterwarnings("default")  # the server's threads are Gradio's


def test_a_machine_too_busy_to_answer_itself_at_once_serves_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradio.networking.url_ok", lambda _: False)  # as it says when three seconds have passed

    with run_server(tmp_path, free_port()) as running:
        assert httpx.get(running.url, timeout=300).status_code == 200
