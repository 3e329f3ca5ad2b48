"""How fast a machine trains the language model, and how much of what it could do that is."""

import time
from dataclasses import dataclass

import torch

from stemgen_core.masking import MaskedTarget, mask_target
from stemgen_core.model.config import ModelConfig
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.training.lm_config import LmTrainingConfig
from stemgen_core.training.optimizers import build_optimizers
from stemgen_core.training.processes import Processes, SharedLoss

_MATRIX_SIZE = {"cuda": 8192, "cpu": 1024}


@dataclass(frozen=True, slots=True)
class TrainingSpeed:
    """What a measurement found.

    Attributes:
        frames_per_s: target frames trained on.
        seconds_per_step: the median.
        flops_per_frame: of forward and backward, by the usual count.
        utilisation: achieved FLOP/s over `peak_flops_per_s`, 0..1.
    """

    frames_per_s: float
    seconds_per_step: float
    flops_per_frame: float
    utilisation: float


def flops_per_frame(model: StemTransformer, num_frames: int) -> float:
    """Return the floating-point operations of training on one frame: 6 per weight that is multiplied, and attention.

    Tables are looked up and count nothing; one of the K heads is used per item.
    """
    config = model.config
    multiplied = sum(parameter.numel() for block in model.blocks for parameter in block.parameters())
    multiplied += config.dim * config.spec.codebook_size
    if model.embedding.features is not None:
        multiplied += sum(parameter.numel() for parameter in model.embedding.features.parameters())
    return 6.0 * multiplied + 12.0 * config.num_layers * config.dim * num_frames


def peak_flops_per_s(device: str, dtype: torch.dtype, num_tries: int = 5) -> float:
    """Return what the machine reaches in a large product of random matrices: the ceiling for `utilisation`."""
    size = _MATRIX_SIZE[torch.device(device).type]
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    times_s = []
    for _ in range(num_tries + 2):  # two to warm up
        began_s = _now(device)
        torch.matmul(left, right)
        times_s.append(_now(device) - began_s)
    return 2.0 * size**3 / sorted(times_s[2:])[num_tries // 2]


def measure_speed(
    config: ModelConfig, run: LmTrainingConfig, device: str, *, peak: float, num_steps: int = 10
) -> TrainingSpeed:
    """Time training steps on random examples that are already in memory.

    Args:
        config: shape of the model.
        run: batch size, window, optimiser, precision and compilation are taken from it.
        device: where to train.
        peak: of `peak_flops_per_s`, in the run's precision there.
        num_steps: that are timed, after three that warm up.
    """
    rng = torch.Generator().manual_seed(run.seed)
    spec, shape = config.spec, (run.batch_size, run.window_frames)
    model = StemTransformer(config).to(device)
    if run.is_compiled:
        model.compile(dynamic=True)
    optimizers = build_optimizers(model, run)
    loss = SharedLoss(model, Processes())
    codes = torch.randint(spec.codebook_size, (shape[0], spec.num_codebooks, shape[1]), generator=rng)
    context = codes
    if config.num_context_features is not None:
        context = torch.rand(shape[0], config.num_context_features, shape[1], generator=rng)
    conditions = {field.name: torch.zeros(shape[0], dtype=torch.int64, device=device) for field in config.fields}
    has_context = torch.ones(shape[0], dtype=torch.bool, device=device)
    levels = (tuple(range(spec.num_codebooks)),) * shape[0]
    is_half = run.dtype_on(device) is torch.bfloat16
    times_s = []
    for _ in range(num_steps + 3):
        began_s = _now(device)
        hidden = mask_target(codes, spec, levels, rng)
        masked = MaskedTarget(*(each.to(device) for each in (hidden.codes, hidden.level, hidden.generate_mask)))
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=is_half):
            total, _ = loss(context.to(device), codes.to(device), masked, conditions, has_context)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        total.backward()
        for optimizer in optimizers:
            optimizer.step()
        times_s.append(_now(device) - began_s)
    seconds = sorted(times_s[3:])[num_steps // 2]
    frames_per_s = shape[0] * shape[1] / seconds
    per_frame = flops_per_frame(model, run.window_frames)
    return TrainingSpeed(frames_per_s, seconds, per_frame, frames_per_s * per_frame / peak)


def _now(device: str) -> float:
    """Return the time once the device has done all that it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.monotonic()
