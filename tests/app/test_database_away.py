"""A database that goes away and comes back while stems are made."""

from pathlib import Path

import pytest

from app.orders import StemOrder
from sessions.errors import DatabaseError
from sessions.home import DataHome
from tests.app.conftest import OpenStudio
from tests.app.fakes import GatedGenerator
from tests.app.waiting import OWNER, finished, wait_for
from tests.postgres_server import PostgresServer


def test_postgres_that_goes_away_while_a_stem_is_made_ends_in_a_word_and_the_next_stem_works(
    open_studio: OpenStudio,
    tmp_path: Path,
    postgres_url: str,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("app.worker._SAY_AGAIN_S", 0.2)
    generator = GatedGenerator()
    with open_studio(generator, DataHome(tmp_path / "data", postgres_url)) as studio:
        node = studio.start_from_example(OWNER, "loop")
        turn = studio.request_stem(OWNER, node.id, StemOrder("bass", 2, "fast", 7))
        assert generator.entered.acquire(timeout=60)
        generator.gate.release()
        assert generator.entered.acquire(timeout=60)  # the first is kept, the second is at work

        postgres_server.stop()
        with pytest.raises(DatabaseError, match="could not be read"):
            studio.snapshot(OWNER, node.session_id)
        generator.gate.release()
        wait_for(lambda: "could not be marked failed" in caplog.text)
        postgres_server.start()
        broken = finished(studio, turn.id)

        assert (broken.state, [one.state for one in broken.variations]) == ("failed", ["done", "failed"])
        assert broken.error
        again = studio.retry_turn(OWNER, turn.id)
        generator.gate.release()
        assert [one.state for one in finished(studio, again.id).variations] == ["done"]
