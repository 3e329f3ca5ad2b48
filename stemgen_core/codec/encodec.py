"""Audio tokens: audiocraft's EnCodec behind our codec interface, kept as safetensors + JSON."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from stemgen_core.codec.audiocraft_parts import load_audiocraft_parts
from stemgen_core.codec.codec_files import read_config, read_weights, write_codec
from stemgen_core.codec.codec_inputs import check_codes, check_waveform
from stemgen_core.errors import CheckpointError
from stemgen_core.types import CodecSpec

KIND = "encodec"


@dataclass(frozen=True, slots=True)
class EncodecConfig:
    """Sizes of an EnCodec (SEANet encoder and decoder around a residual vector quantizer).

    Attributes:
        sample_rate_hz: audio samples per second.
        ratios: strides of the decoder from the latent outward; their product is the hop length.
        num_filters: channels next to the audio; doubled at each stride.
        latent_dim: channels of the quantized latent.
        num_residual_layers: residual blocks per stride.
        num_lstm_layers: recurrent layers next to the latent, 0 for none.
        num_codebooks: K, coarse to fine.
        codebook_size: V, entries per codebook.
        ema_decay: how slowly the codebooks follow the encoder in training, 0..1.
        num_channels: C, 1 or 2; one code stands for a frame of all channels together (decision 0087).
    """

    sample_rate_hz: int = 32_000
    ratios: tuple[int, ...] = (8, 5, 4, 4)
    num_filters: int = 64
    latent_dim: int = 128
    num_residual_layers: int = 1
    num_lstm_layers: int = 2
    num_codebooks: int = 4
    codebook_size: int = 2048
    ema_decay: float = 0.99
    num_channels: int = 1

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: if a size is not positive or the sample rate is no multiple of the hop length.
        """
        sizes = (self.sample_rate_hz, *self.ratios, self.num_filters, self.latent_dim, self.num_codebooks)
        if not self.ratios or min(sizes) < 1 or self.codebook_size < 2:
            raise ValueError(f"sizes must be positive, got {self}")
        if min(self.num_residual_layers, self.num_lstm_layers) < 0 or not 0 <= self.ema_decay < 1:
            raise ValueError(f"layer counts must be >= 0 and ema_decay in [0, 1), got {self}")
        if self.num_channels not in (1, 2):
            raise ValueError(f"num_channels must be 1 or 2, got {self.num_channels}")
        if self.sample_rate_hz % self.hop_length:
            raise ValueError(f"{self.sample_rate_hz} Hz is no multiple of the hop length {self.hop_length}")

    @property
    def hop_length(self) -> int:
        """Audio samples per frame."""
        return math.prod(self.ratios)

    @property
    def spec(self) -> CodecSpec:
        """What a language model must know of this codec."""
        return CodecSpec(KIND, self.sample_rate_hz, self.hop_length, self.num_codebooks, self.codebook_size)


ENCODEC_PRESETS: dict[str, EncodecConfig] = {
    # The paper's layout, the sizes of the published facebook/encodec_32khz.
    "encodec_32khz": EncodecConfig(),
    # The same tokens from a quarter of the width: what one short GPU leg or a long CPU leg can train.
    "small": EncodecConfig(num_filters=16, num_lstm_layers=1),
    # Both sides together, 50 frames a second as in the others; twice the levels, for twice the sound and more.
    "stereo_48khz": EncodecConfig(sample_rate_hz=48_000, ratios=(8, 5, 4, 6), num_codebooks=8, num_channels=2),
    # For tests: the same hop, next to no weights.
    "tiny": EncodecConfig(num_filters=2, latent_dim=8, num_lstm_layers=0, num_codebooks=2, codebook_size=16),
    "tiny_stereo": EncodecConfig(
        sample_rate_hz=48_000,
        ratios=(8, 5, 4, 6),
        num_filters=2,
        latent_dim=8,
        num_lstm_layers=0,
        num_codebooks=2,
        codebook_size=16,
        num_channels=2,
    ),
}


class EncodecCodec:
    """A codec between audio and codes.

    Attributes:
        config: sizes.
        spec: the token layout.
        model: audiocraft's `EncodecModel`, in evaluation mode; training changes its weights in place.
    """

    def __init__(self, config: EncodecConfig) -> None:
        """Build the codec with random weights from torch's global random state."""
        self.config = config
        self.spec = config.spec
        self.model = _build_model(config).eval()

    @property
    def codebooks(self) -> torch.Tensor:
        """Entries of the quantizer, float32 [K, V, latent_dim]."""
        levels = self.model.get_submodule("quantizer.vq.layers").children()
        return torch.stack([level.get_buffer("_codebook.embed") for level in levels])

    @property
    def num_channels(self) -> int:
        """C of the audio."""
        return self.config.num_channels

    @torch.no_grad()  # not inference_mode: its tensors could not be trained on
    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        """Turn audio into codes.

        Args:
            waveform: float32 [B, C, L] at `spec.sample_rate_hz`, full scale is +-1.

        Returns:
            int64 [B, K, T], T = ceil(L / hop_length), values in [0, V).

        Raises:
            ValueError: if the audio has other channels or is empty.
        """
        check_waveform(waveform, self.num_channels)
        codes, _scale = self.model.encode(waveform)  # pyright: ignore[reportCallIssue]
        return codes

    @torch.no_grad()  # not inference_mode: its tensors could not be trained on
    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Turn codes into audio.

        Args:
            codes: int64 [B, K, T], values in [0, V).

        Returns:
            float32 [B, C, T * hop_length] at `spec.sample_rate_hz`.

        Raises:
            ValueError: if the codes are not of this codec's layout or hold the mask token.
        """
        check_codes(codes, self.spec)
        return self.model.decode(codes)  # pyright: ignore[reportCallIssue]

    def to(self, device: torch.device | str) -> "EncodecCodec":
        """Move the weights to `device` and return this codec."""
        self.model.to(device)
        return self

    def save(self, folder: Path) -> None:
        """Write the codec into `folder`, which is made if need be."""
        write_codec(folder, KIND, self.config, self.model.state_dict())

    @classmethod
    def load(cls, folder: Path) -> "EncodecCodec":
        """Read a codec that `save` wrote.

        Raises:
            CheckpointError: if files are missing, damaged or don't fit each other.
        """
        return cls.from_weights(read_config(folder, KIND, EncodecConfig), read_weights(folder))

    @classmethod
    def from_weights(cls, config: EncodecConfig, weights: Mapping[str, torch.Tensor]) -> "EncodecCodec":
        """Build a codec from named tensors as audiocraft names them.

        Raises:
            CheckpointError: if names or shapes are not those of `config`.
        """
        codec = cls(config)
        try:
            codec.model.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(f"The codec's weights do not fit its configuration: {error}") from error
        return codec


def _build_model(config: EncodecConfig) -> nn.Module:
    parts = load_audiocraft_parts()
    seanet = {
        "channels": config.num_channels,
        "dimension": config.latent_dim,
        "n_filters": config.num_filters,
        "n_residual_layers": config.num_residual_layers,
        "ratios": list(config.ratios),
        "lstm": config.num_lstm_layers,
        "norm": "weight_norm",
    }
    with warnings.catch_warnings():
        # audiocraft uses torch's older weight_norm, whose tensor names the published checkpoints have.
        warnings.filterwarnings("ignore", message=r".*weight_norm. is deprecated", category=FutureWarning)
        encoder, decoder = parts.SEANetEncoder(**seanet), parts.SEANetDecoder(**seanet)
    quantizer = parts.ResidualVectorQuantizer(
        dimension=config.latent_dim,
        n_q=config.num_codebooks,
        bins=config.codebook_size,
        decay=config.ema_decay,
        # Both are done by stemgen_core.training.codebook: audiocraft's first needs gigabytes at 2048 entries, and
        # its second has no effect (docs/decisions/0001-audiocraft-without-its-dependencies.md).
        kmeans_init=False,
        threshold_ema_dead_code=0,
    )
    return parts.EncodecModel(
        encoder,
        decoder,
        quantizer,
        frame_rate=config.sample_rate_hz // config.hop_length,
        sample_rate=config.sample_rate_hz,
        channels=config.num_channels,
    )
