"""Processes that read and then write the same row lose no update and are never told that it is locked."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from sessions.database import open_engine
from tests.sessions.test_database import COUNTER


@pytest.mark.torture
def test_eight_processes_of_five_hundred_updates_lose_none(tmp_path: Path, tell: Callable[[str], None]) -> None:
    path = tmp_path / "counter.sqlite"
    engine = open_engine(path)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    began_s = time.monotonic()

    command = [sys.executable, "-c", COUNTER, str(path), "500"]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    errors = [process.communicate(timeout=1800)[1] for process in processes]

    with engine.begin() as connection:
        value = connection.execute(text("SELECT value FROM counter")).scalar_one()
    engine.dispose()
    tell(f"{value} of 4000 updates, {sum(map(bool, errors))} processes with errors, {time.monotonic() - began_s:.0f} s")
    assert errors == [""] * 8
    assert value == 4_000
