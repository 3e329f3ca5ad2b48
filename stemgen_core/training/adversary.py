"""The adversarial phase of a codec: audiocraft's losses around a discriminator of ours."""

from dataclasses import dataclass
from typing import Any

import torch

from stemgen_core.codec.audiocraft_parts import load_audiocraft_losses
from stemgen_core.training.discriminator import StftDiscriminator
from stemgen_core.training.run_folder import module_tensors, optimizer_tensors, restore_module, restore_optimizer

_PREFIX, _OPTIMIZER = "adversary", "adversary-optimizer"


@dataclass(frozen=True, slots=True)
class AdversaryConfig:
    """What the adversary is like.

    Attributes:
        num_filters: of the discriminator.
        window_lengths: of its scales.
        crop_s: seconds of each window that it hears.
        learning_rate: of its AdamW.
        weight: of its verdict in the codec's loss.
        feature_weight: of the difference of what its layers see.
    """

    num_filters: int = 16
    window_lengths: tuple[int, ...] = (2048, 1024, 512)
    crop_s: float = 0.5
    learning_rate: float = 3e-4
    weight: float = 1.0
    feature_weight: float = 2.0


class Adversary:
    """A discriminator that learns beside the codec.

    Args:
        config: of it.
        sample_rate_hz: of the audio.
        device: where to compute.
    """

    def __init__(self, config: AdversaryConfig, sample_rate_hz: int, device: str) -> None:
        self.config = config
        self.crop_length = round(config.crop_s * sample_rate_hz)
        self.discriminator = StftDiscriminator(config.window_lengths, config.num_filters).to(device)
        self.optimizer = torch.optim.AdamW(
            self.discriminator.parameters(), config.learning_rate, betas=(0.8, 0.99), weight_decay=0.0
        )
        self._losses = load_audiocraft_losses().hinge(self.discriminator, self.optimizer)

    def judge(
        self, decoded: torch.Tensor, original: torch.Tensor, *, generator: torch.Generator
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """Train the discriminator on a crop of both, then let it judge.

        Args:
            decoded: float32 [B, C, L], with a gradient.
            original: float32 [B, C, L].
            generator: of the place of the crop.

        Returns:
            What the codec's loss gets more, and the values for the log.
        """
        room = max(0, decoded.shape[-1] - self.crop_length)
        start = int(torch.randint(room + 1, (), generator=generator))
        fake, real = (sound[..., start : start + self.crop_length] for sound in (decoded, original))
        discriminating = self._losses.train_adv(fake, real)
        fooling, features = self._losses(fake, real)
        facts = {"adversary": discriminating, "fooling": fooling, "features": features}
        loss = self.config.weight * fooling + self.config.feature_weight * features
        return loss, {name: float(value.detach()) for name, value in facts.items()}

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return what a checkpoint needs."""
        return module_tensors(self.discriminator, _PREFIX) | optimizer_tensors(self.optimizer, _OPTIMIZER)

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take back what `tensors` returned.

        Raises:
            CheckpointError: if it doesn't fit.
        """
        restore_module(self.discriminator, tensors, _PREFIX)
        restore_optimizer(self.optimizer, tensors, _OPTIMIZER)
