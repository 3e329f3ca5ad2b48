"""The decoder's child, forked from a process that has imported it already: ten times as many files in the same time.

    python warm_decoder.py CHILD_SCRIPT      one JSON line [folder, limits] in, one [exit status, bytes of memory] out

Each file still meets the child's own code in a process of its own with the child's own limits; only Python's start and
its imports, which no file can influence, are shared. `tests/torture/test_decoder.py` puts this in the place of
`reading._run_child`, and runs a smaller number of files through the unchanged door.
"""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from stemgen_core.audio import DecodingLimits, reading
from stemgen_core.errors import AudioFormatError


class WarmDecoder:
    """One such process; used by one thread at a time."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.torture.warm_decoder", str(reading._CHILD_SCRIPT)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.largest_bytes = 0

    def run(self, folder: Path, limits: DecodingLimits) -> dict[str, Any]:
        """Do what `reading._run_child` does."""
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("the process has no pipes")
        self._process.stdin.write(json.dumps([str(folder), asdict(limits)]) + "\n")
        self._process.stdin.flush()
        status, num_bytes = json.loads(self._process.stdout.readline())
        self.largest_bytes = max(self.largest_bytes, num_bytes)
        if status is None:
            raise AudioFormatError(f"decoding it took more than {limits.wall_s:g} seconds.")
        return reading._read_result(folder, status)

    def wait_until_warm(self) -> None:
        """Wait until it has imported everything; else the first file's time would be that of the imports."""
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(AudioFormatError):
            (Path(folder) / "input").write_bytes(b"no audio")
            self.run(Path(folder), DecodingLimits(wall_s=300))

    def close(self) -> None:
        """End the process; it has nothing to finish, and on a busy machine an orderly end takes as long as it likes."""
        self._process.kill()
        self._process.communicate()


def _load_child(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("decoding_child", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} can't be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _decode_in_fork(child: ModuleType, folder: str, limits: dict[str, float]) -> tuple[int | None, int]:
    pid = os.fork()
    if pid == 0:
        os.setsid()
        sys.argv = ["decoding_child.py", folder, json.dumps(limits)]
        os.environ["TMPDIR"] = folder
        try:
            child.main()
        except BaseException:
            os._exit(1)
        os._exit(0)
    deadline = time.monotonic() + limits["wall_s"]
    has_hung = False
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        if not has_hung and time.monotonic() > deadline:
            has_hung = True
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return None if has_hung else os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024


def main() -> None:
    child = _load_child(sys.argv[1])
    for line in sys.stdin:
        folder, limits = json.loads(line)
        sys.stdout.write(json.dumps(_decode_in_fork(child, folder, limits)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
