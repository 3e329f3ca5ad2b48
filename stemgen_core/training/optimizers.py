"""The optimisers of the language model, and the weights that a new run begins with."""

from pathlib import Path

import torch

from stemgen_core.checkpoint import load_bundle
from stemgen_core.errors import CheckpointError, InvalidRequestError
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.training.lm_config import LmTrainingConfig
from stemgen_core.training.muon import Muon


def take_weights(model: StemTransformer, bundle_path: Path) -> None:
    """Fill a model with a bundle's weights; only the tables of fields that the bundle lacks stay as they are.

    Raises:
        CheckpointError: if anything else is missing, or shapes differ.
    """
    bundle = load_bundle(bundle_path)
    if bundle.manifest.config.spec != model.config.spec:
        raise CheckpointError(
            f"The model at {bundle_path} speaks {bundle.manifest.config.spec}, not this codec's tokens."
        )
    weights = bundle.model.state_dict()
    new_fields = {field.name for field in model.config.fields} - {field.name for field in bundle.manifest.config.fields}
    own = model.state_dict()
    new_tables = {name for name in own if name.startswith(tuple(f"embedding.conditions.{f}." for f in new_fields))}
    unlike = sorted(
        name
        for name in weights.keys() | own.keys() - new_tables
        if name not in weights or name not in own or weights[name].shape != own[name].shape
    )
    if unlike:
        raise CheckpointError(f"The model at {bundle_path} has another shape than this run's: {', '.join(unlike[:5])}.")
    model.load_state_dict(own | weights)


def build_optimizers(model: StemTransformer, config: LmTrainingConfig) -> list[torch.optim.Optimizer]:
    """AdamW for all, or Muon for the matrices of the blocks; tables, norms and other vectors are not decayed."""
    named = list(model.named_parameters())
    matrices = [value for name, value in named if name.startswith("blocks") and value.ndim == 2]
    heads = [value for name, value in named if name.startswith("heads")]
    others = [value for name, value in named if not name.startswith(("blocks", "heads")) or value.ndim < 2]
    adamw_groups = [
        {"params": heads, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if config.optimizer == "muon":
        muon = Muon(matrices, lr=config.learning_rate, weight_decay=config.weight_decay)
        return [muon, torch.optim.AdamW(adamw_groups, lr=config.learning_rate, betas=(0.9, 0.98))]
    if config.optimizer != "adamw":
        raise InvalidRequestError(f"The optimizer must be adamw or muon, got {config.optimizer!r}.")
    adamw_groups[0]["params"] = heads + matrices
    return [torch.optim.AdamW(adamw_groups, lr=config.learning_rate, betas=(0.9, 0.98))]
