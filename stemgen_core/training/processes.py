"""Several processes that train one model: `torchrun --nproc-per-node N -m stemgen_core.cli train lm ...`.

Each process makes the whole batch and trains on its share of it; gradients are averaged by PyTorch's
DistributedDataParallel. So the loss, and up to rounding the weights, are those of one process.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from stemgen_core.errors import InvalidRequestError
from stemgen_core.masking import MaskedTarget
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.training.objective import masked_loss


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those of a run.

    Attributes:
        rank: 0 .. count - 1; number 0 writes logs, checkpoints and bundles.
        count: 1 = not distributed.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, device: str) -> "Processes":
        """Join the processes that torchrun started; alone without torchrun."""
        if not distributed.is_torchelastic_launched():
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def share(self, batch_size: int) -> slice:
        """Return which items of a batch are this process's.

        Raises:
            InvalidRequestError: if they can't be shared out evenly.
        """
        if batch_size % self.count:
            raise InvalidRequestError(f"A batch of {batch_size} can't be shared by {self.count} processes evenly.")
        size = batch_size // self.count
        return slice(self.rank * size, (self.rank + 1) * size)

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sum of `values` over the processes."""
        if self.count > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            distributed.barrier()


class SharedLoss(nn.Module):
    """The masked loss of this process's share of a batch, as a module, so that DistributedDataParallel can wrap it.

    Args:
        model: trained.
        processes: of the run.
    """

    def __init__(self, model: StemTransformer, processes: Processes) -> None:
        super().__init__()
        self.model = model
        self.processes = processes

    def wrapped(self, device: str) -> nn.Module:
        """Return the module that is called in training."""
        if self.processes.count == 1:
            return self
        ids = [torch.device(device).index or 0] if device.startswith("cuda") else None
        # A batch seldom trains every level, so some heads have no gradient.
        return DistributedDataParallel(self, device_ids=ids, find_unused_parameters=True)

    def forward(
        self,
        context: torch.Tensor,
        codes: torch.Tensor,
        masked: MaskedTarget,
        conditions: Mapping[str, torch.Tensor],
        has_context: torch.Tensor,
    ) -> tuple[torch.Tensor, dict[int, tuple[float, int]]]:
        """Return what to call `backward` on, and per level the summed loss and the number of codes of this share.

        The arguments are those of the whole batch.
        """
        own = self.processes.share(len(codes))
        hidden = self.model(
            context[own],
            masked.codes[own],
            {name: value[own] for name, value in conditions.items()},
            has_context[own],
        )
        part = MaskedTarget(masked.codes[own], masked.level[own], masked.generate_mask[own])
        total, per_level = masked_loss(self.model, hidden, codes[own], part)
        # Gradients are averaged over the processes, and each has only its share of the codes.
        return total * self.processes.count / masked.generate_mask.sum(), per_level
