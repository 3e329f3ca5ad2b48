"""A server in a process of its own, watched from outside."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.torture.server import free_port


@dataclass(frozen=True, slots=True)
class Usage:
    """What a server takes at one moment."""

    resident_bytes: int
    num_descriptors: int
    wal_bytes: int
    num_temporary: int


@dataclass(frozen=True, slots=True)
class LoneServer:
    """A running server process."""

    url: str
    folder: Path
    process: subprocess.Popen[str]

    def usage(self) -> Usage:
        """Measure memory, descriptors, write-ahead log and temporary files."""
        proc = Path(f"/proc/{self.process.pid}")
        pages = int((proc / "statm").read_text().split()[1])
        wals = [path.stat().st_size for path in (self.folder / "data").glob("*-wal")]
        temporary = [path for path in (self.folder / "tmp").rglob("*") if path.is_file()]
        return Usage(
            resident_bytes=pages * os.sysconf("SC_PAGE_SIZE"),
            num_descriptors=len(list((proc / "fd").iterdir())),
            wal_bytes=max(wals, default=0),
            num_temporary=len(temporary),
        )


@contextmanager
def lone_server(folder: Path, *, seconds_per_step: float) -> Iterator[LoneServer]:
    """Serve until the end of the block, with a fake generator."""
    (folder / "tmp").mkdir()
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.torture.server", str(folder), str(port), str(seconds_per_step)],
        env=os.environ | {"TMPDIR": str(folder / "tmp"), "GRADIO_ANALYTICS_ENABLED": "False"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdout is None:
            raise ValueError("the process has no output")
        lines = iter(process.stdout.readline, "")
        url = next((line.strip() for line in lines if line.startswith("http://")), None)
        if url is None:
            raise ValueError("the server ended before it began")
        yield LoneServer(url, folder, process)
    finally:
        process.terminate()
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()
