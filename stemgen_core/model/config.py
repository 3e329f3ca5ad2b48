"""Sizes of the model, and the named ones."""

from dataclasses import dataclass

from stemgen_core.conditioning import ConditionField
from stemgen_core.model.harmony import HarmonyConfig
from stemgen_core.types import CodecSpec


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Everything that decides the shape of the weights.

    Attributes:
        spec: token layout of the target.
        context_codec: name of the context's layout; `spec.name` where context and target share tokens and tables.
        num_context_features: F where the context is float features; None where it is tokens.
        fields: the categorical conditions.
        dim: width D; each channel (context, target) has D / 2.
        num_layers: transformer blocks.
        num_heads: H; the head width D / H is even.
        feed_forward_dim: hidden width of SwiGLU.
        dropout: probability in attention output and feed-forward output, training only.
        harmony: where pitches lie in context features and codes; None where they are not told apart.
    """

    spec: CodecSpec
    context_codec: str
    num_context_features: int | None
    fields: tuple[ConditionField, ...]
    dim: int
    num_layers: int
    num_heads: int
    feed_forward_dim: int
    dropout: float = 0.0
    harmony: HarmonyConfig | None = None

    def __post_init__(self) -> None:
        """Check that the numbers fit together.

        Raises:
            ValueError: if the width can't be split into channels and heads, or harmony is to be heard in tokens.
        """
        if self.dim % (2 * self.num_heads):
            raise ValueError(f"dim {self.dim} must be a multiple of twice num_heads {self.num_heads}")
        if self.harmony is not None and self.num_context_features is None:
            raise ValueError("harmony is heard in features, and this context is tokens")


@dataclass(frozen=True, slots=True)
class ModelSize:
    """A named size."""

    dim: int
    num_layers: int
    num_heads: int

    @property
    def feed_forward_dim(self) -> int:
        """8/3 of the width, up to a multiple of 64: SwiGLU's three matrices then cost what a plain block's two do."""
        return -(-8 * self.dim // (3 * 64)) * 64


SIZES: dict[str, ModelSize] = {
    "tiny": ModelSize(dim=64, num_layers=2, num_heads=2),
    "small": ModelSize(dim=256, num_layers=6, num_heads=4),
    "medium": ModelSize(dim=384, num_layers=8, num_heads=6),
    "base": ModelSize(dim=512, num_layers=12, num_heads=8),
    "paper": ModelSize(dim=1024, num_layers=20, num_heads=16),
}


def build_config(
    size: ModelSize,
    spec: CodecSpec,
    *,
    fields: tuple[ConditionField, ...],
    context_codec: str,
    num_context_features: int | None,
    dropout: float = 0.0,
    harmony: HarmonyConfig | None = None,
) -> ModelConfig:
    """Combine a size with a codec and its conditions."""
    return ModelConfig(
        spec=spec,
        context_codec=context_codec,
        num_context_features=num_context_features,
        fields=fields,
        dim=size.dim,
        num_layers=size.num_layers,
        num_heads=size.num_heads,
        feed_forward_dim=size.feed_forward_dim,
        dropout=dropout,
        harmony=harmony,
    )
