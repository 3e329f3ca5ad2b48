"""The EnCodec's training: reconstruction first, then, if asked for, an adversary beside it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stemgen_core.codec.encodec import ENCODEC_PRESETS, EncodecCodec, EncodecConfig
from stemgen_core.errors import CheckpointError
from stemgen_core.training.adversary import Adversary, AdversaryConfig
from stemgen_core.training.codebook import restart_dead_codes
from stemgen_core.training.codec_run import CodecRun, CodecRunConfig, generator_of
from stemgen_core.training.reconstruction import ReconstructionLoss, ReconstructionWeights

FINAL_RATE_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodecTrainingConfig(CodecRunConfig):
    """How to train an EnCodec.

    Attributes:
        codec: its sizes.
        num_warmup_steps: steps over which the rate rises to its peak.
        commitment_weight: how strongly the encoder is drawn to the codebooks.
        reconstruction: weights of the reconstruction loss.
        restart_interval: steps between two restarts of dead codebook entries.
        adversary_from: share of the steps after which the adversary joins in; 1 = never.
        adversary: what it is like.
        has_frozen_tokens: train the decoder alone, so that codes that were written stay valid.
    """

    codec: EncodecConfig = ENCODEC_PRESETS["small"]
    num_warmup_steps: int = 200
    commitment_weight: float = 0.25
    reconstruction: ReconstructionWeights = field(default_factory=ReconstructionWeights)
    restart_interval: int = 50
    adversary_from: float = 1.0
    adversary: AdversaryConfig = field(default_factory=AdversaryConfig)
    has_frozen_tokens: bool = False

    @property
    def sizes(self) -> EncodecConfig:
        """The codec's configuration."""
        return self.codec


ENCODEC_TRAINING_PRESETS: dict[str, EncodecTrainingConfig] = {
    "encodec_32khz": EncodecTrainingConfig(codec=ENCODEC_PRESETS["encodec_32khz"], batch_size=64, num_steps=30_000),
    "small": EncodecTrainingConfig(),
    "tiny": EncodecTrainingConfig(
        codec=ENCODEC_PRESETS["tiny"],
        num_steps=20,
        batch_size=2,
        window_s=0.2,
        learning_rate=3e-3,
        num_warmup_steps=2,
        restart_interval=5,
        adversary=AdversaryConfig(num_filters=2, window_lengths=(512, 256), crop_s=0.1),
        held_out_interval=10,
        num_held_out_windows=2,
        checkpoint_interval=10,
    ),
    "stereo_48khz": EncodecTrainingConfig(codec=ENCODEC_PRESETS["stereo_48khz"], batch_size=48, num_steps=30_000),
}
ENCODEC_TRAINING_PRESETS["tiny_stereo"] = replace(
    ENCODEC_TRAINING_PRESETS["tiny"], codec=ENCODEC_PRESETS["tiny_stereo"]
)


class EncodecRun(CodecRun[EncodecTrainingConfig]):
    """One run; see `CodecRun`."""

    @property
    def codec(self) -> EncodecCodec:
        """What is trained."""
        return self._codec

    @property
    def trained(self) -> nn.Module:
        """The whole EnCodec; frozen parts of it don't move."""
        return self._codec.model

    def _build(self, start_from: Path | None) -> None:
        config = self.config
        self._codec = (EncodecCodec(config.codec) if start_from is None else _opened(start_from, config)).to(
            self.device
        )
        self._reconstruction = ReconstructionLoss(config.codec.sample_rate_hz, config.reconstruction).to(self.device)
        self._adversary = None
        if config.adversary_from < 1:
            self._adversary = Adversary(config.adversary, config.codec.sample_rate_hz, self.device)
        if config.has_frozen_tokens:
            for part in ("encoder", "quantizer"):
                self._codec.model.get_submodule(part).requires_grad_(False)

    def _loss(self, batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, Any]]:
        model, config = self._codec.model, self.config
        facts: dict[str, Any] = {}
        if config.has_frozen_tokens:
            model.get_submodule("quantizer").eval()  # else its moving averages go on moving
        elif self.step % config.restart_interval == 0:
            quantizer, generator = model.get_submodule("quantizer"), generator_of(config.seed, -2 - self.step)
            facts["num_restarted"] = restart_dead_codes(
                quantizer, model.get_submodule("encoder")(batch), generator=generator
            )
        result = model(batch)
        parts = self._reconstruction(result.x, batch)
        facts |= {name: float(part.detach()) for name, part in parts.items() if name != "total"}
        loss = parts["total"]
        if not config.has_frozen_tokens:
            loss = loss + config.commitment_weight * result.penalty
        if self._adversary is not None and self._is_adversarial():
            crop = generator_of(config.seed, self.step)
            adversarial, adversarial_facts = self._adversary.judge(result.x, batch, generator=crop)
            loss, facts = loss + adversarial, facts | adversarial_facts
        return loss, facts

    def _is_adversarial(self) -> bool:
        return self._adversary is not None and self.step >= self.config.adversary_from * self.config.num_steps

    def _is_kept_anyway(self) -> bool:
        """The adversary gives up closeness for sounding real."""
        return self._is_adversarial()

    def _held_out_losses(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        result = self._codec.model(batch)
        return self._reconstruction(result.x, batch)["total"], result.codes

    def _rate_share(self) -> float:
        """A linear rise, then a cosine fall to a tenth."""
        config = self.config
        if self.step < config.num_warmup_steps:
            return (self.step + 1) / config.num_warmup_steps
        progress = (self.step - config.num_warmup_steps) / max(1, config.num_steps - config.num_warmup_steps)
        cosine = 0.5 * (1.0 + float(torch.cos(torch.tensor(min(1.0, progress) * torch.pi))))
        return FINAL_RATE_SHARE + (1.0 - FINAL_RATE_SHARE) * cosine

    def _more_tensors(self) -> dict[str, torch.Tensor]:
        return {} if self._adversary is None else self._adversary.tensors()

    def _restore_more(self, tensors: dict[str, torch.Tensor]) -> None:
        if self._adversary is not None:
            self._adversary.restore(tensors)


def _opened(folder: Path, config: EncodecTrainingConfig) -> EncodecCodec:
    codec = EncodecCodec.load(folder)
    if codec.config != config.codec:
        raise CheckpointError(f"The codec at {folder} has other sizes than this run's. Choose its configuration.")
    return codec
