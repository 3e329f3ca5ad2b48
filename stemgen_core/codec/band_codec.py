"""Audio tokens without a learned encoder: levels of bands, quantised in steps, and a small network back to sound.

Where there is no GPU a learned encoder is the wrong investment (docs/decisions/0081-band-codec.md); bands are
fixed, their codebooks take a few minutes to fit, and the decoder half an hour to train. Same interface as the EnCodec.
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from stemgen_core.codec.band_analysis import FLOOR_DB, BandAnalysis
from stemgen_core.codec.band_decoder import BandDecoder
from stemgen_core.codec.codec_files import read_config, read_weights, write_codec
from stemgen_core.codec.codec_inputs import check_codes, check_waveform
from stemgen_core.codec.phase import overlap_window, to_waveform
from stemgen_core.errors import CheckpointError
from stemgen_core.types import CodecSpec

KIND = "bands"
NUM_CANDIDATES = 3  # that quantising keeps per frame; one would be greedy
SPECTRUM_WINDOW = 2048
_SILENCE = -1.0  # a band of silence, scaled
_ROWS_AT_ONCE = 256  # quantised together: their distances to all entries stay in the cache, 2.5 times as fast
_BLOCK = 64
_HALF_RANGE_DB = -FLOOR_DB / 2
# About -88 dB of a full-scale sine. What the decoder predicts stands on it, and it is taken away again, so that silence
# is silent: what a bin alone hides is heard as breath where a thousand bins sound together (decision 0113).
MAGNITUDE_FLOOR = 0.02
_HIGHEST_LOG = 7.0  # keeps a wild prediction finite


@dataclass(frozen=True, slots=True)
class BandCodecConfig:
    """Sizes of a band codec, mono.

    Attributes:
        sample_rate_hz: audio samples per second.
        hop_length: audio samples per frame, even.
        num_codebooks: K, coarse to fine.
        codebook_size: V, entries per codebook.
        width: channels of the decoder.
        num_blocks: of the decoder at the rate of the codes.
        num_rounds: of phase reconstruction.
    """

    sample_rate_hz: int = 32_000
    hop_length: int = 640
    num_codebooks: int = 4
    codebook_size: int = 2048
    width: int = 256
    num_blocks: int = 4
    num_rounds: int = 4

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: if a size is out of range.
        """
        if min(self.num_codebooks, self.width, self.num_blocks) < 1 or self.codebook_size < 2 or self.num_rounds < 0:
            raise ValueError(f"sizes must be positive, got {self}")
        if self.hop_length % 2 or not 2 <= self.hop_length <= SPECTRUM_WINDOW // 2:
            raise ValueError(f"hop_length must be even and at most {SPECTRUM_WINDOW // 2}, got {self.hop_length}")
        if self.sample_rate_hz % self.hop_length:
            raise ValueError(f"{self.sample_rate_hz} Hz is no multiple of the hop length {self.hop_length}")

    @property
    def num_channels(self) -> int:
        """C of the audio: one."""
        return 1

    @property
    def spec(self) -> CodecSpec:
        """What a language model must know of this codec."""
        return CodecSpec(KIND, self.sample_rate_hz, self.hop_length, self.num_codebooks, self.codebook_size)


BAND_CODEC_PRESETS: dict[str, BandCodecConfig] = {
    "bands": BandCodecConfig(),
    # For tests: the same hop, next to no weights.
    "tiny-bands": BandCodecConfig(num_codebooks=2, codebook_size=16, width=8, num_blocks=1, num_rounds=1),
}


class BandCodec:
    """A codec between mono audio and codes.

    Attributes:
        config: sizes.
        spec: the token layout.
        analysis: levels of bands of audio.
        codebooks: float32 [K, V, F], entries in scaled levels; see `scale`.
        decoder: from scaled levels to spectra, in evaluation mode.
    """

    def __init__(self, config: BandCodecConfig) -> None:
        """Build the codec with empty codebooks and random decoder weights from torch's global random state."""
        self.config = config
        self.spec = config.spec
        self.analysis = BandAnalysis(config.sample_rate_hz, config.hop_length)
        num_bands = self.analysis.num_bands
        self.codebooks = torch.zeros(config.num_codebooks, config.codebook_size, num_bands)
        self.decoder = BandDecoder(num_bands, config.width, config.num_blocks, SPECTRUM_WINDOW // 2 + 1).eval()

    @property
    def num_channels(self) -> int:
        """C of the audio."""
        return self.config.num_channels

    @torch.no_grad()
    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        """Turn audio into codes.

        Args:
            waveform: float32 [B, 1, L] at `spec.sample_rate_hz`, full scale is +-1.

        Returns:
            int64 [B, K, T], T = ceil(L / hop_length), values in [0, V).

        Raises:
            ValueError: if the audio is not mono or empty.
        """
        check_waveform(waveform)
        levels = scale(self.analysis(waveform))  # [B, F, T]
        rows = levels.transpose(1, 2).flatten(0, 1)  # [B * T, F]
        is_silent = (rows <= _SILENCE).all(1)
        # All silent rows are one row: stems rest for a sixth of their time.
        silence = rows.new_full((1, rows.shape[1]), _SILENCE)
        sounding = torch.cat([silence, rows[~is_silent]])
        found = torch.cat([quantise(some, self.codebooks) for some in sounding.split(_ROWS_AT_ONCE)])  # [N + 1, K]
        codes = found[:1].repeat(len(rows), 1)  # [B * T, K]
        codes[~is_silent] = found[1:]
        return codes.unflatten(0, (levels.shape[0], levels.shape[2])).transpose(1, 2)

    def levels_of(self, codes: torch.Tensor) -> torch.Tensor:
        """Return what codes stand for: scaled levels, float32 [B, F, T].

        Args:
            codes: int64 [B, K, T].
        """
        entries = [codebook[codes[:, level]] for level, codebook in enumerate(self.codebooks)]  # K x [B, T, F]
        return torch.stack(entries).sum(0).transpose(1, 2)

    @torch.no_grad()
    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Turn codes into audio.

        Args:
            codes: int64 [B, K, T], values in [0, V).

        Returns:
            float32 [B, 1, T * hop_length] at `spec.sample_rate_hz`.

        Raises:
            ValueError: if the codes are not of this codec's layout or hold the mask token.
        """
        check_codes(codes, self.spec)
        return self.decode_levels(self.levels_of(codes))

    def decode_levels(self, levels: torch.Tensor) -> torch.Tensor:
        """Turn scaled levels, float32 [B, F, T], into audio, float32 [B, 1, T * hop_length]."""
        logarithms = self.decoder(levels).transpose(1, 2)  # [B, 2 T, bins], as it lies in memory
        magnitude = logarithms.clamp(max=_HIGHEST_LOG).exp_().sub_(MAGNITUDE_FLOOR).clamp_(min=0)
        magnitude = torch.cat([magnitude, magnitude[:, -1:]], 1).transpose(1, 2)  # with the frame at the very end
        hop_length = self.config.hop_length // 2
        return to_waveform(magnitude, hop_length=hop_length, num_rounds=self.config.num_rounds)[:, None]

    def to(self, device: torch.device | str) -> "BandCodec":
        """Move everything to `device` and return this codec."""
        self.analysis.to(device)
        self.decoder.to(device)
        self.codebooks = self.codebooks.to(device)
        return self

    def save(self, folder: Path) -> None:
        """Write the codec into `folder`, which is made if need be; the decoder in 16 bits, which nobody hears."""
        weights = {f"decoder.{name}": value.half() for name, value in self.decoder.state_dict().items()}
        write_codec(folder, KIND, self.config, weights | {"codebooks": self.codebooks})

    @classmethod
    def load(cls, folder: Path) -> "BandCodec":
        """Read a codec that `save` wrote.

        Raises:
            CheckpointError: if files are missing, damaged or don't fit each other.
        """
        codec = cls(read_config(folder, KIND, BandCodecConfig))
        weights = read_weights(folder)
        codebooks = weights.pop("codebooks", torch.zeros(0))
        if codebooks.shape != codec.codebooks.shape:
            raise CheckpointError("The codec's codebooks do not fit its configuration.")
        codec.codebooks = codebooks.float()
        try:
            codec.decoder.load_state_dict({name.removeprefix("decoder."): value for name, value in weights.items()})
        except RuntimeError as error:
            raise CheckpointError(f"The codec's weights do not fit its configuration: {error}") from error
        return codec


def scale(level_db: torch.Tensor) -> torch.Tensor:
    """Return decibels as numbers from -1 for silence to 1 for full scale."""
    return (level_db + _HALF_RANGE_DB) / _HALF_RANGE_DB


def to_decibels(scaled: torch.Tensor) -> torch.Tensor:
    """Return differences of scaled levels as differences in decibels."""
    return scaled * _HALF_RANGE_DB


def quantise(rows: torch.Tensor, codebooks: torch.Tensor, *, num_candidates: int = NUM_CANDIDATES) -> torch.Tensor:
    """Write rows as sums of one entry of each codebook.

    The best few sums are kept from level to level: the entry nearest to a row need not lead to the nearest sum.

    Args:
        rows: float32 [N, F].
        codebooks: float32 [K, V, F], coarse to fine.
        num_candidates: sums kept per row.

    Returns:
        int64 [N, K].
    """
    num_rows, num_bands = rows.shape
    residuals = rows[:, None]  # [N, C, F]
    codes = torch.zeros(num_rows, 1, 0, dtype=torch.long, device=rows.device)
    for codebook in codebooks:
        products = torch.addmm(codebook.square().sum(-1), residuals.flatten(0, 1), codebook.T, alpha=-2)  # [N * C, V]
        distance = products.unflatten(0, (num_rows, -1)).add_(residuals.square().sum(-1, keepdim=True))  # [N, C, V]
        kept = min(num_candidates, distance.shape[1] * distance.shape[2])
        chosen = _least(distance.flatten(1), kept)  # [N, C']
        parent, entry = chosen // len(codebook), chosen % len(codebook)
        codes = torch.cat([codes.gather(1, parent[..., None].expand(-1, -1, codes.shape[2])), entry[..., None]], 2)
        parents = residuals.gather(1, parent[..., None].expand(-1, -1, num_bands))
        residuals = parents - codebook[entry]
    best = residuals.square().sum(-1).argmin(1)  # [N]
    return codes[torch.arange(num_rows, device=rows.device), best]


def _least(values: torch.Tensor, count: int) -> torch.Tensor:
    """Return where the `count` smallest of each row are, [N, V] to int64 [N, count], the smallest first.

    They lie in those blocks of a row whose minima are the smallest: minima cost a tenth of torch's `topk`.
    """
    if values.shape[1] % _BLOCK or values.shape[1] < 2 * count * _BLOCK:
        return values.topk(count, largest=False).indices
    blocks = values.unflatten(1, (-1, _BLOCK))  # [N, V / block, block]
    nearest = blocks.amin(2).topk(count, largest=False).indices  # [N, count]
    candidates = blocks.gather(1, nearest[..., None].expand(-1, -1, _BLOCK)).flatten(1)  # [N, count * block]
    inside = candidates.topk(count, largest=False).indices
    return nearest.gather(1, inside // _BLOCK) * _BLOCK + inside % _BLOCK


def to_logarithms(magnitude: torch.Tensor) -> torch.Tensor:
    """Return magnitudes, float32 of any shape, as the decoder predicts them: natural logarithms above a floor."""
    return (magnitude + MAGNITUDE_FLOOR).log()


def spectrum_of(waveform: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Return magnitudes at twice the rate of the codes; the decoder is to predict their `to_logarithms`.

    Args:
        waveform: float32 [B, 1, T * hop_length].
        hop_length: of the codec.

    Returns:
        float32 [B, bins, 2 T].
    """
    window = overlap_window(SPECTRUM_WINDOW, waveform.device)
    spectrum = torch.stft(
        waveform[:, 0], SPECTRUM_WINDOW, hop_length // 2, window=window, pad_mode="constant", return_complex=True
    )
    return spectrum.abs()[:, :, :-1]
