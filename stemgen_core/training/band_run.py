"""`stemgen train codec --config bands`: codebooks by residual k-means, then the decoder by regression on spectra."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stemgen_core.codec.band_codec import (
    BAND_CODEC_PRESETS,
    BandCodec,
    BandCodecConfig,
    scale,
    spectrum_of,
    to_logarithms,
)
from stemgen_core.codec.band_decoder import LinearFit
from stemgen_core.codec.token_level import at_token_level
from stemgen_core.errors import CheckpointError
from stemgen_core.training.audio_windows import AudioWindows
from stemgen_core.training.codec_run import CodecRun, CodecRunConfig, generator_of

FINAL_RATE_SHARE = 0.05
_CHUNK = 8192
_DRAWN_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class BandTrainingConfig(CodecRunConfig):
    """How to fit a band codec.

    Attributes:
        codec: its sizes.
        num_codebook_windows: windows whose frames the codebooks are fitted to.
        num_rounds: of k-means per level.
    """

    codec: BandCodecConfig = BAND_CODEC_PRESETS["bands"]
    num_codebook_windows: int = 2400
    num_rounds: int = 12
    num_steps: int = 3000
    window_s: float = 1.28
    learning_rate: float = 1e-3
    held_out_interval: int = 250
    num_held_out_windows: int = 64
    checkpoint_interval: int = 250

    @property
    def sizes(self) -> BandCodecConfig:
        """The codec's configuration."""
        return self.codec


BAND_TRAINING_PRESETS: dict[str, BandTrainingConfig] = {
    "bands": BandTrainingConfig(),
    "tiny-bands": BandTrainingConfig(
        codec=BAND_CODEC_PRESETS["tiny-bands"],
        num_codebook_windows=8,
        num_rounds=2,
        num_steps=20,
        batch_size=2,
        window_s=0.3,
        held_out_interval=10,
        num_held_out_windows=2,
        checkpoint_interval=10,
    ),
}


class BandRun(CodecRun[BandTrainingConfig]):
    """One run; see `CodecRun`. Codebooks that are fitted stay: codes that were written are valid for good."""

    @property
    def codec(self) -> BandCodec:
        """What is trained."""
        return self._codec

    @property
    def trained(self) -> nn.Module:
        """The decoder."""
        return self._codec.decoder

    def _build(self, start_from: Path | None) -> None:
        codec = BandCodec(self.config.codec) if start_from is None else BandCodec.load(start_from)
        if (codec.config.width, codec.config.num_blocks) != (self.config.codec.width, self.config.codec.num_blocks):
            raise CheckpointError(f"The codec at {start_from} has other sizes than this run's.")
        self._codec = codec.to(self.device)
        # It is solved for: steps of the size that the network wants would only blur it.
        self._codec.decoder.direct.requires_grad_(False)

    def _loss(self, batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, Any]]:
        return self._difference(batch, self._codec.encode(batch)), {}

    def _held_out_losses(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        codes = self._codec.encode(batch)
        return self._difference(batch, codes), codes

    def _difference(self, batch: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the mean absolute difference of logarithms, in nats."""
        predicted = self._codec.decoder(self._codec.levels_of(codes))
        return (predicted - self._wanted(batch)).abs().mean()

    def _wanted(self, batch: torch.Tensor) -> torch.Tensor:
        """Return what the decoder should say of float32 [B, 1, L]."""
        return to_logarithms(spectrum_of(batch, self.config.codec.hop_length))

    def _rate_share(self) -> float:
        """Level for the first half, then straight down."""
        progress = self.step / max(1, self.config.num_steps)
        return 1.0 if progress < 0.5 else FINAL_RATE_SHARE + (1 - FINAL_RATE_SHARE) * 2 * (1 - progress)

    def _prepare(self, windows: torch.Tensor) -> torch.Tensor:
        """Bring windows to the level at which sounds become codes."""
        rate_hz = self.config.codec.sample_rate_hz
        return torch.stack([at_token_level(one, rate_hz) for one in windows]).to(self.device)

    def _more_tensors(self) -> dict[str, torch.Tensor]:
        return {"codebooks": self._codec.codebooks}

    def _restore_more(self, tensors: dict[str, torch.Tensor]) -> None:
        self._codec.codebooks = tensors["codebooks"].to(self.device)

    def _fit(self, windows: AudioWindows) -> None:
        config = self.config
        starts = range(0, config.num_codebook_windows, _DRAWN_AT_ONCE)
        rows = [
            scale(self._codec.analysis(self._draw(windows, start))).transpose(1, 2).flatten(0, 1) for start in starts
        ]
        self._codec.codebooks = fit_codebooks(
            torch.cat(rows),
            num_codebooks=config.codec.num_codebooks,
            codebook_size=config.codec.codebook_size,
            num_rounds=config.num_rounds,
            generator=generator_of(config.seed, -2),
        )
        fit = LinearFit(self._codec.decoder)
        for start in starts:
            batch = self._draw(windows, start)  # again: to keep all of them would take 400 MB
            fit.add(self._codec.levels_of(self._codec.encode(batch)), self._wanted(batch))
        fit.solve()
        self._codec.save(self.codec_path)  # its codes are final: a corpus can be written while the decoder learns

    def _draw(self, windows: AudioWindows, start: int) -> torch.Tensor:
        """Draw some of the windows that codebooks and the linear map are fitted to, as the codec gets them."""
        count = min(_DRAWN_AT_ONCE, self.config.num_codebook_windows - start)
        generator = generator_of(self.config.seed, -1000 - start)
        return self._prepare(windows.draw(count, self.config.window_length, generator=generator))


def fit_codebooks(
    rows: torch.Tensor, *, num_codebooks: int, codebook_size: int, num_rounds: int, generator: torch.Generator
) -> torch.Tensor:
    """Fit codebooks one after the other to what the coarser ones leave, by k-means.

    Args:
        rows: float32 [N, F].
        num_codebooks: K.
        codebook_size: V; fewer rows than that are used more than once.
        num_rounds: of k-means per level.
        generator: source of randomness, on the CPU.

    Returns:
        float32 [K, V, F].
    """
    codebooks = []
    for _ in range(num_codebooks):
        order = torch.randperm(len(rows), generator=generator)
        entries = rows[order.repeat(-(-codebook_size // len(rows)))[:codebook_size].to(rows.device)].clone()  # [V, F]
        for _ in range(num_rounds):
            nearest = _nearest(rows, entries)  # [N]
            sums = torch.zeros_like(entries).index_add_(0, nearest, rows)
            counts = torch.bincount(nearest, minlength=codebook_size)
            is_used = counts > 0
            entries[is_used] = sums[is_used] / counts[is_used, None]
            unused = int((~is_used).sum())
            if unused:  # an entry that nothing is near to starts again where something is
                again = torch.randint(len(rows), (unused,), generator=generator)
                entries[~is_used] = rows[again.to(rows.device)]
        rows = rows - entries[_nearest(rows, entries)]
        codebooks.append(entries)
    return torch.stack(codebooks)


def _nearest(rows: torch.Tensor, entries: torch.Tensor) -> torch.Tensor:
    norms = entries.square().sum(1)
    return torch.cat([(norms - 2 * chunk @ entries.T).argmin(1) for chunk in rows.split(_CHUNK)])
