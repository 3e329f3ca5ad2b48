"""A server killed with -9 whose rows are in Postgres: nothing acknowledged is lost there either."""

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from sessions.home import DataHome
from tests.app.fakes import write_clip
from tests.postgres_server import PostgresServer
from tests.torture.victim import assert_nothing_lost, generate_and_edit, kill_after


def _kill_at_random(tmp_path: Path, postgres_server: PostgresServer, num_times: int) -> tuple[int, int]:
    clip = write_clip(tmp_path / "loop.wav", seconds=1.0, sample_rate_hz=8_000)
    rng = random.Random(21)
    found = (0, 0)
    with postgres_server.database() as url:
        home = DataHome(tmp_path / "data", database_url=url)
        for number in range(num_times):
            work = partial(generate_and_edit, home, tmp_path / "acks", clip, number)
            kill_after(work, tmp_path / "acks", rng.randrange(1, 60), rng.uniform(0, 0.05))
            found = assert_nothing_lost(home, tmp_path / "acks")
    return found


def test_kill_while_generating_and_editing_loses_nothing_acknowledged_on_postgres(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    _kill_at_random(tmp_path, postgres_server, 2)


@pytest.mark.torture
def test_fifty_kills_while_generating_and_editing_lose_nothing_acknowledged_on_postgres(
    tmp_path: Path, postgres_server: PostgresServer, tell: Callable[[str], None]
) -> None:
    began_s = time.monotonic()

    num_stems, num_acks = _kill_at_random(tmp_path, postgres_server, 50)

    tell(f"50 kills, {num_stems} stems and {num_acks} other words acknowledged, {time.monotonic() - began_s:.0f} s")
    assert num_stems > 50
