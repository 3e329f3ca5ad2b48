"""Settings for the whole suite; imports neither torch nor gradio, so that parts of it start at once."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

# Before torch is imported anywhere: two threads that wait for each other make tiny models slower, not faster.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test reaches out but those marked `network`.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator["PostgresServer"]:
    """Yield a Postgres server of the tests' own."""
    from tests.postgres_server import find_programs, running_server

    programs = find_programs()
    if programs is None:
        pytest.skip("Postgres is not installed: `make system-tools` does it where it may")
    with running_server(programs) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: "PostgresServer") -> Iterator[str]:
    """Yield the address of a database of the newest shape and without sessions."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres_server: "PostgresServer") -> Iterator[str]:
    """Yield the address of a database without tables."""
    with postgres_server.database(is_empty=True) as url:
        yield url
