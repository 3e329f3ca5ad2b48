"""What a waveform codec takes."""

import torch

from stemgen_core.types import CodecSpec


def check_waveform(waveform: torch.Tensor, num_channels: int = 1) -> None:
    """Refuse what is no audio of so many channels.

    Raises:
        ValueError: if the tensor is not [B, C, L] with L > 0.
    """
    if waveform.ndim != 3 or waveform.shape[1] != num_channels or waveform.shape[2] == 0:
        raise ValueError(f"waveform must be [B, {num_channels}, L] with L > 0, got {tuple(waveform.shape)}")


def check_codes(codes: torch.Tensor, spec: CodecSpec) -> None:
    """Refuse codes of another layout.

    Raises:
        ValueError: if the tensor is not [B, K, T] with T > 0, or a value is outside [0, V), as the mask token is.
    """
    if codes.ndim != 3 or codes.shape[1] != spec.num_codebooks or codes.shape[2] == 0:
        raise ValueError(f"codes must be [B, {spec.num_codebooks}, T] with T > 0, got {tuple(codes.shape)}")
    lowest, highest = int(codes.min()), int(codes.max())
    if lowest < 0 or highest >= spec.codebook_size:
        raise ValueError(f"codes must be in [0, {spec.codebook_size}), got {lowest}..{highest}")
