"""How much memory decoders take, seen while they run.

What the kernel counts of a child that has ended includes what its parent held when it began (`ru_maxrss` goes through
`exec`): of a decoder that a long test run starts, that is the test run's own memory.
"""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

SECONDS_BETWEEN_LOOKS = 0.002


class DecoderMemory:
    """Stands in for the module `subprocess` where decoders are started, and looks at each until it has ended.

    Attributes:
        largest_bytes: that a decoder, or what it had started, has held so far; seen up to two milliseconds before its
            end.
    """

    def __init__(self) -> None:
        self.largest_bytes = 0
        self._lock = threading.Lock()
        memory = self

        class WatchedChild(subprocess.Popen[bytes]):
            def wait(self, timeout: float | None = None) -> int:
                began_s = time.monotonic()
                while self.poll() is None:
                    memory.look_at(self.pid)
                    if timeout is not None and time.monotonic() - began_s > timeout:
                        raise subprocess.TimeoutExpired(self.args, timeout)
                    time.sleep(SECONDS_BETWEEN_LOOKS)
                return self.returncode

        self.as_subprocess = SimpleNamespace(
            Popen=WatchedChild, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired
        )

    def look_at(self, pid: int) -> None:
        """Note what a process and all that it has started have held at most until now, each by itself."""
        held = [_held_bytes(each) for each in _with_descendants(pid)]
        with self._lock:
            self.largest_bytes = max(self.largest_bytes, *held)


def _with_descendants(pid: int) -> Iterator[int]:
    yield pid
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from _with_descendants(int(child))


def _held_bytes(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0  # nor has one that has ended and waits to be asked how
