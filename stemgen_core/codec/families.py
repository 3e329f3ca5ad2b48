"""Which codecs belong to which family of models."""

from stemgen_core.checkpoint import Bundle
