"""A studio with fakes: a real store and worker, no model and no page."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from app.examples import Example
from app.model_shelf import Generator, ModelShelf
from app.services import Studio
from app.sounds import SoundShelf
from app.worker import GenerationWorker
from sessions.home import DataHome
from sessions.store import open_home
from sessions.tree import Node
from tests.app.fakes import PLAIN_FILES, write_clip
from tests.app.waiting import OWNER
from tests.generators import EchoGenerator

OpenStudio = Callable[..., AbstractContextManager[Studio]]


@pytest.fixture
def open_studio(tmp_path: Path) -> OpenStudio:
    """Return what opens a studio on one data folder; opening it twice in a row is a restart of the server."""
    example = Example("loop", "Loop", "120 BPM", write_clip(tmp_path / "loop.wav"))

    @contextmanager
    def _open(generator: Generator | None = None, home: DataHome | None = None) -> Iterator[Studio]:
        model = generator or EchoGenerator()
        with open_home(home or DataHome(tmp_path / "data")) as store:
            sounds = SoundShelf(store.blobs, PLAIN_FILES)
            models = ModelShelf(lambda: model)
            models.wait(5)
            worker = GenerationWorker(store, sounds.keep)
            try:
                yield Studio(store, sounds, models, worker, {"loop": example}, max_context_s=30)
            finally:
                worker.close()

    return _open


@pytest.fixture
def studio(open_studio: OpenStudio) -> Iterator[Studio]:
    with open_studio() as opened:
        yield opened


@pytest.fixture
def context(studio: Studio) -> Node:
    return studio.start_from_example(OWNER, "loop")
