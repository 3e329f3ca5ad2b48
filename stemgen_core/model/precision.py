"""Running a loaded model in less than single precision, where the processor gains by it."""

import torch
from torch import nn
from torch.nn import functional

from stemgen_core.model.transformer import StemTransformer


class HalfLinear(nn.Module):
    """A linear layer that multiplies in bfloat16; what is added up around it keeps its precision.

    Args:
        linear: the layer to replace.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.register_buffer("weight", linear.weight.detach().bfloat16())
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().bfloat16())

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return bfloat16 [..., out] for any float [..., in]."""
        return functional.linear(inputs.bfloat16(), self.weight, self.bias)


def gains_by_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 faster than single precision (decision 0070).

    AMX does, and AMD's AVX512-BF16. Intel's AVX512-BF16 without AMX, as virtual machines often have it, is slower.
    """
    capabilities = torch.cpu.get_capabilities()
    if capabilities.get("amx_bf16"):
        return True
    return bool(capabilities.get("avx512_bf16")) and not str(capabilities.get("cpu_name", "")).startswith("Intel")


def halve_blocks(model: StemTransformer) -> None:
    """Let the linear layers of all blocks multiply in bfloat16, in place; the model can be trained no longer.

    Decided by what the processor is, not by a stop watch: the same machine must give the same samples every time.
    """
    for name, module in list(model.blocks.named_modules()):
        if isinstance(module, nn.Linear):
            model.blocks.set_submodule(name, HalfLinear(module))
