"""A studio with a fake generator, for proofs that need a server; `python -m tests.torture.server` runs one alone."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.examples import Example
from app.main import build_studio, serve
from app.services import Studio
from app.settings import Settings
from sessions.store import open_store
from tests.app.fakes import NoiseBurstGenerator, write_clip


@dataclass(frozen=True, slots=True)
class Server:
    """A running studio, its folder of data, and the page that it serves."""

    url: str
    studio: Studio
    generator: NoiseBurstGenerator
    data_path: Path
    page: Any


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_server(folder: Path, port: int, *, seconds_per_step: float = 0.0, max_upload_mb: int = 50) -> Iterator[Server]:
    """Serve until the end of the block."""
    settings = Settings(port=port, data_path=folder / "data", max_upload_mb=max_upload_mb)
    # Remembers no more than a model does: what a soak measures is the studio's.
    generator = NoiseBurstGenerator(seconds_per_step=seconds_per_step, num_steps=2, num_remembered=1)
    clip = write_clip(folder / "loop.wav", seconds=1.0, sample_rate_hz=8_000)
    with open_store(settings.data_path) as store:
        studio = build_studio(settings, store, load_generators=[lambda: generator])
        studio = replace(studio, examples={"loop": Example("loop", "Noise loop", "120 BPM", clip)})
        page = serve(settings, studio, prevent_thread_lock=True, quiet=True)
        try:
            yield Server(f"http://127.0.0.1:{port}", studio, generator, settings.data_path, page)
        finally:
            page.close()
            studio.worker.close()


if __name__ == "__main__":
    with run_server(Path(sys.argv[1]), int(sys.argv[2]), seconds_per_step=float(sys.argv[3])) as running:
        sys.stdout.write(f"{running.url}\n")
        sys.stdout.flush()
        while True:
            time.sleep(3600)
