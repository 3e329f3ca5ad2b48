"""Hearing harmony from the point of view of each pitch class, so that what is learned in one key holds in all twelve.

Only for models whose context is semitone bands. Codes are pitches (docs/decisions/0013-relative-harmony.md), or sounds
that hold some pitch classes more than others (docs/decisions/0108-hearing-bands-writing-sound.md).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

NUM_PITCH_CLASSES = 12
NUM_REGISTERS = 3
INITIAL_PROFILE_DEVIATION = 0.02


@dataclass(frozen=True, slots=True)
class HarmonyConfig:
    """Where pitches lie in features and codes.

    Attributes:
        num_semitones: the first rows of the context features, one per semitone.
        lowest_semitone: MIDI pitch of the first row, a C.
        registers: first row of each of the three registers, ascending from 0; multiples of 12.
        smoothing_frames: widths of the time windows, odd; 1 = the frame alone.
        first_codes: codes of the lowest pitch, one per kind of pitch code (onset, hold); empty where codes are sounds.
        lowest_pitch: MIDI pitch of these codes.
        num_pitches: codes per kind.
        num_levels: levels from the coarsest on whose codes are pitches, or sounds.
        dim: width R of what is heard per pitch class.
        hidden_dim: of the network that hears.
    """

    num_semitones: int
    lowest_semitone: int
    registers: tuple[int, ...]
    smoothing_frames: tuple[int, ...]
    first_codes: tuple[int, ...]
    lowest_pitch: int
    num_pitches: int
    num_levels: int
    dim: int = 24
    hidden_dim: int = 64

    @property
    def num_chroma_channels(self) -> int:
        """Chroma vectors per frame: one per register and time window."""
        return NUM_REGISTERS * len(self.smoothing_frames)

    @property
    def num_queries(self) -> int:
        """What a level asks of each pitch class: one thing per kind of code, of sounds one per register."""
        return len(self.first_codes) or NUM_REGISTERS


def read_chroma(features: torch.Tensor, config: HarmonyConfig) -> torch.Tensor:
    """Fold semitone bands into octaves, per register and time window.

    Args:
        features: float [B, F, T], semitone bands first.
        config: where they are.

    Returns:
        float [B, T, C, 12], each vector of 12 with mean 0 and deviation 1, or all 0 where nothing sounds; pitch class 0
        is C.
    """
    bands = features[:, : config.num_semitones]  # [B, 84, T]
    bounds = (*config.registers, config.num_semitones)
    folded = [bands[:, low:high].unflatten(1, (-1, NUM_PITCH_CLASSES)).sum(1) for low, high in pairwise(bounds)]
    registers = torch.stack(folded, 1)  # [B, 3, 12, T]
    flat = registers.flatten(1, 2)  # [B, 36, T]
    smoothed = [
        flat if width == 1 else functional.avg_pool1d(flat, width, 1, width // 2, count_include_pad=False)
        for width in config.smoothing_frames
    ]
    chroma = torch.stack(smoothed, 1).unflatten(2, (NUM_REGISTERS, NUM_PITCH_CLASSES))  # [B, S, 3, 12, T]
    chroma = chroma.flatten(1, 2).permute(0, 3, 1, 2)  # [B, T, C, 12]
    # The small number keeps silence at zero instead of amplifying its rounding.
    return functional.layer_norm(chroma, (NUM_PITCH_CLASSES,), eps=1e-2)


class RelativeHarmony(nn.Module, ABC):
    """Score codes by what their pitch classes are to the context: its root, a chord tone, foreign.

    The chroma of a frame is turned so that each pitch class in turn comes first; one small network hears all twelve
    views. What the transformer wants of a pitch at this moment (a query) is compared with what each pitch class is. A
    transposed context transposes the comparison, by construction.

    Args:
        config: where pitches lie.
        dim: width D of the transformer.
    """

    def __init__(self, config: HarmonyConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        self.hear = nn.Sequential(
            nn.Linear(config.num_chroma_channels * NUM_PITCH_CLASSES, config.hidden_dim),
            nn.SiLU(),
            nn.Linear(config.hidden_dim, config.dim),
        )
        self.queries = nn.ModuleList(
            nn.Linear(dim, config.num_queries * config.dim, bias=False) for _ in range(config.num_levels)
        )

    def forward(self, chroma: torch.Tensor, has_context: torch.Tensor) -> torch.Tensor:
        """Hear what each pitch class is to the context.

        Args:
            chroma: float [B, T, C, 12], `read_chroma`'s.
            has_context: bool [B]; False gives zeros.

        Returns:
            float [B, T, 12 * R].
        """
        turned = torch.stack([chroma.roll(-shift, -1) for shift in range(NUM_PITCH_CLASSES)], 2)  # [B, T, 12, C, 12]
        heard = self.hear(turned.flatten(3))  # [B, T, 12, R]
        return (heard * has_context[:, None, None, None]).flatten(2)

    def compare(self, hidden: torch.Tensor, heard: torch.Tensor, level: int) -> torch.Tensor:
        """Return how much each pitch class is wanted, float [..., M, queries, 12]; arguments as for `scores`."""
        config = self.config
        query = self.queries[level](hidden).unflatten(-1, (config.num_queries, config.dim))  # [..., M, queries, R]
        per_class = heard.unflatten(-1, (NUM_PITCH_CLASSES, config.dim))  # [..., M, 12, R]
        return query @ per_class.transpose(-1, -2)

    @abstractmethod
    def scores(self, hidden: torch.Tensor, heard: torch.Tensor, level: int) -> torch.Tensor:
        """Score the codes of a level.

        Args:
            hidden: float [..., M, D].
            heard: float [..., M, 12 * R], what `forward` returned for the same frames.
            level: below `num_levels`.

        Returns:
            float [..., M, V].
        """


class PitchHarmony(RelativeHarmony):
    """Codes are pitches; those that are none score 0.

    Args:
        config: where pitches lie.
        dim: width D of the transformer.
        codebook_size: V.
    """

    def __init__(self, config: HarmonyConfig, dim: int, codebook_size: int) -> None:
        super().__init__(config, dim)
        self.codebook_size = codebook_size

    def scores(self, hidden: torch.Tensor, heard: torch.Tensor, level: int) -> torch.Tensor:
        """Score the pitch codes of a level; see `RelativeHarmony.scores`."""
        config = self.config
        compared = self.compare(hidden, heard, level)  # [..., M, kinds, 12]
        pitch_classes = (torch.arange(config.num_pitches, device=hidden.device) + config.lowest_pitch) % 12
        per_pitch = compared[..., pitch_classes]  # [..., M, kinds, pitches]
        scores = hidden.new_zeros(*hidden.shape[:-1], self.codebook_size)
        for kind, first in enumerate(config.first_codes):
            scores[..., first : first + config.num_pitches] = per_pitch[..., kind, :]
        return scores


class SoundHarmony(RelativeHarmony):
    """Codes are sounds: each scores by the pitch classes that it holds, register by register.

    Args:
        config: where pitches lie.
        dim: width D of the transformer.
        codebook_size: V.

    Attributes:
        profiles: float [levels, V, 3 * 12], how much of each pitch class of each register a code holds; learned, from
            what the codec knows of its codes (`stemgen_core.training.token_space`) or from next to nothing.
    """

    def __init__(self, config: HarmonyConfig, dim: int, codebook_size: int) -> None:
        super().__init__(config, dim)
        shape = (config.num_levels, codebook_size, NUM_REGISTERS * NUM_PITCH_CLASSES)
        self.profiles = nn.Parameter(torch.randn(shape) * INITIAL_PROFILE_DEVIATION)

    def scores(self, hidden: torch.Tensor, heard: torch.Tensor, level: int) -> torch.Tensor:
        """Score the codes of a level; see `RelativeHarmony.scores`."""
        compared = self.compare(hidden, heard, level).flatten(-2)  # [..., M, 36]
        return compared @ self.profiles[level].T


def build_harmony(config: HarmonyConfig, dim: int, codebook_size: int) -> RelativeHarmony:
    """Return what hears harmony for a model; see `RelativeHarmony` and `codebook_size` of those that derive from it."""
    kind = PitchHarmony if config.first_codes else SoundHarmony
    return kind(config, dim, codebook_size)
