"""One sound in each of the eight formats that people bring."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 44_100

# name: what writes it, soundfile's (container, subtype) or ffmpeg's (muxer, codec)
BY_SOUNDFILE = {
    "wav": ("WAV", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
}
BY_FFMPEG = {"m4a": ("mp4", "aac"), "webm": ("webm", "libopus")}
HAS_FFMPEG = shutil.which("ffmpeg") is not None


def chord(num_frames: int = RATE_HZ // 2, num_channels: int = 2, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Return float64 [L, C]."""
    seconds = np.arange(num_frames) / rate_hz
    tones = [0.3 * np.sin(2 * np.pi * 220 * (channel % 8 + 1) * seconds) for channel in range(num_channels)]
    return np.stack(tones, 1)


def write_all(folder: Path) -> Mapping[str, bytes]:
    """Return the bytes of half a second of sound by format; formats of ffmpeg are left out where there is none."""
    files: dict[str, bytes] = {}
    for name, (container, subtype) in BY_SOUNDFILE.items():
        rate_hz = 48_000 if subtype == "OPUS" else RATE_HZ
        path = folder / f"whole.{name}"
        soundfile.write(path, chord(rate_hz // 2, rate_hz=rate_hz), rate_hz, format=container, subtype=subtype)
        files[name] = path.read_bytes()
    for name, (muxer, codec) in BY_FFMPEG.items() if HAS_FFMPEG else ():
        path = folder / f"whole.{name}"
        command = ["ffmpeg", "-v", "error", "-i", folder / "whole.wav", "-c:a", codec, "-f", muxer, path]
        subprocess.run(command, check=True)
        files[name] = path.read_bytes()
    return files
