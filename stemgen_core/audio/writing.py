"""Writing audio files."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import soundfile
import torch

from stemgen_core.types import Waveform

BitDepth = Literal[16, 24]
Tag = Literal["title", "artist", "comment", "software", "date", "genre"]


def write_wav(
    path: Path, waveform: Waveform, *, bit_depth: BitDepth = 24, tags: Mapping[Tag, str] | None = None
) -> None:
    """Write PCM as WAV. Samples beyond full scale are clipped; nothing is dithered.

    Args:
        path: of the file.
        waveform: what to write.
        bit_depth: of a sample.
        tags: what players show of it.

    Raises:
        ValueError: if a sample is not finite.
        OSError: if the file can't be written.
    """
    _write(path, waveform, "WAV", bit_depth, tags or {})


def write_flac(
    path: Path, waveform: Waveform, *, bit_depth: BitDepth = 24, tags: Mapping[Tag, str] | None = None
) -> None:
    """Write PCM as FLAC: the same samples as `write_wav`, about half the bytes, and the same bytes every time.

    Args:
        path: of the file.
        waveform: what to write.
        bit_depth: of a sample.
        tags: what players show of it.

    Raises:
        ValueError: if a sample is not finite.
        OSError: if the file can't be written.
    """
    _write(path, waveform, "FLAC", bit_depth, tags or {})


def _write(path: Path, waveform: Waveform, container: str, bit_depth: BitDepth, tags: Mapping[Tag, str]) -> None:
    if not torch.isfinite(waveform.samples).all():
        raise ValueError("waveform has samples that are NaN or infinite")
    full_scale = 2 ** (bit_depth - 1)
    # Quantized here, not by libsndfile, whose rounding differs between formats.
    values = (waveform.samples.detach().cpu().double() * full_scale).round().clamp(-full_scale, full_scale - 1)
    # libsndfile takes 24 bits as the upper part of 32.
    shifted = values.to(torch.int32) << (32 - bit_depth)
    # Into memory first: libsndfile swallows the error of a full disk, and a file cut short would pass for whole.
    encoded = io.BytesIO()
    with soundfile.SoundFile(
        encoded,
        "w",
        samplerate=waveform.sample_rate_hz,
        channels=waveform.num_channels,
        format=container,
        subtype=f"PCM_{bit_depth}",
    ) as file:
        for name, text in tags.items():
            setattr(file, name, text)  # libsndfile wants them before the first sample
        file.write(shifted.T.contiguous().numpy())  # [C, L] -> [L, C]
    path.write_bytes(encoded.getbuffer())
