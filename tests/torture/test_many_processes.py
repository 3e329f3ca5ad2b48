"""Processes that read and then write the same row lose no update and are never told that it is locked."""

import time
from collections.abc import Callable

import pytest

from sessions.home import DataHome
from tests.sessions.conftest import home as home
from tests.sessions.test_database import count_in_processes


@pytest.mark.torture
def test_eight_processes_of_five_hundred_updates_lose_none(home: DataHome, tell: Callable[[str], None]) -> None:
    began_s = time.monotonic()

    value, errors = count_in_processes(home, 8, 500)

    tell(f"{value} of 4000 updates, {sum(map(bool, errors))} processes with errors, {time.monotonic() - began_s:.0f} s")
    assert errors == [""] * 8
    assert value == 4_000
