"""Reading audio that somebody else made.

Decoders have holes that crash or hang them, and a few kilobytes can unpack to gigabytes. So each file is decoded in a
process of its own (`decoding_child.py`) with limits on memory, processor time, wall time and output; when it dies, the
caller gets an error and goes on.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stemgen_core.errors import AudioFormatError, DecoderBusyError, MissingDependencyError
from stemgen_core.types import Waveform

_CHILD_SCRIPT = Path(__file__).with_name("decoding_child.py")
_NO_FFMPEG_STATUS = "ffmpeg-missing"  # as the child says it
_MAX_RESULT_BYTES = 65_536

# Each decoder may take `memory_bytes` and a core: so many at once, however many files come in.
MAX_DECODERS = 2
_free_decoders = threading.BoundedSemaphore(MAX_DECODERS)


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """What a file and its decoder may take.

    Attributes:
        max_duration_s: longest audio.
        min_duration_s: shortest audio.
        max_file_bytes: largest file.
        max_samples: audio samples times channels; 10 minutes of 48 kHz stereo fit.
        max_channels: 1 or 2.
        min_rate_hz: lowest sample rate.
        max_rate_hz: highest sample rate.
        max_level: samples beyond +- this are clamped.
        silence_level: audio that never exceeds this is silent.
        memory_bytes: address space of the decoder.
        cpu_s: processor time of the decoder.
        wall_s: time after which the decoder is killed.
        patience_s: how long to wait for other files' decoders to end before giving up.
    """

    max_duration_s: float = 600.0
    min_duration_s: float = 0.25
    max_file_bytes: int = 250_000_000
    max_samples: int = 60_000_000
    max_channels: int = 2
    min_rate_hz: int = 8_000
    max_rate_hz: int = 192_000
    max_level: float = 8.0
    silence_level: float = 1e-4
    memory_bytes: int = 2**30
    cpu_s: int = 20
    wall_s: float = 30.0
    patience_s: float = 20.0


def read_audio(path: Path, *, limits: DecodingLimits | None = None) -> Waveform:
    """Decode an untrusted audio file: WAV, AIFF, FLAC, MP3, Ogg; with ffmpeg also M4A, AAC and WebM.

    What the file is called does not matter, only what is in it.

    Args:
        path: the file.
        limits: what it may take; None for the usual limits.

    Returns:
        float32 [C, L] at the file's own sample rate, C is 1 or 2, every sample finite and within +-`max_level`.

    Raises:
        AudioFormatError: if the file is unreadable, no audio, empty, silent, too short, too long, has too many
            channels, an impossible sample rate or samples that are no numbers, or if its decoder crashed or hung. The
            message says which, and what to do.
        MissingDependencyError: if the file needs ffmpeg, which is not installed.
        DecoderBusyError: if other files kept the decoders busy for `patience_s`.
    """
    limits = limits or DecodingLimits()
    path = Path(path)
    try:
        _check_file(path, limits)
        with _decoder_of_its_own(limits), tempfile.TemporaryDirectory(prefix="stemgen-decode-") as folder:
            # A fixed name without a suffix: neither the decoders nor ffmpeg's protocols get to interpret the user's.
            (Path(folder) / "input").symlink_to(path.resolve())
            result = _run_child(Path(folder), limits)
            samples = _load_samples(Path(folder), result, limits)
    except AudioFormatError as error:
        raise AudioFormatError(f"{path.name} can't be used: {error}") from error
    return Waveform(torch.from_numpy(samples), int(result["sample_rate_hz"]))


@contextlib.contextmanager
def _decoder_of_its_own(limits: DecodingLimits) -> Iterator[None]:
    if not _free_decoders.acquire(timeout=limits.patience_s):
        raise DecoderBusyError("Other files are being read at the moment. Try again in about half a minute.")
    try:
        yield
    finally:
        _free_decoders.release()


def _check_file(path: Path, limits: DecodingLimits) -> None:
    if not path.is_file():
        raise AudioFormatError("there is no such file.")
    num_bytes = path.stat().st_size
    if num_bytes == 0:
        raise AudioFormatError("the file is empty. Export or upload it again.")
    if num_bytes > limits.max_file_bytes:
        raise AudioFormatError(
            f"it has {num_bytes / 1e6:.0f} MB, and at most {limits.max_file_bytes / 1e6:.0f} MB are allowed. "
            "Shorten it or save it as FLAC or MP3."
        )


def _run_child(folder: Path, limits: DecodingLimits) -> dict[str, Any]:
    # -I: nothing from the working folder or the environment is imported. One thread per library keeps the address
    # space small. The new session makes a group that can be killed whole, ffmpeg included.
    command = [sys.executable, "-I", str(_CHILD_SCRIPT), str(folder), json.dumps(asdict(limits))]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "TMPDIR": str(folder),
    }
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
    try:
        child.wait(limits.wall_s)
    except subprocess.TimeoutExpired as error:
        raise AudioFormatError(
            f"decoding it took more than {limits.wall_s:g} seconds. The file may be damaged; export it again."
        ) from error
    finally:
        _kill_group(child)
    return _read_result(folder, child.returncode)


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it has started; also after its own end, for a grandchild may live on."""
    with contextlib.suppress(ProcessLookupError):  # The whole group has ended by itself.
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _read_result(folder: Path, exit_status: int) -> dict[str, Any]:
    report = folder / "result.json"
    if not report.is_file() or report.stat().st_size > _MAX_RESULT_BYTES:
        how = f"signal {-exit_status}" if exit_status < 0 else f"status {exit_status}"
        raise AudioFormatError(f"its decoder broke down ({how}). The file is probably damaged; export it again.")
    result = json.loads(report.read_text())
    if result.get("error") == _NO_FFMPEG_STATUS:
        raise MissingDependencyError(
            "This kind of file (M4A, AAC, WebM) needs ffmpeg, which is not installed here. "
            "Install it (Debian, Ubuntu: apt-get install ffmpeg), or use WAV, FLAC, MP3 or Ogg."
        )
    if "error" in result:
        raise AudioFormatError(str(result["error"]))
    return result


def _load_samples(folder: Path, result: dict[str, Any], limits: DecodingLimits) -> np.ndarray:
    """Return float32 [C, L]; the child has met a hostile file, so its word is not taken for what fits in memory."""
    raw = folder / "samples.f32"
    num_channels = int(result["num_channels"])
    if not 1 <= num_channels <= limits.max_channels or raw.stat().st_size > limits.max_samples * 4:
        raise AudioFormatError("its decoder broke down. The file is probably damaged; export it again.")
    interleaved = np.fromfile(raw, dtype=np.float32).reshape(-1, num_channels)
    return np.ascontiguousarray(interleaved.T)  # [L, C] -> [C, L]
