"""What the audio family needs of a codec between sound and codes, and which kinds there are."""

from pathlib import Path
from typing import Protocol

import torch

from stemgen_core.codec import band_codec, encodec
from stemgen_core.codec.codec_files import read_kind
from stemgen_core.errors import CheckpointError
from stemgen_core.types import CodecSpec


class WaveformCodec(Protocol):
    """Turns audio into codes and back."""

    @property
    def spec(self) -> CodecSpec:
        """The token layout."""
        ...

    @property
    def codebooks(self) -> torch.Tensor:
        """Entries in the codec's own space, float [K, V, F], coarse to fine."""
        ...

    @property
    def num_channels(self) -> int:
        """C of the audio."""
        ...

    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        """Turn float32 [B, C, L] at the codec's rate into int64 [B, K, T]."""
        ...

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Turn int64 [B, K, T] into float32 [B, C, T * hop_length]."""
        ...

    def to(self, device: torch.device | str) -> "WaveformCodec":
        """Move the codec to a device and return it."""
        ...

    def save(self, folder: Path) -> None:
        """Write it into a folder, for `load_waveform_codec`."""
        ...


def load_waveform_codec(folder: Path) -> WaveformCodec:
    """Open a codec that was saved.

    Raises:
        CheckpointError: if the files are missing, damaged or of a kind that this version has not.
    """
    kinds = {encodec.KIND: encodec.EncodecCodec, band_codec.KIND: band_codec.BandCodec}
    kind = read_kind(folder)
    if kind not in kinds:
        raise CheckpointError(f"This version has no codec of the kind {kind!r}; it has: {', '.join(kinds)}.")
    return kinds[kind].load(folder)
