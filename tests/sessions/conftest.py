from collections.abc import Iterator
from pathlib import Path

import pytest

from sessions.home import DataHome
from sessions.store import SessionStore, open_home
from tests.sessions.scene import Scene


@pytest.fixture(params=["sqlite", "postgres"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> DataHome:
    """Return an empty home of either kind: what holds of the store holds of it on both."""
    if request.param == "sqlite":
        return DataHome(tmp_path / "data")
    return DataHome(tmp_path / "data", database_url=request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(home: DataHome) -> Iterator[SessionStore]:
    with open_home(home) as store:
        yield store


@pytest.fixture
def scene(store: SessionStore) -> Scene:
    return Scene(store)
