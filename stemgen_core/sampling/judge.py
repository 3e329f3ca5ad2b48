"""Who says how well a stem belongs to what it was made for: that orders variations and chooses among candidates.

A bundle with a contrastive listener is judged by that, any other by the model itself
(docs/decisions/0098-the-listener-judges.md).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from stemgen_core.checkpoint import Bundle, BundleManifest, add_file, read_manifest
from stemgen_core.codec.protocol import LevelRule
from stemgen_core.codec.score_roll import score_roll
from stemgen_core.codec.score_tokens import SCORE_SPEC
from stemgen_core.errors import CheckpointError
from stemgen_core.model.listener import ContrastiveListener
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.sampling.drafts import sounding_share
from stemgen_core.sampling.listening_score import listening_score

LISTENER_NAME = "listener.safetensors"
MODEL_JUDGE = "model"  # what a score is by that was kept before there were two judges


class StemJudge(Protocol):
    """Scores stems that were made for one context; a higher score is better."""

    @property
    def name(self) -> str:
        """Who judges, kept with every score: those of two judges can't be compared."""
        ...

    @property
    def is_quick(self) -> bool:
        """Whether a score costs next to nothing beside making the stem."""
        ...

    def score(
        self,
        context: torch.Tensor,
        codes: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
        *,
        rules: Sequence[LevelRule],
    ) -> float:
        """Say how well a stem belongs to its context.

        Args:
            context: float [1, F, T] features or int64 [1, K, T] codes, of any length.
            codes: int64 [1, K, T], the stem, without mask tokens.
            conditions: per field int64 [1], or float [1, values + 1]: what was asked for.
            rules: the levels that the stem uses, coarse to fine.

        Returns:
            On a scale of the judge's own; 0 for a stem that never plays.
        """
        ...


@dataclass(frozen=True, slots=True)
class ModelJudge:
    """The model that makes stems: how much better it can explain one with its context than without.

    Attributes:
        model: in evaluation mode.
        window_frames: T that it was trained on.
    """

    model: StemTransformer
    window_frames: int

    @property
    def name(self) -> str:
        """`model`; which one is kept with the stem anyway."""
        return MODEL_JUDGE

    @property
    def is_quick(self) -> bool:
        """Two passes per level and window: no."""
        return False

    def score(
        self,
        context: torch.Tensor,
        codes: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
        *,
        rules: Sequence[LevelRule],
    ) -> float:
        """Return nats per frame and level that plays; see `StemJudge`."""
        return listening_score(self.model, context, codes, conditions, rules=rules, window_frames=self.window_frames)


@dataclass(frozen=True, slots=True)
class ListenerJudge:
    """A contrastive listener: how near a stem's notes are to the mix, compared at each moment.

    Attributes:
        listener: in evaluation mode, on the CPU.
        name: of the judge.
        window_frames: T of what is compared at once, so that memory does not grow with the clip.
    """

    listener: ContrastiveListener
    name: str
    window_frames: int

    @property
    def is_quick(self) -> bool:
        """Some milliseconds a window, once the mix was heard."""
        return True

    def score(
        self,
        context: torch.Tensor,
        codes: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
        *,
        rules: Sequence[LevelRule],
    ) -> float:
        """Return the mean over all frames, rests among them; see `StemJudge`."""
        if not sounding_share(codes, rules, frame_rate_hz=1):
            return 0.0
        total = 0.0
        for start in range(0, codes.shape[2], self.window_frames):
            window = slice(start, start + self.window_frames)
            rows = score_roll(codes[..., window])  # [1, R, T]
            total += float(self.listener.score(context[..., window], rows)) * rows.shape[2]
        return total / codes.shape[2]


def open_judge(bundle: Bundle) -> StemJudge:
    """Return who judges the stems of a bundle: its listener, or the model where it has none.

    Raises:
        CheckpointError: if the listener is missing, changed, unreadable, or hears or reads something else.
    """
    if LISTENER_NAME not in bundle.manifest.files:
        return ModelJudge(bundle.model, bundle.manifest.window_frames)
    return read_listener(bundle.file(LISTENER_NAME), bundle.manifest)


def read_listener(path: Path, manifest: BundleManifest) -> ListenerJudge:
    """Return a listener as a judge, named by the content of its file.

    Args:
        path: as `stemgen train listener` writes it.
        manifest: of the bundle whose stems it is to judge.

    Raises:
        CheckpointError: if it can't be read, or hears or reads something else than the model.
    """
    listener, config = ContrastiveListener.load(path), manifest.config
    wanted, trained_on = (config.context_codec, config.spec.name), (listener.config.hears, listener.config.reads)
    if wanted != trained_on or config.spec != SCORE_SPEC:
        raise CheckpointError(
            f"The listener at {path} hears {trained_on[0] or 'features that nobody named'} and reads"
            f" {trained_on[1] or 'codes that nobody named'}; the model {manifest.model_id} works with {wanted[0]} and"
            f" {wanted[1]}. Train one for it: stemgen train listener CORPUS FILE."
        )
    name = _listener_name(hashlib.sha256(path.read_bytes()).hexdigest())
    return ListenerJudge(listener, name, manifest.window_frames)


def judge_name(manifest: BundleManifest) -> str:
    """Return the name of who judges the stems of a bundle, without opening it."""
    digest = manifest.files.get(LISTENER_NAME)
    return MODEL_JUDGE if digest is None else _listener_name(digest)


def _listener_name(digest: str) -> str:
    return f"listener-{digest[:12]}"


def add_listener(folder: Path, path: Path) -> BundleManifest:
    """Put a listener into a bundle, where it judges from then on; the model keeps its id.

    Args:
        folder: of the bundle.
        path: as `stemgen train listener` writes it.

    Raises:
        CheckpointError: if either can't be read, or the listener hears or reads something else than the model.
    """
    read_listener(path, read_manifest(folder))
    return add_file(folder, LISTENER_NAME, path.read_bytes())
