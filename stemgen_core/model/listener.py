"""A small network that hears whether a stem belongs to a mix: two encoders, compared frame by frame.

COCOLA compares one vector per window with one; ours are compared at each moment, so that a stem that is right but
late, or right but in another key, is far away too (docs/decisions/0096-contrastive-listener.md).
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from stemgen_core.errors import CheckpointError

FORMAT = "contrastive-listener-1"
MAX_SHARPNESS = 100.0
SMOOTHING_FRAMES = (1, 15, 61)  # now, half a second, two and a half seconds


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """What a listener compares, and its sizes.

    Attributes:
        num_context_features: F, what is heard of the mix.
        num_stem_rows: R, what is read of the stem.
        num_semitones: the first rows of the mix are its semitones; 0: nothing is known of keys.
        num_keys: the first rows of the stem are keys that begin, then keys that sound.
        first_key: semitone of the mix that the lowest key is, negative where keys reach further down.
        width: channels inside the encoders.
        num_blocks: of each encoder; block n looks 2^n frames to each side.
        dim: D, of what is compared.
        dropout: 0..1, in training.
        hears: name of the context codec whose features those are; empty where nobody said.
        reads: name of the grid of codes that the stem's rows are drawn from; likewise.
    """

    num_context_features: int
    num_stem_rows: int
    num_semitones: int = 0
    num_keys: int = 0
    first_key: int = 0
    width: int = 64
    num_blocks: int = 5
    dim: int = 64
    dropout: float = 0.1
    hears: str = ""
    reads: str = ""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: if a size is below 1 or the dropout is no share.
        """
        sizes = (self.num_context_features, self.num_stem_rows, self.width, self.num_blocks, self.dim)
        if min(sizes) < 1 or not 0 <= self.dropout < 1:
            raise ValueError(f"sizes must be 1 or more and dropout in [0, 1), got {self}")


class ContrastiveListener(nn.Module):
    """Compares stems with mixes.

    Args:
        config: the sizes.
    """

    def __init__(self, config: ListenerConfig) -> None:
        super().__init__()
        self.config = config
        self.context_encoder = _Encoder(config.num_context_features, config)
        self.stem_encoder = _Encoder(config.num_stem_rows, config)
        self.key_reader = _KeyReader(config) if config.num_semitones else None
        self.log_sharpness = nn.Parameter(torch.tensor(1.0))

    def embed_contexts(self, features: torch.Tensor) -> torch.Tensor:
        """Encode mixes, float32 [B, F, T] -> [B, D, T], D with a row for each key that begins and that sounds."""
        embedded = self.context_encoder(features)
        return embedded if self.key_reader is None else torch.cat([embedded, self.key_reader(features)], 1)

    def embed_stems(self, rows: torch.Tensor) -> torch.Tensor:
        """Encode stems, float32 [B, R, T] -> [B, D, T]; keys stand for themselves."""
        embedded = self.stem_encoder(rows)
        return embedded if self.key_reader is None else torch.cat([embedded, rows[:, : 2 * self.config.num_keys]], 1)

    def compare(self, contexts: torch.Tensor, stems: torch.Tensor) -> torch.Tensor:
        """Compare each mix with the stem beside it.

        Args:
            contexts: float32 [..., D, T], embedded.
            stems: float32 [..., D, T], embedded; leading dimensions are broadcast.

        Returns:
            float32 [...]: the mean over frames of the inner products, times the learned sharpness.
        """
        return self.sharpness * (contexts * stems).sum(-2).mean(-1) / self.config.dim**0.5

    def compare_all(self, contexts: torch.Tensor, stems: torch.Tensor) -> torch.Tensor:
        """Compare each mix, [B, D, T], with each stem, [N, D, T]; returns float32 [B, N]."""
        return self.sharpness * contexts.flatten(1) @ stems.flatten(1).T / (self.config.dim**0.5 * contexts.shape[2])

    @property
    def sharpness(self) -> torch.Tensor:
        """How much a difference counts, learned, at most 100."""
        return self.log_sharpness.exp().clamp_max(MAX_SHARPNESS)

    @torch.inference_mode()
    def score(self, features: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Say how well stems belong to mixes.

        Args:
            features: float32 [B, F, T].
            rows: float32 [B, R, T].

        Returns:
            float32 [B]; higher is better.
        """
        return self.compare(self.embed_contexts(features), self.embed_stems(rows))

    def save(self, path: Path, facts: dict[str, Any]) -> None:
        """Write one safetensors file, weights in float16.

        Args:
            path: its folder is made if need be.
            facts: what is known of the training, JSON values.
        """
        record = {"format": FORMAT, "config": asdict(self.config), "facts": facts}
        tensors = {name: value.detach().to(torch.float16).contiguous() for name, value in self.state_dict().items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path, metadata={"listener": json.dumps(record, sort_keys=True)})

    @classmethod
    def load(cls, path: Path) -> "ContrastiveListener":
        """Read what `save` wrote, ready to score.

        Raises:
            CheckpointError: if the file is missing, damaged or of another kind.
        """
        try:
            with safe_open(path, "pt") as file:
                record = json.loads((file.metadata() or {}).get("listener", "{}"))
                tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (not a dict)
        except (OSError, SafetensorError, json.JSONDecodeError) as error:
            raise CheckpointError(f"There is no readable listener at {path}: {error}") from error
        if record.get("format") != FORMAT:
            raise CheckpointError(f"{path} is no listener of this version. `stemgen train listener` makes one.")
        try:
            listener = cls(ListenerConfig(**record["config"]))
            listener.load_state_dict(tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"The listener at {path} does not fit its own sizes: {error}") from error
        return listener.eval()


class _KeyReader(nn.Module):
    """Says which keys fit a mix, the same way in every key: it looks at intervals, not at pitches."""

    def __init__(self, config: ListenerConfig) -> None:
        super().__init__()
        self.config = config
        self.look = nn.Sequential(
            nn.Conv2d(len(SMOOTHING_FRAMES), 8, (25, 1), padding=(12, 0)),  # an octave to each side
            nn.GELU(),
            nn.Conv2d(8, 2, (25, 1), padding=(12, 0)),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map [B, F, T] to [B, 2 * keys, T]."""
        config = self.config
        semitones = features[:, : config.num_semitones]
        semitones = semitones - semitones.mean(1, keepdim=True)
        smooth = [
            nn.functional.avg_pool1d(semitones, frames, 1, frames // 2, count_include_pad=False)
            for frames in SMOOTHING_FRAMES
        ]
        fitting = self.look(torch.stack(smooth, 1))  # [B, 2, semitones, T]
        above = config.num_keys + config.first_key - config.num_semitones
        keys = nn.functional.pad(fitting, (0, 0, -config.first_key, above))  # [B, 2, keys, T]
        return keys.flatten(1, 2)


class _Block(nn.Module):
    """Looks around in time and mixes channels; added to what came in. Frames are normalised one by one."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width, 1))
        self.mix = nn.Sequential(
            nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Conv1d(width, width, 1),
        )

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Map [B, W, T] to [B, W, T]."""
        return hidden + self.mix(self.gain * _per_frame(hidden))


class _Encoder(nn.Module):
    def __init__(self, num_rows: int, config: ListenerConfig) -> None:
        super().__init__()
        self.read = nn.Conv1d(num_rows, config.width, 1)
        self.blocks = nn.Sequential(
            *(_Block(config.width, 2**number, config.dropout) for number in range(config.num_blocks))
        )
        self.write = nn.Conv1d(config.width, config.dim, 1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Map [B, rows, T] to [B, D, T]."""
        return self.write(_per_frame(self.blocks(self.read(rows))))


def _per_frame(hidden: torch.Tensor) -> torch.Tensor:
    """Return each frame at one level, [B, W, T]."""
    return hidden * torch.rsqrt(hidden.square().mean(1, keepdim=True) + 1e-6)
