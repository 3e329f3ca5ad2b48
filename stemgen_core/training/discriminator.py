"""A multi-scale STFT discriminator: tells decoded sound from real sound by spectra of several resolutions."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

_KERNEL = (3, 9)  # frames, bins
_DILATIONS = (1, 2, 4)  # of frames
_SLOPE = 0.2


class StftDiscriminator(nn.Module):
    """One judge per window length.

    audiocraft's own needs torchaudio, which has no build for every torch; the output is what audiocraft's losses read.

    Args:
        window_lengths: of the STFTs, in audio samples; each hops by a quarter of itself.
        num_filters: channels of the convolutions.

    Source: High Fidelity Neural Audio Compression (arXiv:2210.13438), sec. 3.4. Differs: half the filters, three
    scales (decision 0083).
    """

    def __init__(self, window_lengths: tuple[int, ...], num_filters: int) -> None:
        super().__init__()
        self.judges = nn.ModuleList(_Judge(length, num_filters) for length in window_lengths)

    def forward(self, samples: torch.Tensor) -> tuple[list[torch.Tensor], list[list[torch.Tensor]]]:
        """Judge float32 [B, C, L]; return per scale the scores [B, 1, frames, bins] and the layers' outputs."""
        judged = [judge(samples) for judge in self.judges]
        return [scores for scores, _ in judged], [layers for _, layers in judged]


class _Judge(nn.Module):
    def __init__(self, window_length: int, num_filters: int) -> None:
        super().__init__()
        self.window_length = window_length
        self.register_buffer("window", torch.hann_window(window_length), persistent=False)
        layers = [_convolution(2, num_filters, _KERNEL)]
        layers += [_convolution(num_filters, num_filters, _KERNEL, (1, 2), dilation) for dilation in _DILATIONS]
        layers.append(_convolution(num_filters, num_filters, (3, 3)))
        self.layers = nn.ModuleList(layers)
        self.last = _convolution(num_filters, 1, (3, 3))

    def forward(self, samples: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        flat = samples.flatten(0, 1)  # [B, C, L] -> [B * C, L]
        spectrum = torch.stft(
            flat,
            self.window_length,
            self.window_length // 4,
            window=self.get_buffer("window"),
            normalized=True,
            return_complex=True,
        )
        hidden = torch.stack([spectrum.real, spectrum.imag], 1).transpose(2, 3)  # [B * C, 2, frames, bins]
        outputs = []
        for layer in self.layers:
            hidden = nn.functional.leaky_relu(layer(hidden), _SLOPE)
            outputs.append(hidden)
        return self.last(hidden), outputs


def _convolution(
    num_in: int, num_out: int, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1), dilation: int = 1
) -> nn.Module:
    padding = ((kernel[0] - 1) * dilation // 2, (kernel[1] - 1) // 2)
    return weight_norm(nn.Conv2d(num_in, num_out, kernel, stride, padding, (dilation, 1)))
