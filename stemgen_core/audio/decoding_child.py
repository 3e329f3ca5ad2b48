"""Decodes one untrusted file; run as a script in a process of its own, which may be killed at any moment.

    python -I decoding_child.py FOLDER LIMITS_AS_JSON

Reads `FOLDER/input`, writes `FOLDER/samples.f32` (interleaved float32) and, last, `FOLDER/result.json`: either
`{"sample_rate_hz", "num_channels"}` or `{"error"}`, a sentence for the user.

Imports neither torch nor this package: it starts in a quarter of a second and a hostile file meets little code.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

BLOCK_FRAMES = 65_536
CONTAINERS = {"WAV", "WAVEX", "RF64", "AIFF", "FLAC", "OGG", "MP3"}
SUBTYPES = {
    "PCM_S8",
    "PCM_U8",
    "PCM_16",
    "PCM_24",
    "PCM_32",
    "FLOAT",
    "DOUBLE",
    "VORBIS",
    "OPUS",
    "MPEG_LAYER_III",
}
READABLE = "WAV, FLAC, MP3, Ogg, M4A or WebM"
NO_FFMPEG_STATUS = "ffmpeg-missing"
MAX_OPEN_FILES = 64
WAV_HEADER_BYTES = 128  # ffmpeg writes 88 of them before the first sample

Block = np.ndarray[Any, np.dtype[np.float32]]


class UnusableAudioError(Exception):
    """The file can't be used; the message is for the user."""


class SampleSink:
    """Writes blocks to a file and keeps watch over them."""

    def __init__(self, path: Path, sample_rate_hz: int, num_channels: int, limits: dict[str, float]) -> None:
        if not limits["min_rate_hz"] <= sample_rate_hz <= limits["max_rate_hz"]:
            raise UnusableAudioError(
                f"it has {sample_rate_hz} samples per second; "
                f"{limits['min_rate_hz']:.0f} to {limits['max_rate_hz']:.0f} are possible. Export it at 44100 or 48000."
            )
        if not 1 <= num_channels <= limits["max_channels"]:
            raise UnusableAudioError(f"it has {num_channels} channels. Export it as mono or stereo.")
        self._file = path.open("wb")
        self._limits = limits
        self._rate = sample_rate_hz
        self._num_channels = num_channels
        self._num_frames = 0
        self._peak = 0.0

    def add(self, block: Block) -> None:
        """Write float32 [L, C], or refuse it."""
        self._num_frames += len(block)
        if self._num_frames > self._limits["max_duration_s"] * self._rate:
            raise UnusableAudioError(
                f"it is longer than {self._limits['max_duration_s']:g} seconds. Cut out the part you need."
            )
        if self._num_frames * self._num_channels > self._limits["max_samples"]:
            raise UnusableAudioError("it is too long for its high sample rate. Shorten it or export it at 48000.")
        if not np.isfinite(block).all():
            raise UnusableAudioError("it has samples that are no numbers (NaN or infinite). Export it again.")
        if len(block):
            self._peak = max(self._peak, float(np.abs(block).max()))
        np.clip(block, -self._limits["max_level"], self._limits["max_level"]).tofile(self._file)

    def close(self) -> None:
        """Finish the file, or refuse the whole."""
        self._file.close()
        if self._num_frames == 0:
            raise UnusableAudioError("it has no sound in it: its length is zero.")
        if self._num_frames < self._limits["min_duration_s"] * self._rate:
            raise UnusableAudioError(
                f"it lasts only {self._num_frames / self._rate:.2f} seconds; "
                f"at least {self._limits['min_duration_s']:g} are needed."
            )
        if self._peak < self._limits["silence_level"]:
            raise UnusableAudioError("it is silent from beginning to end. Check that the right source was recorded.")


def decode(folder: Path, limits: dict[str, float]) -> dict[str, Any]:
    """Decode `folder/input`; return what goes into `result.json`."""
    source = folder / "input"
    kind = _find_ffmpeg_format(source)
    if kind is None:
        blocks = _read_with_soundfile(source)
    else:
        blocks = _read_with_ffmpeg(source, *kind, max_duration_s=limits["max_duration_s"])
    sample_rate_hz, num_channels = next(blocks)
    sink = SampleSink(folder / "samples.f32", sample_rate_hz, num_channels, limits)
    for block in blocks:
        sink.add(block)
    sink.close()
    return {"sample_rate_hz": sample_rate_hz, "num_channels": num_channels}


def _find_ffmpeg_format(source: Path) -> tuple[str, tuple[str, ...]] | None:
    """Return the container and the codecs to try when only ffmpeg can read the file; judged by its first bytes."""
    with source.open("rb") as file:
        start = file.read(12)
    if start[4:8] == b"ftyp":
        return "mp4", ("aac", "alac")
    if start[:4] == b"\x1aE\xdf\xa3":
        return "webm", ("opus", "vorbis")
    if len(start) > 1 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0:
        return "aac", ("aac",)
    return None


def _read_with_soundfile(source: Path) -> Iterator[Any]:
    """Yield (sample rate, channels), then float32 blocks [L, C]."""
    try:
        file = soundfile.SoundFile(source)
    except soundfile.LibsndfileError as error:
        raise UnusableAudioError(f"it is no audio file, or a damaged one. Use {READABLE}.") from error
    with file:
        if file.format not in CONTAINERS or file.subtype not in SUBTYPES:
            raise UnusableAudioError(
                f"its encoding ({file.format_info}, {file.subtype_info}) is not supported. Use {READABLE}."
            )
        yield file.samplerate, file.channels
        while True:
            try:
                block = file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise UnusableAudioError("it is damaged or incomplete. Export or download it again.") from error
            if not len(block):
                return
            yield block


def _read_with_ffmpeg(source: Path, container: str, codecs: tuple[str, ...], *, max_duration_s: float) -> Iterator[Any]:
    """Yield (sample rate, channels), then float32 blocks [L, C].

    Container, codec and protocol are forced, and nothing probes the file first: ffmpeg may not guess, so that no
    playlist makes it open other files or addresses and none of its hundreds of other decoders is reached.
    """
    decoded = source.with_name("decoded.wav")
    for codec in codecs:
        # fmt: off
        command = [
            "ffmpeg", "-nostdin", "-v", "error", "-y",
            "-protocol_whitelist", "file", "-threads", "1", "-f", container, "-c:a", codec, "-i", str(source),
            # A second more than allowed, so that audio which is too long is told from audio that just fits.
            "-map", "0:a:0", "-t", str(max_duration_s + 1), "-c:a", "pcm_f32le", "-f", "wav", str(decoded),
        ]
        # fmt: on
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except FileNotFoundError as error:
            raise UnusableAudioError(NO_FFMPEG_STATUS) from error
        if done.returncode == -signal.SIGXFSZ:
            raise UnusableAudioError("it unpacks to more than can be held. Shorten it or export it at 48000.")
        if done.returncode == 0 and decoded.is_file() and decoded.stat().st_size > WAV_HEADER_BYTES:
            yield from _read_with_soundfile(decoded)
            return
    raise UnusableAudioError(f"it holds no audio that can be decoded, or is damaged. Use {READABLE}.")


def _limit_self(limits: dict[str, float]) -> None:
    """Give up, for good and for every program started from here, what decoding doesn't need."""
    for kind, limit in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_s"]),
        (resource.RLIMIT_FSIZE, limits["max_samples"] * 4 + BLOCK_FRAMES * 64),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, ceiling = resource.getrlimit(kind)
        allowed = int(limit) if ceiling == resource.RLIM_INFINITY else min(int(limit), ceiling)
        resource.setrlimit(kind, (allowed, allowed))


def main() -> None:
    """Decode and say how it went. Any other end than a written `result.json` is a crash."""
    folder, limits = Path(sys.argv[1]), json.loads(sys.argv[2])
    _limit_self(limits)
    try:
        result = decode(folder, limits)
    except UnusableAudioError as error:
        result = {"error": str(error)}
    except MemoryError:
        result = {"error": "decoding it takes too much memory. Shorten it or export it as stereo at 48000."}
    except OSError as error:  # the server's disk, not the file
        result = {"error": f"the server could not store its samples ({error.strerror}). Try again later."}
    partial = folder / "result.part"
    partial.write_text(json.dumps(result))
    os.replace(partial, folder / "result.json")


if __name__ == "__main__":
    main()
