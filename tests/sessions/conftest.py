from collections.abc import Iterator
from pathlib import Path

import pytest

from sessions.store import SessionStore, open_store
from tests.sessions.scene import Scene


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    with open_store(tmp_path / "data") as store:
        yield store


@pytest.fixture
def scene(store: SessionStore) -> Scene:
    return Scene(store)
