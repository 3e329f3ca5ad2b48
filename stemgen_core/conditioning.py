"""What a stem can be asked for by: declared categorical fields, each dropped independently in training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class ConditionField:
    """One categorical condition, such as the instrument.

    Attributes:
        name: key in requests and batches.
        num_values: values are 0 .. num_values - 1; `num_values` itself stands for "not given".
    """

    name: str
    num_values: int

    @property
    def absent_id(self) -> int:
        """Value that stands for "not given", in training after dropout and for guidance."""
        return self.num_values


CONTEXT_SOURCE = "context"  # the name of the context among the sources that dropout and guidance speak of


def drop_sources(
    conditions: Mapping[str, torch.Tensor],
    fields: Sequence[ConditionField],
    *,
    dropout: float,
    field_dropout: Mapping[str, float] | None = None,
    rng: torch.Generator,
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Drop each source of each item independently, as guidance needs.

    Args:
        conditions: per field int64 [B], values in [0, num_values].
        fields: the fields of the model.
        dropout: probability per source and item, 0..1.
        field_dropout: another probability for some of the fields, by name.
        rng: source of randomness, on the CPU.

    Returns:
        The conditions with dropped ones replaced by `absent_id`; and `has_context`, bool [B].

    Source: StemGen (arXiv:2312.08723), classifier-free guidance. The rate is not stated; see decision 0005.
    """
    batch_size = len(next(iter(conditions.values())))
    kept = {}
    for field in fields:
        is_dropped = torch.rand(batch_size, generator=rng) < (field_dropout or {}).get(field.name, dropout)
        kept[field.name] = torch.where(is_dropped, field.absent_id, conditions[field.name])
    has_context = torch.rand(batch_size, generator=rng) >= dropout
    return kept, has_context
